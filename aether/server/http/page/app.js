// The shell: where we are, what is shown there, and the keys that work everywhere.

import { html, render, useEffect, useErrorBoundary, useState } from "./preact-htm.js";
import { getAbout, setRefresh, startFeed, unlock, useFeed, useNow } from "./api.js";
import { duration, turnZone, zone } from "./format.js";
import { Fault, Link, go } from "./parts.js";
import { Overview } from "./overview.js";
import { Runs } from "./runs.js";
import { Run } from "./run.js";
import { Queues, Workers } from "./fleet.js";
import { Charts } from "./charts.js";
import { Log } from "./log.js";
import { Import } from "./import.js";
import { About } from "./about.js";

const TABS = [
  ["/", "Overview", "o"],
  ["/workflows", "Workflows", "w"],
  ["/workers", "Workers", "e"],
  ["/queues", "Queues", "q"],
  ["/metrics-view", "Metrics", "m"],
  ["/log", "Log", "l"],
  ["/import", "Import", "i"],
  ["/about", "About", "a"],
];
const KEYS = [
  ["/", "filter workflows"],
  ["j k", "down and up in a list"],
  ["Enter", "open the row"],
  ["x", "mark the row"],
  ["[ ]", "the run's side before, and the next one"],
  ["+ - 0", "in a timeline: zoom in, out, the whole run"],
  ["h l i", "in a timeline: move, fold idle time"],
  [`g then ${TABS.map(([, , key]) => key).join(" ")}`, TABS.map(([, name]) => name.toLowerCase()).join(", ")],
  ["p", "look on, or stand still"],
  ["u", "times of here or UTC"],
  ["t", "light or dark"],
  ["?", "these keys"],
];
const REFRESHES = [[1, "live"], [5, "every 5 s"], [30, "every 30 s"], [0, "stands still"]];

// A % that somebody has typed is none that a browser has written.
const decoded = (part) => {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
};

const place = () => {
  const parts = location.pathname.split("/").filter(Boolean).map(decoded);
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

function turnSides(by) {
  const sides = [...document.querySelectorAll(".tabs a")];
  const now = sides.findIndex((side) => side.getAttribute("aria-current"));
  sides[(now + by + sides.length) % sides.length]?.click();
}

function useKeys(setHelp, refresh) {
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
      else if (event.key === "Escape") {
        setHelp(false);
        document.querySelector("[data-escape]")?.click();
      } else if (event.key === "t") turnTheme();
      else if (event.key === "u") {
        turnZone();
        window.dispatchEvent(new Event("aether:zone"));
      } else if (event.key === "p") setRefresh(refresh ? 0 : 1);
      else if (event.key === "[") turnSides(-1);
      else if (event.key === "]") turnSides(1);
      else if (event.key === "x") document.activeElement.querySelector?.(".mark input")?.click();
      else if (event.key === "/") {
        event.preventDefault();
        if (!document.querySelector("#filter")) go("/workflows");
        setTimeout(() => document.querySelector("#filter")?.focus());
      } else if (event.key === "j" || event.key === "k") {
        const rows = [...document.querySelectorAll("[data-row]")];
        const now = rows.indexOf(document.activeElement);
        rows[Math.max(0, Math.min(rows.length - 1, now + (event.key === "j" ? 1 : -1)))]?.focus();
      } else if (event.key === "Enter" && event.target.dataset?.row) go(event.target.dataset.row);
      else if (event.key === "Enter" && event.target.dataset?.row === "") event.target.click();
    };
    document.addEventListener("keydown", press);
    return () => document.removeEventListener("keydown", press);
  }, [refresh]);
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

function Lock() {
  const [error, setError] = useState(null);
  const open = async (event) => {
    event.preventDefault();
    await unlock(new FormData(event.target).get("token").trim()).catch(setError);
  };
  return html`<main class="lock"><form class="card" onSubmit=${open}>
    <img src="/static/icon.svg" alt="" width="44" height="44" /><h1>Aether</h1>
    <p class="dim">This server asks for its token. It is in the file that its setting <code>web.token_file</code> names.</p>
    <label>Token <input name="token" type="password" autocomplete="current-password" required autofocus /></label>
    <${Fault} error=${error} />
    <button type="submit" class="primary">Go on</button>
  </form></main>`;
}

