// The server itself: its versions, its health, its settings and where they come from.

import { html } from "./preact-htm.js";
import { get, lock, useAsked } from "./api.js";
import { duration, at } from "./format.js";
import { Empty, Fault } from "./parts.js";

const CHECKS = { draining: "takes new work", storage: "writes to the disk", engine: "keeps up" };

export function About({ now }) {
  const { data, error } = useAsked(() => get("/about"), `about ${Math.floor(now / 10000)}`, { live: false });
  const kept = (About.kept = data ?? About.kept);
  if (!kept) return error ? html`<h1>About</h1><${Fault} error=${error} />` : html`<${Empty}>Waiting for the server…<//>`;
  const checks = Object.entries(kept.checks);
  return html`<div class="bar"><h1>About this server</h1><span class="spring"></span>${kept.asks_for_token ? html`<button onClick=${lock}>Forget the token</button>` : null}</div>
    <${Fault} error=${error} />
    <div class="columns">
      <section class="card"><h2>Health</h2><ul class="plain checks">${checks.map(([name, words]) => html`<li><span class="state ${words === "ok" ? "completed" : "failed"}">${words === "ok" ? "✓ ok" : "✕ fails"}</span> ${CHECKS[name] ?? name}${words === "ok" ? "" : html` <span class="bad">${words}</span>`}</li>`)}</ul></section>
      <section class="card"><h2>What runs here</h2><table class="pairs"><tbody>
        ${Object.entries(kept.versions).map(([name, version]) => html`<tr><th scope="row">${name}</th><td class="num">${version}</td></tr>`)}
        <tr><th scope="row">node</th><td class="num">${kept.node}</td></tr>
        <tr><th scope="row">kept in</th><td class="num">${kept.persistence}</td></tr>
        <tr><th scope="row">up for</th><td class="num">${duration(now - at(kept.started_at))}</td></tr>
        <tr><th scope="row">this page</th><td class="num">${kept.read_only ? "only looks" : "may change things"}${kept.asks_for_token ? ", asks for a token" : ""}</td></tr>
      </tbody></table></section>
    </div>
    <section class="card"><h2>Settings</h2><table class="wide"><thead><tr><th>setting</th><th>value</th><th>from</th><th>what it is</th></tr></thead>
      <tbody>${kept.settings.map((each) => html`<tr class=${each.origin === "default" ? "dim" : ""}><th scope="row"><code>${each.key}</code></th><td class="id">${each.value === null || each.value === "" ? "–" : String(each.value)}</td><td>${each.origin === "default" ? "default" : html`<b>${each.origin}</b>`}</td><td class="long dim">${each.about}</td></tr>`)}</tbody></table>
      <p class="dim">Of a setting that is a path it is told that it is set, not where it leads. The API is described in <a href="/api/v1/openapi.json">openapi.json</a>.</p></section>`;
}
