// The last hour, for those who have no Prometheus.

import { html } from "./preact-htm.js";
import { count, micros, rate } from "./format.js";
import { Chart } from "./parts.js";
import { useSamples } from "./overview.js";

const pair = (samples, name) => [
  { name: "p50", tone: "a", values: samples.raw(`${name}_p50_us`) },
  { name: "p99", tone: "c", values: samples.raw(`${name}_p99_us`) },
];

export function Charts({ feed }) {
  const samples = useSamples(feed);
  const charts = [
    ["Runs per second", rate, [["started", "a"], ["completed", "b"], ["failed", "c"], ["cancelled", "d"]].map(([name, tone]) => ({ name, tone, values: samples.per(name) }))],
    ["Steps and activities per second", rate, [{ name: "steps", tone: "a", values: samples.per("steps") }, { name: "activities", tone: "b", values: samples.per("activities") }]],
    ["Open runs", count, [{ name: "open", tone: "a", values: samples.raw("open_runs") }, { name: "ready tasks", tone: "d", values: samples.raw("ready") }]],
    ["Events and commits per second", rate, [{ name: "events", tone: "a", values: samples.per("events") }, { name: "commits", tone: "b", values: samples.per("commits") }]],
    ["Start lag", micros, pair(samples, "start_lag")],
    ["Steps", micros, pair(samples, "step")],
    ["Commits", micros, pair(samples, "commit")],
  ];
  return html`<h1>Metrics</h1>
    <p class="dim">The last hour of this server. For longer, let Prometheus read its metrics port.</p>
    <div class="columns">${charts.map(([title, show, lines]) => html`<section class="card"><${Chart} title=${title} times=${samples.times} show=${show} lines=${lines} height=${150} /></section>`)}</div>`;
}
