// How the server is, on one screen.

import { html, useMemo } from "./preact-htm.js";
import { get, useAsked } from "./api.js";
import { at, bytes, count, duration, micros, rate } from "./format.js";
import { Ago, Chart, Empty, Link, runLink } from "./parts.js";

export function useSamples(feed) {
  // The last hour changes slowly: asked for every ten seconds in which something happens.
  const tick = Math.floor((feed.at || 0) / 10000);
  const { data } = useAsked(() => get("/metrics?samples=true"), `samples ${tick}`, { live: false });
  return useMemo(() => {
    const samples = data?.samples ?? [];
    const times = samples.map((sample) => at(sample.at));
    const per = (name) => samples.map((sample) => (sample[name] / sample.span_us) * 1e6);
    const raw = (name) => samples.map((sample) => (name.endsWith("_us") && !sample[name] ? NaN : sample[name]));
    return { times, per, raw };
  }, [data]);
}

const Tile = ({ name, value, tone = "", to }) => {
  const inner = html`<span>${name}</span><b class=${tone}>${value}</b>`;
  return to ? html`<${Link} to=${to} class="tile">${inner}<//>` : html`<div class="tile">${inner}</div>`;
};

const filter = (text) => `/workflows?filter=${encodeURIComponent(text)}`;

export function Overview({ feed, now }) {
  const { metrics } = feed;
  const samples = useSamples(feed);
  if (!metrics) return html`<${Empty}>Waiting for the server…<//>`;
  const open = metrics.open ?? {};
  const states = {};
  for (const row of metrics.runs) states[row.state] = (states[row.state] || 0) + row.count;
  const openCount = (states.PENDING || 0) + (states.RUNNING || 0);
  return html`
    <h1 class="sr">Overview</h1>
    <section class="tiles" aria-label="Runs">
      <${Tile} name="open" value=${count(openCount)} to=${filter("state:open")} />
      <${Tile} name="running" value=${count(open.running)} tone="run" />
      <${Tile} name="queued" value=${count(open.queued)} tone=${open.queued ? "warn" : ""} />
      <${Tile} name="sleeping" value=${count(open.sleeping)} />
      <${Tile} name="waiting" value=${count(open.waiting)} />
      <${Tile} name="retrying" value=${count(open.retrying)} tone=${open.retrying ? "warn" : ""} />
      <${Tile} name="paused" value=${count(open.paused)} />
      <${Tile} name="blocked" value=${count(open.blocked)} tone=${open.blocked ? "bad" : ""} />
      <${Tile} name="completed" value=${count(states.COMPLETED)} tone="good" to=${filter("state:completed")} />
      <${Tile} name="failed" value=${count(states.FAILED)} tone=${states.FAILED ? "bad" : ""} to=${filter("state:failed")} />
      <${Tile} name="cancelled" value=${count(states.CANCELLED)} to=${filter("state:cancelled")} />
    </section>
    ${metrics.workers.length || !openCount ? null : html`<p class="banner warn"><b>No worker is connected</b>, so open runs wait. Start one with <code>aether worker MODULE:CLIENT</code>.</p>`}
    <div class="stacks">
      <div>
        <section class="card"><${Chart} title="Runs per second" times=${samples.times} show=${rate}
          lines=${[{ name: "started", tone: "a", values: samples.per("started") }, { name: "completed", tone: "b", values: samples.per("completed") }, { name: "failed", tone: "c", values: samples.per("failed") }]} /></section>
        <section class="card"><h2>Latency, last minute</h2><${Latencies} metrics=${metrics} /></section>
      </div>
      <div>
        <section class="card"><${Chart} title="Steps per second" times=${samples.times} show=${rate}
          lines=${[{ name: "steps", tone: "a", values: samples.per("steps") }, { name: "activities", tone: "b", values: samples.per("activities") }]} /></section>
        <section class="card"><h2>Task queues</h2><${QueueTable} metrics=${metrics} now=${now} /></section>
        <section class="card"><h2>Workers</h2><${WorkerSummary} metrics=${metrics} now=${now} /></section>
      </div>
    </div>
    <section class="card"><h2>Server</h2><${Server} metrics=${metrics} now=${now} /></section>
    <section class="card"><h2>What went wrong last</h2><${Problems} problems=${metrics.problems} now=${now} /></section>`;
}

const LATENCIES = [
  ["start lag", "start_lag", "from when a run might have started until a worker had it"],
  ["steps", "step_latency", "attempts that completed"],
  ["activities", "activity_latency", "attempts that completed"],
  ["timers late by", "timer_lag", ""],
  ["commits", null, "with the sync to disk"],
  ["engine lag", "loop_lag", "how late the event loop was"],
];

function Latencies({ metrics }) {
  const row = ([name, key, about]) => {
    const latency = key ? metrics[key] : metrics.writer?.commit;
    const cell = (value) => html`<td class="num">${latency?.count ? micros(value) : "–"}</td>`;
    return html`<tr><th scope="row" title=${about}>${name}</th>${cell(latency?.p50_us)}${cell(latency?.p90_us)}${cell(latency?.p99_us)}<td class="num dim">${count(latency?.count)}</td></tr>`;
  };
  return html`<table><thead><tr><th></th><th class="num">p50</th><th class="num">p90</th><th class="num">p99</th><th class="num">count</th></tr></thead><tbody>${LATENCIES.map(row)}</tbody></table>`;
}

