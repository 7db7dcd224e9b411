// The shell: where we are, what is shown there, and the keys that work everywhere.

import { html, render, useEffect, useState } from "./preact-htm.js";
import { getAbout, startFeed, useFeed, useNow } from "./api.js";
import { duration } from "./format.js";
import { Link, go } from "./parts.js";
import { Overview } from "./overview.js";
import { Runs } from "./runs.js";
import { Run } from "./run.js";
import { Queues, Workers } from "./fleet.js";
import { Charts } from "./charts.js";

const TABS = [
  ["/", "Overview", "o"],
  ["/workflows", "Workflows", "w"],
  ["/workers", "Workers", "e"],
  ["/queues", "Queues", "q"],
  ["/metrics-view", "Metrics", "m"],
];
const KEYS = [
  ["/", "filter workflows"],
  ["j k", "down and up in a list"],
  ["Enter", "open what is marked"],
  ["g then o w e q m", TABS.map(([, name]) => name.toLowerCase()).join(", ")],
  ["t", "light or dark"],
  ["?", "these keys"],
];

const place = () => {
  const parts = location.pathname.split("/").filter(Boolean).map(decodeURIComponent);
  return { parts, query: new URLSearchParams(location.search), key: location.pathname + location.search };
};

function usePlace() {
  const [here, setHere] = useState(place);
  useEffect(() => {
    const moved = () => setHere((old) => (old.key === place().key ? old : place()));
    window.addEventListener("popstate", moved);
    window.addEventListener("aether:moved", moved);
    moved(); // a link may have been followed before anybody listened
    return () => {
      window.removeEventListener("popstate", moved);
      window.removeEventListener("aether:moved", moved);
    };
  }, []);
  return here;
}

function turnTheme() {
  const root = document.documentElement;
  const isDark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = isDark ? "light" : "dark";
  localStorage.setItem("aether-theme", root.dataset.theme);
}

function useKeys(setHelp) {
  useEffect(() => {
    let afterG = false;
    const press = (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
      if (/^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName)) {
        if (event.key === "Escape") event.target.blur();
        return;
      }
      const tab = afterG && TABS.find(([, , key]) => key === event.key);
      afterG = event.key === "g";
      if (tab) go(tab[0]);
      else if (event.key === "?") setHelp((shown) => !shown);
      else if (event.key === "Escape") setHelp(false);
      else if (event.key === "t") turnTheme();
      else if (event.key === "/") {
        event.preventDefault();
        if (!document.querySelector("#filter")) go("/workflows");
        setTimeout(() => document.querySelector("#filter")?.focus());
      } else if (event.key === "j" || event.key === "k") {
        const rows = [...document.querySelectorAll("[data-row]")];
        const now = rows.indexOf(document.activeElement);
        rows[Math.max(0, Math.min(rows.length - 1, now + (event.key === "j" ? 1 : -1)))]?.focus();
      } else if (event.key === "Enter" && event.target.dataset?.row) go(event.target.dataset.row);
    };
    document.addEventListener("keydown", press);
    return () => document.removeEventListener("keydown", press);
  }, []);
}

function Health({ feed, now }) {
  const { metrics, connected, at } = feed;
  if (!connected) {
    const since = at ? ` What is shown is ${duration(now - at)} old.` : "";
    return html`<p class="banner bad" role="status">No connection to the server; trying again.${since}</p>`;
  }
  const fault = metrics?.not_ready || metrics?.storage_fault;
  return fault ? html`<p class="banner bad" role="status">${fault}</p>` : null;
}

function App() {
  const here = usePlace();
  const feed = useFeed();
  const now = useNow();
  const [help, setHelp] = useState(false);
  const [about, setAbout] = useState(null);
  useEffect(() => {
    getAbout(true).then(setAbout, () => {});
  }, [feed.metrics?.node]);
  useKeys(setHelp);
  const [first = "", second] = here.parts;
  const current = first ? `/${first}` : "/";
  const name = TABS.find(([path]) => path === current)?.[1] ?? "Aether";
  useEffect(() => {
    document.title = second ? `${second} · Aether` : `${name} · Aether`;
  }, [second, name]);
  const views = {
    "/": () => html`<${Overview} feed=${feed} now=${now} />`,
    "/workflows": () =>
      second === undefined
        ? html`<${Runs} query=${here.query} now=${now} />`
        : html`<${Run} key=${here.key} id=${second} query=${here.query} now=${now} about=${about} />`,
    "/workers": () => html`<${Workers} feed=${feed} now=${now} />`,
    "/queues": () => html`<${Queues} feed=${feed} now=${now} />`,
    "/metrics-view": () => html`<${Charts} feed=${feed} />`,
  };
  return html`
    <a class="skip" href="#main">To the content</a>
    <header class="top">
      <${Link} to="/" class="brand"><img src="/static/icon.svg" alt="" width="22" height="22" />Aether<//>
      <nav aria-label="Views">${TABS.map(([path, title]) => html`<${Link} to=${path} aria-current=${path === current ? "page" : undefined}>${title}<//>`)}</nav>
      <span class="spring"></span>
      ${about?.read_only ? html`<span class="tag">read only</span>` : null}
      ${about ? html`<span class="dim server">${about.version} · ${about.persistence}</span>` : null}
      <span class="dot ${feed.connected ? "good" : "bad"}" title=${feed.connected ? "live" : "no connection"}></span>
      <button class="quiet" aria-label="Light or dark" title="Light or dark (t)" onClick=${turnTheme}>◑</button>
      <button class="quiet" aria-label="Keys" title="Keys (?)" onClick=${() => setHelp(!help)}>?</button>
    </header>
    <${Health} feed=${feed} now=${now} />
    ${help ? html`<aside class="keys" aria-label="Keys"><dl>${KEYS.map(([key, what]) => html`<div><dt><kbd>${key}</kbd></dt><dd>${what}</dd></div>`)}</dl></aside>` : null}
    <main id="main" tabindex="-1">${(views[current] ?? (() => html`<p class="empty">There is no such page.</p>`))()}</main>`;
}

const theme = localStorage.getItem("aether-theme");
if (theme) document.documentElement.dataset.theme = theme;
startFeed();
render(html`<${App} />`, document.getElementById("app"));
