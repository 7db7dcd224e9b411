// The list of runs: a filter, what it finds, page by page.

import { html, useEffect, useRef, useState } from "./preact-htm.js";
import { get, useAsked } from "./api.js";
import { duration, took } from "./format.js";
import { Ago, Empty, Fault, Link, State, go, runLink } from "./parts.js";

const PAGE = 50;
const PRESETS = [
  ["all", ""],
  ["open", "state:open"],
  ["running", "state:running"],
  ["completed", "state:completed"],
  ["failed", "state:failed"],
  ["cancelled", "state:cancelled"],
];

const address = (filter, before) => {
  const query = new URLSearchParams();
  if (filter) query.set("filter", filter);
  if (before) query.set("before", before);
  return `/workflows${query.size ? `?${query}` : ""}`;
};

export function Runs({ query, now }) {
  const filter = query.get("filter") ?? "";
  const before = query.get("before") ?? "";
  const [text, setText] = useState(filter);
  const timer = useRef();
  useEffect(() => setText(filter), [filter]);
  const type = (event) => {
    const wanted = event.target.value;
    setText(wanted);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => go(address(wanted.trim()), { replace: true }), 250);
  };
  const path = `/workflows?limit=${PAGE}&filter=${encodeURIComponent(filter)}${before ? `&before_run_key=${before}` : ""}`;
  const { data, error, again } = useAsked(() => get(path), path, { live: !before });
  const shown = error?.code === "INVALID_ARGUMENT" ? null : data;
  return html`
    <div class="bar">
      <h1>Workflows</h1>
      <form role="search" onSubmit=${(event) => { event.preventDefault(); go(address(text.trim())); again(); }}>
        <input id="filter" type="search" value=${text} onInput=${type} spellcheck=${false} autocomplete="off" aria-label="Filter"
          placeholder="state:failed type:order* tag.customer:c77 started:>1h order-1" />
      </form>
    </div>
    <div class="chips" role="group" aria-label="Presets">${PRESETS.map(([name, wanted]) => html`<${Link} to=${address(wanted)} class="chip" aria-current=${wanted === filter ? "true" : undefined}>${name}<//>`)}</div>
    <${Fault} error=${error} />
    ${shown ? html`<${Table} runs=${shown.workflows} now=${now} filter=${filter} />` : null}
    ${shown && (before || shown.next)
      ? html`<nav class="pager" aria-label="Pages">
          ${before ? html`<${Link} to=${address(filter)} class="button">Newest<//>` : null}
          ${shown.next ? html`<${Link} to=${address(filter, shown.next)} class="button">Older →<//>` : null}
        </nav>`
      : null}`;
}

function Table({ runs, now, filter }) {
  if (!runs.length) {
    return filter ? html`<${Empty}>No run fits that filter.<//>` : html`<${Empty}>No run has been started yet. <code>aether init demo</code> writes a project that starts one.<//>`;
  }
  return html`<section class="card"><table class="wide runs">
    <thead><tr><th>workflow</th><th>type</th><th>state</th><th>started</th><th class="num">took</th><th>queue</th><th>tags</th></tr></thead>
    <tbody>${runs.map((run) => html`<tr key=${run.run_id} data-row=${runLink(run.workflow_id, run.run_id)} tabindex="0">
      <td class="id"><${Link} to=${runLink(run.workflow_id, run.run_id)} tabindex="-1">${run.workflow_id}<//></td>
      <td>${run.workflow_type}</td>
      <td><${State} state=${run.state} /></td>
      <td class="dim"><${Ago} time=${run.created_at} now=${now} /></td>
      <td class="num">${duration(Math.max(0, took(run, now)))}</td>
      <td class="dim">${run.task_queue}</td>
      <td>${Object.entries(run.tags).map(([name, value]) => html`<span class="tag">${name}=${value}</span>`)}</td>
    </tr>`)}</tbody></table></section>`;
}
