// One run from all sides, live while it is open, and what can be done with it.

import { html, useEffect, useState } from "./preact-htm.js";
import { get, post, runPath, useAsked, useFeed } from "./api.js";
import { at, clock, duration, took } from "./format.js";
import { Dialog, Empty, Failure, Fault, Json, Link, State, When, go, runLink } from "./parts.js";
import { Waterfall } from "./waterfall.js";

const TABS = ["timeline", "history", "input and result", "errors", "children"];
const CLOSED = new Set(["COMPLETED", "FAILED", "CANCELLED"]);

export function Run({ id, query, now, about }) {
  const runId = query.get("run") ?? "";
  const tab = query.get("tab") ?? TABS[0];
  const key = `${id} ${runId}`;
  const status = useAsked(() => get(runPath(id, "", runId)), key);
  const info = status.data?.info;
  const isOpen = info ? !CLOSED.has(info.state) : true;
  const why = useAsked(() => get(runPath(id, "/why", runId)), `${key} ${info?.state}`, { live: isOpen });
  const [dialog, setDialog] = useState(null);
  if (!info) return status.error ? html`<h1>${id}</h1><${Fault} error=${status.error} />` : html`<${Empty}>Looking for ${id}…<//>`;
  const show = (wanted) => {
    const next = new URLSearchParams(query);
    next.set("tab", wanted);
    return `/workflows/${encodeURIComponent(id)}?${next}`;
  };
  const panels = {
    timeline: () => html`<${TimelinePanel} id=${id} runId=${info.run_id} now=${now} />`,
    history: () => html`<${HistoryPanel} id=${id} runId=${info.run_id} startedAt=${info.created_at} />`,
    "input and result": () => html`<${InputPanel} id=${id} status=${status.data} />`,
    errors: () => html`<${ErrorPanel} id=${id} status=${status.data} />`,
    children: () => html`<${ChildPanel} id=${id} info=${info} now=${now} />`,
  };
  return html`
    <p class="crumbs"><${Link} to="/workflows">Workflows<//>${info.parent_workflow_id ? html` / <${Link} to=${runLink(info.parent_workflow_id)}>${info.parent_workflow_id}<//>` : null}</p>
    <div class="bar">
      <h1 class="id">${info.workflow_id}</h1>
      <${State} state=${info.state} />
      ${status.data.cancel_requested && isOpen ? html`<span class="tag warn">asked to stop</span>` : null}
      ${status.data.paused ? html`<span class="tag warn">paused</span>` : null}
      ${status.data.blocked ? html`<span class="tag bad">blocked</span>` : null}
      <span class="spring"></span>
      ${about && !about.read_only ? html`<${Actions} isOpen=${isOpen} isPaused=${status.data.paused} actions=${about.actions} open=${setDialog} />` : null}
    </div>
    ${why.data ? html`<p class="why">${why.data.sentence}</p>` : null}
    <${Facts} info=${info} now=${now} memo=${status.data.memo} />
    <nav class="tabs" aria-label="Sides of the run">${TABS.map((name) => html`<${Link} to=${show(name)} aria-current=${name === tab ? "page" : undefined}>${name}<//>`)}</nav>
    <section class="card">${(panels[tab] ?? panels.timeline)()}</section>
    ${dialog ? html`<${ActionDialog} kind=${dialog} info=${info} again=${() => { status.again(); why.again(); }} onClose=${() => setDialog(null)} />` : null}`;
}

function Facts({ info, now, memo }) {
  const facts = [
    ["type", info.workflow_type],
    ["queue", info.task_queue],
    ["started", html`<${When} time=${info.created_at} />`],
    ["ended", info.closed_at && html`<${When} time=${info.closed_at} />`],
    [info.closed_at ? "took" : "open for", duration(Math.max(0, took(info, now)))],
    ["worker", info.worker_id],
    ["events", info.history_length],
    ["run", html`<code>${info.run_id}</code>`],
    ...Object.entries(info.tags).map(([name, value]) => [name, html`<span class="tag">${value}</span>`]),
    ...Object.entries(memo ?? {}).map(([name, value]) => [name, typeof value === "string" ? value : JSON.stringify(value)]),
  ].filter(([, value]) => value);
  return html`<dl class="facts">${facts.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;
}

function Actions({ isOpen, isPaused, actions, open }) {
  const can = (name) => actions.includes(name);
  return html`
    ${isOpen && can("signal") ? html`<button onClick=${() => open("signal")}>Signal…</button>` : null}
    ${isOpen && can("pause") ? html`<button onClick=${() => open(isPaused ? "resume" : "pause")}>${isPaused ? "Resume" : "Pause"}…</button>` : null}
    ${!isOpen && can("fork") ? html`<button onClick=${() => open("retry")}>Retry…</button>` : null}
    ${can("fork") ? html`<button onClick=${() => open("fork")}>Fork…</button>` : null}
    ${isOpen && can("cancel") ? html`<button onClick=${() => open("cancel")}>Cancel…</button><button class="danger" onClick=${() => open("force")}>End now…</button>` : null}`;
}

function ActionDialog({ kind, info, again, onClose }) {
  const path = (part) => `/workflows/${encodeURIComponent(info.workflow_id)}/${part}`;
  const target = { run_id: info.run_id };
  const done = async (part, body) => {
    const answer = await post(path(part), { ...target, ...body });
    again();
    return answer;
  };
  if (kind === "signal") {
    return html`<${Dialog} title="Send a signal to ${info.workflow_id}" verb="Send" onClose=${onClose}
      effect="It is kept in the history until the code of the run asks for it."
      onYes=${(form) => done("signal", { name: form.get("name"), value: parsed(form.get("value")) })}>
      <label>Name <input name="name" required autocomplete="off" /></label>
      <label>Value, JSON <textarea name="value" rows="4">null</textarea></label>
    <//>`;
  }
  if (kind === "pause" || kind === "resume") {
    const isPause = kind === "pause";
    return html`<${Dialog} title="${isPause ? "Pause" : "Resume"} ${info.workflow_id}" verb=${isPause ? "Pause it" : "Resume it"} onClose=${onClose}
      effect=${isPause ? "The run begins nothing new until it is resumed. What is under way goes on to its end." : "The run goes on where it was."}
      onYes=${(form) => done(kind, isPause ? { reason: form.get("reason") } : {})}>
      ${isPause ? html`<label>Reason <input name="reason" autocomplete="off" maxlength="200" /></label>` : null}
    <//>`;
  }
  if (kind === "fork" || kind === "retry") {
    const isRetry = kind === "retry";
    return html`<${Dialog} title="${isRetry ? "Retry" : "Fork"} ${info.workflow_id}" verb=${isRetry ? "Retry it" : "Fork it"} onClose=${onClose}
      effect=${isRetry
        ? "A new run of this id begins where this one was before what made it fail; what it did before is not done again. This run stays as it is."
        : "A new run begins with the events of this one up to the one you name, and goes on from there. This run stays as it is."}
      onYes=${async (form) => {
        const answer = await done("fork", isRetry ? { retry: true } : { at_seq: Number(form.get("seq")) });
        go(runLink(answer.workflow_id, answer.run_id));
      }}>
      ${isRetry ? null : html`<label>The last event that both share <input name="seq" type="number" min="1" max=${info.history_length || undefined} required /></label>`}
    <//>`;
  }
  if (kind === "force") {
    return html`<${Dialog} title="End ${info.workflow_id} now" verb="End it now" onClose=${onClose}
      effect="The run is ended here and now. Its code does not get to clean up; its open activities and children are stopped."
      onYes=${(form) => done("cancel", { force: true, reason: form.get("reason") })}>
      <label>Reason <input name="reason" autocomplete="off" maxlength="200" /></label>
    <//>`;
  }
  return html`<${Dialog} title="Cancel ${info.workflow_id}" verb="Cancel it" onClose=${onClose}
    effect="The run is asked to stop. Its code is cancelled where it waits, and may clean up; its children are cancelled first."
    onYes=${(form) => done("cancel", { reason: form.get("reason") })}>
    <label>Reason <input name="reason" autocomplete="off" maxlength="200" /></label>
  <//>`;
}

function parsed(text) {
  try {
    return JSON.parse(text || "null");
  } catch {
    throw new Error("The value is not JSON. A text stands in quotes.");
  }
}

function TimelinePanel({ id, runId, now }) {
  const { data, error } = useAsked(() => get(runPath(id, "/timeline", runId)), `${id} ${runId} timeline`);
  return html`<${Fault} error=${error} />${data ? html`<${Waterfall} rows=${data.rows} now=${now} />` : null}`;
}

const SHOWN = new Set(["seq", "at", "event", "path", "parked"]);

function HistoryPanel({ id, runId, startedAt }) {
  const [events, setEvents] = useState([]);
  const [hasMore, setMore] = useState(true);
  const [error, setError] = useState(null);
  const [kind, setKind] = useState("");
  const { metrics } = useFeed();
  const load = async (from) => {
    try {
      const page = await get(`${runPath(id, "/history", runId)}&after_seq=${from}`);
      setEvents((old) => [...old.filter((event) => event.seq <= from), ...page.events]);
      setMore(page.next !== null);
      setError(null);
    } catch (fault) {
      setError(fault);
    }
  };
  const last = events.at(-1)?.seq ?? 0;
  useEffect(() => {
    // Who has not read to the end does not need what is behind it.
    if (!hasMore || !last) load(last);
  }, [metrics?.events]);
  const names = {};
  for (const event of events) if (event.path) names[event.path] ??= event.name ?? event.activity_type ?? event.workflow_id;
  const wanted = kind.toLowerCase();
  const shown = events.filter((event) => !wanted || `${event.event} ${names[event.path] ?? ""}`.toLowerCase().includes(wanted));
  return html`<${Fault} error=${error} />
    <div class="tools"><input type="search" value=${kind} onInput=${(event) => setKind(event.target.value)} placeholder="only events that contain…" aria-label="Only events that contain" />
      <a class="button" href="/api/v1${runPath(id, "/history", runId)}" download="${id}.json">JSON</a></div>
    <table class="wide events"><thead><tr><th class="num">#</th><th class="num">time</th><th>event</th><th>path</th><th>name</th><th>details</th></tr></thead>
      <tbody>${shown.map((event) => html`<${EventRow} key=${event.seq} event=${event} name=${names[event.path]} startedAt=${startedAt} />`)}</tbody></table>
    ${hasMore ? html`<p><button onClick=${() => load(last)}>Show more</button></p>` : null}`;
}

function EventRow({ event, name, startedAt }) {
  const [open, setOpen] = useState(false);
  const rest = Object.fromEntries(Object.entries(event).filter(([key, value]) => !SHOWN.has(key) && value !== null && value !== "" && value !== 0));
  const text = JSON.stringify(rest);
  const tone = /Failed|Rejected/.test(event.event) ? "bad" : /Retried|Cancel/.test(event.event) ? "warn" : /Completed|Resolved/.test(event.event) ? "good" : "";
  return html`<tr data-row="" tabindex="0" onClick=${() => setOpen(!open)}>
    <td class="num dim">${event.seq}</td><td class="num dim" title=${event.at}>+${duration(Math.max(0, at(event.at) - at(startedAt)))}</td>
    <td class=${tone}>${event.event}</td><td class="dim">${event.path ?? ""}</td><td>${name ?? event.name ?? event.key ?? ""}</td>
    <td class="long">${open ? html`<${Json} value=${rest} />` : text === "{}" ? "" : html`<code>${text.slice(0, 160)}${text.length > 160 ? "…" : ""}</code>`}</td></tr>`;
}

function InputPanel({ id, status }) {
  const runId = status.info.run_id;
  const { data } = useAsked(() => get(`${runPath(id, "/history", runId)}&after_seq=0`), `${id} ${runId} first`, { live: false });
  const created = data?.events[0];
  return html`<h2>Input</h2>${created ? html`<${Json} value=${created.input} />` : null}
    <h2>Result</h2>${"result" in status ? html`<${Json} value=${status.result} />` : html`<${Empty}>${CLOSED.has(status.info.state) ? "It has none." : "Not yet."}<//>`}`;
}

function ErrorPanel({ id, status }) {
  const { data } = useAsked(() => get(runPath(id, "/timeline", status.info.run_id)), `${id} ${status.info.run_id} errors`);
  const failed = (data?.rows ?? []).filter((row) => row.failure && row.kind !== "run");
  if (!status.failure && !failed.length) return html`<${Empty}>Nothing has failed.<//>`;
  return html`${status.failure ? html`<h2>${status.blocked ? "Why it is blocked" : "Why it failed"}</h2><${Failure} failure=${status.failure} />` : null}
    ${failed.map((row) => html`<h2>${row.kind} ${row.name} <span class="dim">${row.state.replace("_", " ")}${row.attempt_count > 1 ? `, ${row.attempt_count} attempts` : ""}</span></h2><${Failure} failure=${row.failure} />`)}`;
}

function ChildPanel({ id, info, now }) {
  const { data } = useAsked(() => get(runPath(id, "/timeline", info.run_id)), `${id} ${info.run_id} children`);
  const children = (data?.rows ?? []).filter((row) => row.kind === "child");
  if (!children.length) return html`<${Empty}>It has started no children.<//>`;
  return html`<table class="wide"><thead><tr><th>workflow</th><th>path</th><th>state</th><th>started</th><th class="num">took</th></tr></thead>
    <tbody>${children.map((row) => html`<tr data-row=${runLink(row.child_workflow_id, row.child_run_id)} tabindex="0"><td class="id"><${Link} to=${runLink(row.child_workflow_id, row.child_run_id)} tabindex="-1">${row.child_workflow_id}<//></td>
      <td class="dim">${row.path}</td><td>${row.state.replace("_", " ")}</td><td>${clock(row.created_at)}</td><td class="num">${duration((at(row.ended_at) ?? now) - at(row.created_at))}</td></tr>`)}</tbody></table>`;
}
