// The list of runs: a filter, what it finds, page by page, and what can be done with those that are marked.

import { html, useEffect, useRef, useState } from "./preact-htm.js";
import { get, post, useAsked, useFeed } from "./api.js";
import { at, count, duration, took } from "./format.js";
import { BATCHED, BatchDialog, StartDialog, nameOf } from "./actions.js";
import { Ago, Empty, Fault, Link, State, When, go, runLink } from "./parts.js";
import { FilterBox, HELP } from "./filter.js";

const SIZES = [50, 200, 900];
const TRAIL_MAX = 40;
// By these columns the server itself sorts all runs: it knows the order in which they were started.
const OLDEST_FIRST = ["-age", "started"];
const NEWEST_FIRST = ["age", "-started"];
const PRESETS = [
  ["all", "", () => null],
  ["open", "state:open", (states) => (states.PENDING || 0) + (states.RUNNING || 0)],
  ["pending", "state:pending", (states) => states.PENDING],
  ["running", "state:running", (states) => states.RUNNING],
  ["open for an hour", "state:open age:>1h", () => null],
  ["completed", "state:completed", (states) => states.COMPLETED],
  ["failed", "state:failed", (states) => states.FAILED],
  ["failed today", "state:failed closed:>24h", () => null],
  ["cancelled", "state:cancelled", (states) => states.CANCELLED],
];
// name → {title, order: what it is sorted by, cell}
const COLUMNS = {
  workflow: { title: "workflow", order: (run) => run.workflow_id, cell: (run) => html`<td class="id"><${Link} to=${runLink(run.workflow_id, run.run_id)} tabindex="-1">${run.workflow_id}<//></td>` },
  run: { title: "run", order: (run) => run.run_id, cell: (run) => html`<td class="dim"><code>${run.run_id.slice(0, 12)}</code></td>` },
  type: { title: "type", order: (run) => run.workflow_type, cell: (run) => html`<td>${run.workflow_type}</td>` },
  state: { title: "state", order: (run) => run.state, cell: (run) => html`<td><${State} state=${run.state} /></td>` },
  doing: { title: "doing", order: (run) => `${run.doing?.what ?? "~"} ${run.doing?.name ?? ""}`, cell: (run, now) => html`<td class="doing"><${Doing} doing=${run.doing} now=${now} /></td>` },
  age: { title: "started", order: (run) => -at(run.created_at), cell: (run, now) => html`<td class="dim"><${Ago} time=${run.created_at} now=${now} /></td>` },
  started: { title: "started at", order: (run) => at(run.created_at), cell: (run) => html`<td class="dim"><${When} time=${run.created_at} /></td>` },
  ended: { title: "ended at", order: (run) => at(run.closed_at) ?? 0, cell: (run) => html`<td class="dim"><${When} time=${run.closed_at} /></td>` },
  took: { title: "took", number: true, order: (run, now) => took(run, now), cell: (run, now) => html`<td class="num">${duration(Math.max(0, took(run, now)))}</td>` },
  worker: { title: "worker", order: (run) => run.worker_id ?? "", cell: (run) => html`<td class="dim">${run.worker_id}</td>` },
  events: { title: "events", number: true, order: (run) => run.history_length ?? 0, cell: (run) => html`<td class="num dim">${run.history_length}</td>` },
  parent: { title: "parent", order: (run) => run.parent_workflow_id ?? "", cell: (run) => html`<td class="id">${run.parent_workflow_id ? html`<${Link} to=${runLink(run.parent_workflow_id)} tabindex="-1">${run.parent_workflow_id}<//>` : null}</td>` },
  queue: { title: "queue", order: (run) => run.task_queue, cell: (run) => html`<td class="dim">${run.task_queue}</td>` },
  tags: { title: "tags", order: (run) => JSON.stringify(run.tags), cell: (run) => html`<td>${Object.entries(run.tags).map(([name, value]) => html`<span class="tag" title="${name}=${value}">${name}=${value}</span>`)}</td>` },
};
const USUAL = ["workflow", "type", "state", "doing", "age", "took", "queue", "tags"];

const DOING_TONES = { retrying: "warn", queued: "warn", paused: "warn", blocked: "bad", running: "run" };

// What an open run does, and the one thing of those that it waits for that needs a look most.
function Doing({ doing, now }) {
  if (!doing) return null;
  const { what, kind, name, attempt, due_at: due, more } = doing;
  const rest = [kind && kind !== what ? kind : "", name].filter(Boolean).join(" ");
  return html`<span class=${DOING_TONES[what] ?? ""}>${what}</span>${rest ? html` <span class="dim" title=${rest}>${rest}</span>` : null}${attempt > 1 ? html` <span class="tag">×${attempt}</span>` : null}
    ${due && at(due) > now ? html` <span class="dim">in ${duration(Math.ceil((at(due) - now) / 1000) * 1000)}</span>` : null}${more ? html` <span class="dim">and ${more} more</span>` : null}`;
}

// What the address says, and addresses that say something else.
export function placeOf(query) {
  const columns = (query.get("columns") ?? localStorage.getItem("aether-columns") ?? "").split(",").filter((name) => COLUMNS[name]);
  const size = Number(query.get("size"));
  return {
    filter: query.get("filter") ?? "",
    before: query.get("before") ?? "",
    trail: (query.get("trail") ?? "").split(",").filter(Boolean),
    sort: query.get("sort") ?? "",
    size: SIZES.includes(size) ? size : SIZES[0],
    columns: columns.length ? columns : USUAL,
  };
}

function address(here, change) {
  const next = { ...here, ...change };
  const query = new URLSearchParams();
  if (next.filter) query.set("filter", next.filter);
  if (next.before) query.set("before", next.before);
  if (next.trail.length) query.set("trail", next.trail.slice(-TRAIL_MAX).join(","));
  if (next.sort) query.set("sort", next.sort);
  if (next.size !== SIZES[0]) query.set("size", next.size);
  if (next.columns.join() !== USUAL.join()) query.set("columns", next.columns.join());
  const text = query.toString();
  return `/workflows${text ? `?${text}` : ""}`;
}

export function Runs({ query, now: clock, about }) {
  const here = placeOf(query);
  // A browser lays out a whole table anew when one age in it grows.
  const now = here.size > SIZES[0] ? Math.floor(clock / 10000) * 10000 : clock;
  const { filter, before, size } = here;
  const { metrics } = useFeed();
  const [marked, setMarked] = useState(new Set());
  const [isAll, setAll] = useState(false);
  const [dialog, setDialog] = useState(null);
  const [isStarting, setStarting] = useState(false);
  const isUp = OLDEST_FIRST.includes(here.sort);
  const path = `/workflows?doing=true&limit=${size}&filter=${encodeURIComponent(filter)}${isUp ? "&oldest_first=true" : ""}${before ? `&${isUp ? "after" : "before"}_run_key=${before}` : ""}`;
  // While something is marked nothing moves.
  const { data, error, again } = useAsked(() => get(path), path, { live: !before, frozen: marked.size > 0 || isAll });
  useEffect(() => {
    setMarked(new Set());
    setAll(false);
  }, [filter]);
  const shown = error?.code === "INVALID_ARGUMENT" ? null : data;
  const states = {};
  for (const row of metrics?.runs ?? []) states[row.state] = (states[row.state] || 0) + row.count;
  const canAct = about?.batch_actions?.length > 0;
  const search = (words, replace = false) => {
    go(address(here, { filter: words, before: "", trail: [] }), { replace });
    if (words === filter) again();
  };
  return html`
    <div class="bar"><h1>Workflows</h1><${FilterBox} filter=${filter} metrics=${metrics} search=${search} /></div>
    <div class="bar under">
      <div class="chips" role="group" aria-label="Presets">${PRESETS.map(([name, wanted, number]) => html`<${Link} to=${address(here, { filter: wanted, before: "", trail: [] })} class="chip" aria-current=${wanted === filter ? "true" : undefined}>${name}${number(states) ? html` <b>${count(number(states))}</b>` : null}<//>`)}</div>
      <span class="spring"></span>
      <span class="actions">${about?.actions?.length ? html`<button onClick=${() => setStarting(true)}>Start…</button>` : null}<${Choice} here=${here} /></span>
    </div>
    <${Fault} error=${error} />
    ${error?.code === "INVALID_ARGUMENT" ? html`<${HELP} />` : null}
    ${canAct && (marked.size || isAll) ? html`<${BulkBar} marked=${marked} isAll=${isAll} filter=${filter} setAll=${setAll} open=${setDialog} actions=${about.batch_actions} clear=${() => { setMarked(new Set()); setAll(false); }} />` : null}
    ${shown ? html`<${Table} runs=${shown.workflows} now=${now} here=${here} marked=${isAll ? null : marked} setMarked=${(next) => { setAll(false); setMarked(next); }} canAct=${canAct} />` : error ? null : html`<${Empty}>…<//>`}
    ${shown && (before || shown.next)
      ? html`<nav class="pager" aria-label="Pages">
          ${before ? html`<${Link} to=${address(here, { before: "", trail: [] })} class="button">${isUp ? "Oldest" : "Newest"}<//><${Link} to=${address(here, { before: here.trail.at(-1) === "0" ? "" : here.trail.at(-1) ?? "", trail: here.trail.slice(0, -1) })} class="button">← ${isUp ? "Older" : "Newer"}<//>` : null}
          ${shown.next ? html`<${Link} to=${address(here, { before: shown.next, trail: [...here.trail, before || "0"] })} class="button">${isUp ? "Newer" : "Older"} →<//>` : null}
        </nav>`
      : null}
    ${isStarting ? html`<${StartDialog} types=${metrics?.runs} onClose=${() => setStarting(false)} />` : null}
    ${dialog ? html`<${BatchDialog} ...${dialog} onClose=${() => { setDialog(null); setMarked(new Set()); setAll(false); again(); }} />` : null}`;
}

function Choice({ here }) {
  const choose = (name) => {
    const columns = Object.keys(COLUMNS).filter((each) => (each === name ? !here.columns.includes(name) : here.columns.includes(each)));
    if (!columns.length) return;
    localStorage.setItem("aether-columns", columns.join());
    go(address(here, { columns }), { replace: true });
  };
  return html`<details class="choice"><summary class="button">Columns</summary><div class="menu">
      ${Object.entries(COLUMNS).map(([name, { title }]) => html`<label><input type="checkbox" checked=${here.columns.includes(name)} onChange=${() => choose(name)} /> ${title}</label>`)}
      <hr /><label>Rows <select aria-label="Rows of a page" value=${here.size} onChange=${(event) => go(address(here, { size: Number(event.target.value), before: "", trail: [] }))}>${SIZES.map((each) => html`<option value=${each}>${each}</option>`)}</select></label>
    </div></details>`;
}

function BulkBar({ marked, isAll, filter, setAll, open, actions, clear }) {
  const target = isAll ? { filter } : { runs: [...marked] };
  const about = isAll ? (filter ? `All runs that ${filter} means, on all pages; those that start from now on are not meant.` : "All runs there are; those that start from now on are not meant.") : "The runs that are marked.";
  const can = (kind) => actions.includes(kind === "force" ? "cancel" : kind);
  // A fork may be asked for in any state, so its dry run counts all.
  const { data } = useAsked(() => post("/batch", { action: "fork", filter, dry_run: true }), `count ${filter}`, { live: false });
  const many = data ? `${data.is_more ? "more than " : ""}${count(data.count)}` : "";
  return html`<div class="bulk" role="region" aria-label="Marked runs">
    <b>${isAll ? `All ${many} that match` : `${count(marked.size)} marked`}</b>
    ${isAll ? null : html`<button class="link" onClick=${() => setAll(true)}>mark all ${many} that match the filter</button>`}
    <span class="spring"></span>
    ${BATCHED.filter(can).map((kind) => html`<button class=${kind === "force" ? "danger" : ""} onClick=${() => open({ kind, target, about })}>${nameOf(kind)}…</button>`)}
    <button class="quiet" aria-label="Mark nothing" title="Mark nothing (Esc)" data-escape onClick=${clear}>✕</button>
  </div>`;
}

function Table({ runs, now, here, marked, setMarked, canAct }) {
  const last = useRef(null);
  if (!runs.length) {
    return here.filter || here.before ? html`<${Empty}>No run fits that filter. <${Link} to="/workflows">Show all<//><//>` : html`<${Newcomer} />`;
  }
  const [by, isDown] = here.sort.startsWith("-") ? [here.sort.slice(1), true] : [here.sort, false];
  const rows = [...runs];
  const order = COLUMNS[by]?.order;
  if (order) rows.sort((a, b) => (order(a, now) < order(b, now) ? -1 : order(a, now) > order(b, now) ? 1 : 0) * (isDown ? -1 : 1));
  const mark = (run, event) => {
    const next = new Set(marked ?? runs.map((each) => each.run_id));
    const wanted = !next.has(run.run_id);
    const [from, to] = [rows.findIndex((each) => each.run_id === last.current), rows.indexOf(run)];
    // With shift, all up to the one that was marked before.
    const meant = event.shiftKey && from >= 0 ? rows.slice(Math.min(from, to), Math.max(from, to) + 1) : [run];
    for (const each of meant) {
      if (wanted) next.add(each.run_id);
      else next.delete(each.run_id);
    }
    last.current = run.run_id;
    setMarked(next);
  };
  const isMarked = (run) => marked === null || marked.has(run.run_id);
  const all = rows.every(isMarked);
  const sorted = (name) => (by !== name ? name : isDown ? "" : `-${name}`);
  // Pages of the other order begin at its other end.
  const turned = (sort) => (OLDEST_FIRST.includes(sort) === OLDEST_FIRST.includes(here.sort) ? { sort } : { sort, before: "", trail: [] });
  const hint = (name) => ([...OLDEST_FIRST, ...NEWEST_FIRST].includes(name) ? "Sort all runs by their start" : "Sort the rows of this page; without, the newest come first");
  return html`<section class="card list"><table class="wide runs">
    <thead><tr>${canAct ? html`<th class="mark"><input type="checkbox" aria-label="Mark all of this page" checked=${all} onChange=${() => setMarked(new Set(all ? [] : rows.slice(0, 500).map((run) => run.run_id)))} /></th>` : null}
      ${here.columns.map((name) => html`<th class=${COLUMNS[name].number ? "num" : ""} aria-sort=${by === name ? (isDown ? "descending" : "ascending") : undefined}><button class="sort" title=${hint(name)} onClick=${() => go(address(here, turned(sorted(name))), { replace: true })}>${COLUMNS[name].title}${by === name ? (isDown ? " ↓" : " ↑") : ""}</button></th>`)}</tr></thead>
    <tbody>${rows.map((run) => html`<tr key=${run.run_id} data-row=${runLink(run.workflow_id, run.run_id)} tabindex="0" class=${canAct && isMarked(run) ? "marked" : ""}>
      ${canAct ? html`<td class="mark"><input type="checkbox" tabindex="-1" aria-label="Mark ${run.workflow_id}" checked=${isMarked(run)} onClick=${(event) => mark(run, event)} /></td>` : null}
      ${here.columns.map((name) => COLUMNS[name].cell(run, now))}
    </tr>`)}</tbody></table></section>`;
}

const Newcomer = () => html`<section class="card welcome">
  <h2>No run has been started yet</h2>
  <p>A workflow is an ordinary async function whose steps are recorded. This writes a project with one and runs a worker for it:</p>
  <pre>aether init demo
cd demo
aether worker workflows:client</pre>
  <p>And this, in another terminal, starts a run, which appears here:</p>
  <pre>aether start greet World</pre>
  <p class="dim">If the server is not on this machine's port 7233, say where it is: <code>AETHER_SERVER=http://…</code></p>
</section>`;
