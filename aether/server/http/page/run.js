// One run from all sides, live while it is open, and what can be done with it.

import { html, useEffect, useState } from "./preact-htm.js";
import { get, getExactly, runPath, useAsked } from "./api.js";
import { at, clock, duration, took } from "./format.js";
import { RunDialog, StartDialog } from "./actions.js";
import { Children } from "./children.js";
import { HistoryPanel } from "./history.js";
import { Ago, Copy, Empty, Failure, Fault, Json, Link, State, When, runLink } from "./parts.js";
import { Waterfall } from "./waterfall.js";

const CLOSED = new Set(["COMPLETED", "FAILED", "CANCELLED"]);

// The sides of a run that is here and of one that is in a file: name → what is shown, from {info, rows, status, …}.
export const SIDES = {
  timeline: (of) => html`<${Waterfall} rows=${of.rows} now=${of.now} query=${of.query} />`,
  history: (of) => of.history(),
  "input and result": (of) => html`<${InputPanel} ...${of} />`,
  errors: (of) => html`<${ErrorPanel} ...${of} />`,
  children: (of) => html`<${Children} rows=${of.rows} now=${of.now} />`,
  "timers and signals": (of) => html`<${Waits} ...${of} />`,
  metadata: (of) => html`<${Metadata} ...${of} />`,
};

// A wait for a signal is no event, so it is not among the rows; it has gone on since what came before it was over.
function waits(reasons, rows) {
  const since = rows.map((row) => row.ended_at ?? row.created_at).reduce((a, b) => (b > a ? b : a), "");
  return (reasons ?? []).filter((reason) => reason.kind === "signal").map((reason) => ({
    kind: "signal", name: reason.text, path: reason.path, state: "waiting", depth: reason.path.split(".").length >> 1, created_at: since, started_at: null, ended_at: null, due_at: reason.due_at, worker_id: "", attempts: [], attempt_count: 0, first_seq: -1, last_seq: -1,
  }));
}

const NEEDS_ROWS = new Set(["timeline", "errors", "children", "timers and signals"]);

