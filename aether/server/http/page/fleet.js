// Workers and task queues.

import { html } from "./preact-htm.js";
import { count, duration, at } from "./format.js";
import { Ago, Empty } from "./parts.js";
import { QueueTable, Slots } from "./overview.js";

const Names = ({ names }) => {
  const shown = names.slice(0, 8);
  return html`${shown.map((name) => html`<span class="tag">${name}</span>`)}${names.length > shown.length ? html`<span class="dim">and ${names.length - shown.length} more</span>` : null}`;
};

export function Workers({ feed, now }) {
  const { metrics } = feed;
  if (!metrics) return html`<${Empty}>Waiting for the server…<//>`;
  return html`<h1>Workers</h1>
    ${metrics.workers.length
      ? html`<section class="card"><table class="wide"><thead><tr><th>worker</th><th>queue</th><th>workflow slots</th><th>activity slots</th><th>workflows</th><th>activities</th><th>heartbeat</th></tr></thead>
          <tbody>${metrics.workers.map((worker) => html`<tr data-row="" tabindex="0"><th scope="row">${worker.worker_id}${worker.draining ? html` <span class="tag warn">draining</span>` : null}</th>
            <td>${worker.task_queue}</td><td><${Slots} used=${worker.workflow_slots_used} slots=${worker.workflow_slots} /></td><td><${Slots} used=${worker.activity_slots_used} slots=${worker.activity_slots} /></td>
            <td><${Names} names=${worker.workflow_types} /></td><td><${Names} names=${worker.activity_types} /></td><td class="dim"><${Ago} time=${worker.last_seen_at} now=${now} /></td></tr>`)}</tbody></table></section>`
      : html`<${Empty}>No worker is connected. Start one with <code>aether worker MODULE:CLIENT</code>.<//>`}`;
}

export function Queues({ feed, now }) {
  const { metrics } = feed;
  if (!metrics) return html`<${Empty}>Waiting for the server…<//>`;
  return html`<h1>Task queues</h1>
    <section class="card"><${QueueTable} metrics=${metrics} now=${now} /></section>
    <h2>What waits</h2>
    ${metrics.queues.length
      ? html`<section class="card"><table><thead><tr><th>queue</th><th>kind</th><th>type</th><th class="num">ready</th><th class="num">oldest</th><th>worker that has it</th></tr></thead>
          <tbody>${metrics.queues.map((line) => {
            const takers = metrics.workers.filter((worker) => worker.task_queue === line.task_queue && worker[`${line.kind}_types`].includes(line.type));
            return html`<tr data-row="" tabindex="0"><th scope="row">${line.task_queue}</th><td>${line.kind}</td><td>${line.type}</td><td class="num">${count(line.ready)}</td>
              <td class="num">${duration(Math.max(0, now - at(line.oldest_at)))}</td><td>${takers.length ? count(takers.length) : html`<span class="bad">none</span>`}</td></tr>`;
          })}</tbody></table></section>`
      : html`<${Empty}>No task waits for a worker.<//>`}`;
}
