// The children of a run, and theirs, as a tree that is read as far as it is opened.

import { html, useState } from "./preact-htm.js";
import { get, runPath, useAsked } from "./api.js";
import { at, duration } from "./format.js";
import { Empty, Fault, Link, runLink } from "./parts.js";

const DEPTH_MAX = 12;

export const childrenOf = (rows) => rows.filter((row) => row.kind === "child");

export function Children({ rows, now, depth = 0 }) {
  const children = childrenOf(rows);
  if (!children.length) return html`<${Empty}>${depth ? "It has started no children." : "This run has started no children. ctx.child and ctx.spawn do."}<//>`;
  return html`<ul class="tree" role=${depth ? "group" : "tree"}>${children.map((row) => html`<${Child} key=${row.child_run_id} row=${row} now=${now} depth=${depth} />`)}</ul>`;
}

function Child({ row, now, depth }) {
  // What failed is open at once: at its leaf is the reason.
  const [isOpen, setOpen] = useState(row.state === "failed" && depth < 4);
  return html`<li role="treeitem" aria-expanded=${isOpen}>
    <div class="branch">
      <button class="quiet" aria-label=${isOpen ? "Close" : "Open"} disabled=${depth >= DEPTH_MAX} onClick=${() => setOpen(!isOpen)}>${isOpen ? "▾" : "▸"}</button>
      <span class="state ${{ waiting: "pending", queued: "pending", abandoned: "cancelled" }[row.state] ?? row.state}">${row.state.replace("_", " ")}</span>
      <${Link} class="id" to=${runLink(row.child_workflow_id, row.child_run_id)}>${row.child_workflow_id}<//>
      <span class="dim">${row.name}</span><span class="spring"></span>
      <span class="num dim">${duration((at(row.ended_at) ?? now) - at(row.created_at))}</span>
    </div>
    ${row.failure ? html`<p class="reason"><b>${row.failure.type}</b>${row.failure.message ? `: ${row.failure.message}` : ""}</p>` : null}
    ${isOpen ? html`<${Deeper} row=${row} now=${now} depth=${depth + 1} />` : null}
  </li>`;
}

function Deeper({ row, now, depth }) {
  const { data, error } = useAsked(() => get(runPath(row.child_workflow_id, "/timeline", row.child_run_id)), `${row.child_run_id} children ${row.state}`, { live: false });
  if (error) return html`<${Fault} error=${error} />`;
  if (!data) return html`<${Empty}>…<//>`;
  const leaf = row.state === "failed" && !childrenOf(data.rows).some((child) => child.state === "failed");
  return html`${leaf ? html`<p class="reason"><span class="tag bad">root cause</span> the failure began in this run</p>` : null}<${Children} rows=${data.rows} now=${now} depth=${depth} />`;
}