export function Sides({ tab, link, of }) {
  const name = SIDES[tab] ? tab : "timeline";
  return html`<nav class="tabs" aria-label="Sides of the run">${Object.keys(SIDES).map((each) => html`<${Link} to=${link(each)} aria-current=${each === name ? "page" : undefined}>${each}<//>`)}</nav>
    <section class="card side">${NEEDS_ROWS.has(name) && !of.rows ? html`<${Empty}>…<//>` : SIDES[name](of)}</section>`;
}

export function Run({ id, query, now, about }) {
  const runId = query.get("run") ?? "";
  const tab = query.get("tab") ?? "timeline";
  const key = `${id} ${runId}`;
  const status = useAsked(() => getExactly(runPath(id, "", runId)), key);
  const info = status.data?.info;
  const isOpen = info ? !CLOSED.has(info.state) : true;
  // Asked for again when this run has got further, not when any has.
  const version = info ? `${info.run_id} ${info.state} ${info.history_length} ${status.data.paused} ${status.data.blocked}` : "";
  const why = useAsked(() => (info ? get(runPath(id, "/why", info.run_id)) : Promise.resolve(null)), `${info?.run_id} why`, { pulse: `${version} ${info?.worker_id}${isOpen ? ` ${Math.floor(now / 5000)}` : ""}` });
  const timeline = useAsked(() => (info && NEEDS_ROWS.has(tab) ? get(runPath(id, "/timeline", info.run_id)) : Promise.resolve(null)), `${info?.run_id} ${NEEDS_ROWS.has(tab)}`, { pulse: version });
  const [rows, setRows] = useState(null);
  useEffect(() => {
    if (timeline.data) setRows(timeline.data.rows);
  }, [timeline.data]);
  const [dialog, setDialog] = useState(null);
  if (!info) return status.error ? html`<h1 class="id">${id}</h1><${Fault} error=${status.error} /><p><${Link} to="/workflows">All workflows<//></p>` : html`<${Empty}>Looking for ${id}…<//>`;
  const link = (wanted) => {
    const next = new URLSearchParams();
    if (runId) next.set("run", runId);
    next.set("tab", wanted);
    return `/workflows/${encodeURIComponent(id)}?${next}`;
  };
  const open = (kind) => kind === "like" ? getExactly(`${runPath(id, "/history", info.run_id)}&after_seq=0`).then((page) => setDialog({ kind, like: { ...info, input: page.events[0].input } }), () => {}) : setDialog({ kind, at: Number(new URLSearchParams(location.search).get("event")) || Number(rows?.find((row) => String(row.first_seq) === new URLSearchParams(location.search).get("row"))?.last_seq) || 0 });
  const of = { id, info, rows: rows && [...rows, ...waits(why.data?.reasons, rows)], status: status.data, reasons: why.data?.reasons, now, query,
    history: () => html`<${HistoryPanel} id=${id} runId=${info.run_id} length=${info.history_length} query=${query} startedAt=${info.created_at} />` };
  return html`
    <p class="crumbs"><${Link} to="/workflows">Workflows<//> / <${Link} to="/workflows?filter=${encodeURIComponent(`type:${info.workflow_type}`)}">${info.workflow_type}<//>${info.parent_workflow_id ? html` / <${Link} to=${runLink(info.parent_workflow_id)}>${info.parent_workflow_id}<//>` : null}</p>
    <div class="bar head">
      <h1 class="id">${info.workflow_id}</h1><${Copy} text=${info.workflow_id} />
      <${State} state=${info.state} />
      ${status.data.cancel_requested && isOpen ? html`<span class="tag warn">asked to stop</span>` : null}
      ${status.data.paused ? html`<span class="tag warn" title=${status.data.pause_reason}>paused</span>` : null}
      ${status.data.blocked ? html`<span class="tag bad">blocked</span>` : null}
      <span class="spring"></span>
      ${about && !about.read_only ? html`<span class="actions"><${Actions} isOpen=${isOpen} hasEndedWell=${info.state === "COMPLETED"} isPaused=${status.data.paused} actions=${about.actions} open=${open} /></span>` : null}
    </div>
    ${why.data ? html`<p class="why ${info.state.toLowerCase()}">${why.data.sentence}</p>` : null}
    <${Facts} info=${info} now=${now} />
    <${Fault} error=${timeline.error ?? status.error} />
    <${Sides} tab=${tab} link=${link} of=${of} />
    ${dialog?.like ? html`<${StartDialog} like=${dialog.like} onClose=${() => setDialog(null)} />` : dialog ? html`<${RunDialog} ...${dialog} info=${info} again=${() => { status.again(); why.again(); }} onClose=${() => setDialog(null)} />` : null}`;
}

export function Facts({ info, now }) {
  const facts = [
    ["queue", info.task_queue],
    ["started", html`<${When} time=${info.created_at} />`],
    ["ended", info.closed_at && html`<${When} time=${info.closed_at} />`],
    [info.closed_at ? "took" : "open for", duration(Math.max(0, took(info, now)))],
    ["worker", info.worker_id],
    ["events", info.history_length],
    ...Object.entries(info.tags).map(([name, value]) => [name, html`<${Link} class="tag" to="/workflows?filter=${encodeURIComponent(`tag.${name}:"${value}"`)}">${value}<//>`]),
    ["run", html`<code>${info.run_id}</code>`],
  ].filter(([, value]) => value);
  return html`<dl class="facts">${facts.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;
}

function Actions({ isOpen, hasEndedWell, isPaused, actions, open }) {
  const can = (name) => actions.includes(name);
  return html`
    ${isOpen && can("signal") ? html`<button onClick=${() => open("signal")}>Signal…</button>` : null}
    ${isOpen && can("pause") ? html`<button onClick=${() => open(isPaused ? "resume" : "pause")}>${isPaused ? "Resume" : "Pause"}…</button>` : null}
    ${!isOpen && !hasEndedWell && can("fork") ? html`<button onClick=${() => open("retry")}>Retry…</button>` : null}
    ${can("fork") ? html`<button onClick=${() => open("fork")}>Fork…</button>` : null}
    <button title="Start a run with the same arguments" onClick=${() => open("like")}>Start like this…</button>
    ${isOpen && can("cancel") ? html`<button onClick=${() => open("cancel")}>Cancel…</button><button class="danger" onClick=${() => open("force")}>End now…</button>` : null}`;
}

function InputPanel({ id, info, status, events }) {
  const { data } = useAsked(() => (events ? Promise.resolve({ events }) : getExactly(`${runPath(id, "/history", info.run_id)}&after_seq=0`)), `${id} ${info.run_id} first`, { live: false });
  const created = data?.events[0];
  return html`<h2>Input</h2>${created ? html`<${Json} value=${created.input} />` : null}
    <h2>Result</h2>${"result" in status ? html`<${Json} value=${status.result} />` : status.failure && info.state !== "RUNNING" ? html`<${Failure} failure=${status.failure} />` : html`<${Empty}>${CLOSED.has(info.state) ? "It has none." : "Not yet."}<//>`}`;
}

function ErrorPanel({ info, rows, status }) {
  const failed = rows.filter((row) => row.failure && row.kind !== "run");
  if (!status.failure && !failed.length) return html`<${Empty}>Nothing has failed.<//>`;
  return html`${status.failure ? html`<h2>${status.blocked ? "Why it is blocked" : info.state === "CANCELLED" ? "Why it was cancelled" : "Why it failed"}</h2><${Failure} failure=${status.failure} />` : null}
    ${failed.map((row) => html`<section class="failed-row"><h2>${row.kind} ${row.name} <span class="dim">${row.state.replace("_", " ")}${row.attempt_count > 1 ? `, ${row.attempt_count} attempts` : ""}</span></h2>
      ${row.attempts.some((attempt) => attempt.failure) && row.attempts.length > 1 ? html`<ol class="tries">${row.attempts.map((attempt, i) => html`<li value=${attempt.number}><span class=${attempt.failure ? "bad" : "good"}>${attempt.failure ? attempt.failure.type : "completed"}</span>
        <span class="dim"> ${clock(attempt.started_at)}${i && row.attempts[i - 1].ended_at && attempt.started_at ? `, ${duration(at(attempt.started_at) - at(row.attempts[i - 1].ended_at))} after the one before` : ""}${attempt.worker_id ? `, ${attempt.worker_id}` : ""}</span></li>`)}</ol>` : null}
      <${Failure} failure=${row.failure} /></section>`)}`;
}