// What went wrong in a view of the page is told there, and the others go on.
function Contained({ children }) {
  const [error, forget] = useErrorBoundary();
  if (!error) return children;
  return html`<section class="card welcome"><h2>This view has failed</h2><p>That is a fault of the page. <code>${String(error)}</code></p><button onClick=${forget}>Try again</button></section>`;
}

function App() {
  const here = usePlace();
  const [, setZone] = useState(zone());
  useEffect(() => {
    const turned = () => setZone(zone());
    window.addEventListener("aether:zone", turned);
    return () => window.removeEventListener("aether:zone", turned);
  }, []);
  const feed = useFeed();
  const now = useNow();
  const [help, setHelp] = useState(false);
  const [about, setAbout] = useState(null);
  useEffect(() => {
    if (!feed.isLocked) getAbout(true).then(setAbout, () => {});
  }, [feed.metrics?.node, feed.isLocked]);
  useKeys(setHelp, feed.refresh);
  const [first = "", second] = here.parts;
  const current = first ? `/${first}` : "/";
  const name = TABS.find(([path]) => path === current)?.[1] ?? "Aether";
  useEffect(() => {
    document.title = second ? `${second} · Aether` : `${name} · Aether`;
  }, [second, name]);
  if (feed.isLocked) return html`<${Lock} />`;
  const views = {
    "/": () => html`<${Overview} feed=${feed} now=${now} />`,
    "/workflows": () =>
      second === undefined
        ? html`<${Runs} query=${here.query} now=${now} about=${about} />`
        : html`<${Run} key=${`${second} ${here.query.get("run")}`} id=${second} query=${here.query} now=${now} about=${about} />`,
    "/workers": () => html`<${Workers} feed=${feed} now=${now} />`,
    "/queues": () => html`<${Queues} feed=${feed} now=${now} about=${about} />`,
    "/metrics-view": () => html`<${Charts} feed=${feed} />`,
    "/log": () => html`<${Log} query=${here.query} />`,
    "/import": () => html`<${Import} query=${here.query} now=${now} />`,
    "/about": () => html`<${About} now=${now} />`,
  };
  return html`
    <a class="skip" href="#main">To the content</a>
    <header class="top">
      <${Link} to="/" class="brand"><img src="/static/icon.svg" alt="" width="22" height="22" /><span>Aether</span><//>
      <nav aria-label="Views">${TABS.map(([path, title]) => html`<${Link} to=${path} aria-current=${path === current ? "page" : undefined}>${title}<//>`)}</nav>
      <span class="spring"></span>
      ${about?.read_only ? html`<span class="tag">read only</span>` : null}
      <span class="dot ${feed.connected ? "good" : "bad"}" title=${feed.connected ? "connected" : "no connection"}></span>
      <select class="quiet" aria-label="How often to look" title="How often to look (p)" value=${feed.refresh} onChange=${(event) => setRefresh(Number(event.target.value))}>${REFRESHES.map(([seconds, words]) => html`<option value=${seconds}>${words}</option>`)}</select>
      <button class="quiet zone" title="Times of here or UTC (u)" onClick=${() => { turnZone(); setZone(zone()); }}>${zone()}</button>
      <button class="quiet" aria-label="Light or dark" title="Light or dark (t)" onClick=${turnTheme}>◑</button>
      <button class="quiet" aria-label="Keys" title="Keys (?)" onClick=${() => setHelp(!help)}>?</button>
    </header>
    <${Health} feed=${feed} now=${now} />
    ${help ? html`<aside class="keys" aria-label="Keys"><dl>${KEYS.map(([key, what]) => html`<div><dt><kbd>${key}</kbd></dt><dd>${what}</dd></div>`)}</dl></aside>` : null}
    <main id="main" tabindex="-1"><${Contained} key=${current}>${(views[current] ?? (() => html`<p class="empty">There is no such page.</p>`))()}<//></main>`;
}

const theme = localStorage.getItem("aether-theme");
if (theme) document.documentElement.dataset.theme = theme;
startFeed();
render(html`<${App} />`, document.getElementById("app"));