export function queueRows(metrics, now) {
  return metrics.queue_traffic.map((row) => {
    const lines = metrics.queues.filter((line) => line.task_queue === row.task_queue && line.kind === row.kind);
    const oldest = Math.min(...lines.map((line) => at(line.oldest_at)));
    return { ...row, ready: lines.reduce((sum, line) => sum + line.ready, 0), age: lines.length ? Math.max(0, now - oldest) : null, lines };
  });
}

const WINDOW = 10000;
const seen = [];

// What came to and left each task queue in the last ten seconds, a second.
function flows(metrics, now) {
  if (seen.at(-1)?.metrics !== metrics) seen.push({ at: now, metrics });
  while (seen.length > 1 && (seen[1].at <= now - WINDOW || seen[0].metrics.node !== metrics.node)) seen.shift();
  const before = seen[0];
  const span = Math.max(1000, now - before.at) / 1000;
  return (row) => {
    const old = before.metrics.queue_traffic.find((each) => each.task_queue === row.task_queue && each.kind === row.kind);
    return old ? [(row.added - old.added) / span, (row.taken - old.taken) / span] : [row.added / span, row.taken / span];
  };
}

export function QueueTable({ metrics, now }) {
  const rows = queueRows(metrics, now);
  const flow = flows(metrics, now);
  if (!rows.length) return html`<${Empty}>Nothing has been queued yet.<//>`;
  return html`<table><thead><tr><th>queue</th><th>kind</th><th class="num">ready</th><th class="num">oldest</th><th class="num" title="that became ready, of the last 10 s">in/s</th><th class="num" title="that a worker was given, of the last 10 s">out/s</th><th class="num">wait p99</th></tr></thead>
    <tbody>${rows.map((row) => html`<tr><th scope="row"><${Link} to="/queues">${row.task_queue}<//></th><td>${row.kind}</td><td class="num ${row.ready ? "warn" : ""}">${count(row.ready)}</td>
      <td class="num ${row.age > 60000 ? "bad" : ""}">${row.age === null ? "–" : duration(row.age)}</td>${flow(row).map((each) => html`<td class="num dim">${rate(each)}</td>`)}<td class="num">${row.wait_p99_us ? micros(row.wait_p99_us) : "–"}</td></tr>`)}</tbody></table>`;
}

export const Slots = ({ used, slots }) => {
  if (!slots) return html`<span class="dim">–</span>`;
  return html`<span class="slots"><span class="meter"><i style=${{ width: `${Math.min(100, (100 * used) / slots)}%` }}></i></span>${count(used)}/${count(slots)}</span>`;
};

function WorkerSummary({ metrics, now }) {
  if (!metrics.workers.length) return html`<${Empty}>No worker is connected. Start one with <code>aether worker MODULE:CLIENT</code>.<//>`;
  const shown = metrics.workers.slice(0, 8);
  return html`<table><thead><tr><th>worker</th><th>queue</th><th>workflows</th><th>activities</th><th class="num">seen</th></tr></thead>
    <tbody>${shown.map((worker) => html`<tr><th scope="row">${worker.worker_id}</th><td>${worker.task_queue}</td>
      <td><${Slots} used=${worker.workflow_slots_used} slots=${worker.workflow_slots} /></td><td><${Slots} used=${worker.activity_slots_used} slots=${worker.activity_slots} /></td>
      <td class="num dim"><${Ago} time=${worker.last_seen_at} now=${now} /></td></tr>`)}</tbody></table>
    ${metrics.workers.length > shown.length ? html`<p><${Link} to="/workers">All ${metrics.workers.length} workers<//></p>` : null}`;
}

function Server({ metrics, now }) {
  const facts = [
    ["up for", duration(now - at(metrics.started_at))],
    ["node", metrics.node],
    ["kept in", metrics.persistence],
    ["memory", bytes(metrics.rss_bytes)],
    ["events", count(metrics.events)],
    ["commits", `${count(metrics.writer?.commits)}, ${count(metrics.writer?.waiting)} wait`],
    ["in one commit", metrics.writer?.batch_p50 ? `${metrics.writer.batch_p50} (p99 ${metrics.writer.batch_p99})` : "–"],
  ];
  return html`<dl class="facts">${facts.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;
}

export function Problems({ problems, now }) {
  if (!problems.length) return html`<${Empty}>Nothing has gone wrong since the server started.<//>`;
  return html`<table class="wide"><thead><tr><th>when</th><th>workflow</th><th>what</th><th>failure</th><th>then</th></tr></thead>
    <tbody>${problems.slice(0, 12).map((problem) => html`<tr><td class="dim"><${Ago} time=${problem.at} now=${now} /></td>
      <td><${Link} to=${runLink(problem.workflow_id, problem.run_id)}>${problem.workflow_id}<//></td>
      <td>${problem.kind === "run" ? "run" : `${problem.kind} ${problem.name}`}${problem.attempt > 1 ? html` <span class="dim">attempt ${problem.attempt}</span>` : problem.count > 1 ? html` <span class="dim">${problem.count} times</span>` : null}</td>
      <td class="long"><b>${problem.failure_type}</b>${problem.message ? `: ${problem.message}` : ""}</td>
      <td class="dim">${problem.next_at ? "tried again" : problem.kind === "blocked" ? "waits for another worker" : "given up"}</td></tr>`)}</tbody></table>`;
}