const WAITS = new Set(["timer", "signal", "promise", "value"]);

function Waits({ rows, status, now }) {
  const shown = rows.filter((row) => WAITS.has(row.kind));
  const pending = (status.pending ?? []).filter((each) => each.kind !== "worker");
  return html`
    ${pending.length ? html`<h2>What it waits for now</h2><table class="wide"><thead><tr><th>kind</th><th>name</th><th>path</th><th class="num">attempt</th><th>due</th><th>worker</th><th>last failure</th></tr></thead>
      <tbody>${pending.map((each) => html`<tr><td>${each.kind}</td><td>${each.name}</td><td class="dim">${each.path}</td><td class="num">${each.attempt || ""}</td><td>${each.due_at ? html`<${When} time=${each.due_at} /> <span class="dim">${at(each.due_at) > now ? `in ${duration(at(each.due_at) - now)}` : ""}</span>` : ""}</td><td>${each.worker_id}</td>
        <td class="long">${each.last_failure ? `${each.last_failure.type}: ${each.last_failure.message}` : each.reason}</td></tr>`)}</tbody></table>` : null}
    <h2>Timers, signals, promises and values</h2>
    ${shown.length ? html`<table class="wide"><thead><tr><th>kind</th><th>name</th><th>path</th><th>state</th><th>began</th><th>over</th><th class="num">took</th><th class="num">event</th></tr></thead>
      <tbody>${shown.slice(0, 500).map((row) => html`<tr><td>${row.kind}</td><td>${row.name}</td><td class="dim">${row.path}</td><td>${row.state.replace("_", " ")}</td><td><${When} time=${row.created_at} /></td>
        <td>${row.ended_at ? html`<${When} time=${row.ended_at} />` : row.due_at ? html`<span class="dim">due </span><${When} time=${row.due_at} />` : ""}</td><td class="num">${row.kind === "signal" || row.kind === "value" ? "" : duration((at(row.ended_at) ?? now) - at(row.created_at))}</td><td class="num dim">${row.first_seq}</td></tr>`)}</tbody></table>
      ${shown.length > 500 ? html`<p class="dim">and ${shown.length - 500} more</p>` : null}` : html`<${Empty}>This run has set no timer, got no signal and waited for no promise.<//>`}`;
}

// What is known only from the event that began it.
function began(event) {
  const limit = event.concurrency;
  return [
    ["begins at", event.start_at && html`<${When} time=${event.start_at} />`],
    ["ends by", event.expires_at && html`<${When} time=${event.expires_at} />`],
    ["priority", event.priority],
    ["labels", Object.entries(event.labels ?? {}).map(([name, value]) => `${name}=${value}`).join(", ")],
    ["limit", limit && JSON.stringify(limit)],
    ["trace", event.traceparent && html`<code>${event.traceparent}</code>`],
  ];
}

function Metadata({ id, info, status, reasons, now, events }) {
  const { data } = useAsked(() => (events ? Promise.resolve({ events }) : getExactly(`${runPath(id, "/history", info.run_id)}&after_seq=0`)), `${id} ${info.run_id} first`, { live: false });
  const facts = [
    ["workflow id", html`<code>${info.workflow_id}</code>`],
    ["run id", html`<code>${info.run_id}</code>`],
    ["type", info.workflow_type],
    ["task queue", info.task_queue],
    ["state", info.state.toLowerCase()],
    ["parent", info.parent_workflow_id && html`<${Link} to=${runLink(info.parent_workflow_id)}>${info.parent_workflow_id}<//>`],
    ["forked from", info.forked_from && html`<${Link} to=${runLink(info.forked_from.workflow_id, info.forked_from.run_id)}>${info.forked_from.workflow_id}<//> up to event ${info.forked_from.seq}`],
    ["started", html`<${When} time=${info.created_at} /> <span class="dim"><${Ago} time=${info.created_at} now=${now} /></span>`],
    ["ended", info.closed_at && html`<${When} time=${info.closed_at} />`],
    ["worker", info.worker_id],
    ["events", info.history_length],
    ["kept in", status.persistence],
    ["paused", status.paused && (status.pause_reason || "yes")],
    ["trace", status.trace_id && html`<code>${status.trace_id}</code>`],
    ...(data?.events[0] ? began(data.events[0]) : []),
  ].filter(([, value]) => value);
  const memo = Object.entries(status.memo ?? {});
  return html`<table class="pairs"><tbody>${facts.map(([name, value]) => html`<tr><th scope="row">${name}</th><td>${value}</td></tr>`)}
      ${Object.entries(info.tags).map(([name, value]) => html`<tr><th scope="row">tag ${name}</th><td>${value}</td></tr>`)}</tbody></table>
    ${reasons?.length ? html`<h2>Why it is where it is</h2><ul class="plain">${reasons.map((reason) => html`<li><span class="tag">${reason.kind}</span> ${reason.text}${reason.due_at ? html` <span class="dim">due <${When} time=${reason.due_at} /></span>` : null}</li>`)}</ul>` : null}
    ${memo.length ? html`<h2>Memo</h2><${Json} value=${status.memo} />` : null}`;
}
