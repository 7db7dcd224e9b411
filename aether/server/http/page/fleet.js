// Workers and task queues.

import { html, useState } from "./preact-htm.js";
import { get, useAsked } from "./api.js";
import { count, duration, at, micros } from "./format.js";
import { QueueDialog } from "./actions.js";
import { Ago, Empty, Fault, Link } from "./parts.js";
import { Slots, queueRows } from "./overview.js";

const SILENT = 10000;

const Names = ({ names }) => {
  const shown = names.slice(0, 8);
  return html`${shown.map((name) => html`<span class="tag">${name}</span>`)}${names.length > shown.length ? html`<span class="dim">and ${names.length - shown.length} more</span>` : null}`;
};

export const NoWorker = () => html`<section class="card welcome"><h2>No worker is connected</h2>
  <p>Runs wait until one is. A worker is your own process, with your code:</p><pre>aether worker MODULE:CLIENT</pre>
  <p class="dim">or <code>async with client.serve(…)</code> in a program. <code>aether init demo</code> writes one to begin with.</p></section>`;

export function Workers({ feed, now }) {
  const { metrics } = feed;
  if (!metrics) return html`<${Empty}>Waiting for the server…<//>`;
  const { workers } = metrics;
  const sum = (name) => workers.reduce((total, worker) => total + worker[name], 0);
  return html`<div class="bar"><h1>Workers</h1>${workers.length ? html`<span class="dim">${count(workers.length)} connected</span><span class="spring"></span><span class="dim">workflows</span><${Slots} used=${sum("workflow_slots_used")} slots=${sum("workflow_slots")} /><span class="dim">activities</span><${Slots} used=${sum("activity_slots_used")} slots=${sum("activity_slots")} />` : null}</div>
    ${workers.length
      ? html`<section class="card list"><table class="wide"><thead><tr><th>worker</th><th>queue</th><th>workflow slots</th><th>activity slots</th><th>workflows</th><th>activities</th><th>labels</th><th>heartbeat</th></tr></thead>
          <tbody>${workers.map((worker) => html`<tr data-row="" tabindex="0"><th scope="row">${worker.worker_id}${worker.draining ? html` <span class="tag warn">draining</span>` : null}</th>
            <td>${worker.task_queue}</td><td><${Slots} used=${worker.workflow_slots_used} slots=${worker.workflow_slots} /></td><td><${Slots} used=${worker.activity_slots_used} slots=${worker.activity_slots} /></td>
            <td><${Names} names=${worker.workflow_types} /></td><td><${Names} names=${worker.activity_types} /></td><td>${Object.entries(worker.labels).map(([name, value]) => html`<span class="tag">${name}=${value}</span>`)}</td>
            <td class=${now - at(worker.last_seen_at) > SILENT ? "bad" : "dim"}><${Ago} time=${worker.last_seen_at} now=${now} /></td></tr>`)}</tbody></table></section>`
      : html`<${NoWorker} />`}`;
}

export function Queues({ feed, now, about }) {
  const { metrics } = feed;
  const [dialog, setDialog] = useState(null);
  // A pause is no event, so others hear of it by looking.
  const { data, error, again } = useAsked(() => get("/queues"), `queues ${Math.floor(now / 5000)}`);
  const [kept, keep] = useState(null);
  if (data && data !== kept) keep(data);
  const queues = (data ?? kept)?.queues;
  if (!metrics || !queues) return error ? html`<h1>Task queues</h1><${Fault} error=${error} />` : html`<${Empty}>Waiting for the server…<//>`;
  const traffic = queueRows(metrics, now);
  const canAct = about && !about.read_only;
  return html`<div class="bar"><h1>Task queues</h1></div><${Fault} error=${error} />
    ${queues.length ? html`<div class="queues">${queues.map((queue) => html`<${Queue} key=${queue.task_queue} queue=${queue} rows=${traffic.filter((row) => row.task_queue === queue.task_queue)} open=${canAct ? setDialog : null} />`)}</div>` : html`<section class="card welcome"><h2>No task queue is in use</h2><p>A task queue is there as soon as a worker takes from it or a run is started on it.</p></section>`}
    <h2>What waits</h2>
    ${metrics.queues.length
      ? html`<section class="card"><table><thead><tr><th>queue</th><th>kind</th><th>type</th><th class="num">ready</th><th class="num">oldest</th><th>worker that has it</th></tr></thead>
          <tbody>${metrics.queues.map((line) => {
            const takers = metrics.workers.filter((worker) => worker.task_queue === line.task_queue && worker[`${line.kind}_types`].includes(line.type));
            return html`<tr data-row="" tabindex="0"><th scope="row">${line.task_queue}</th><td>${line.kind}</td><td>${line.type}</td><td class="num">${count(line.ready)}</td>
              <td class="num">${duration(Math.max(0, now - at(line.oldest_at)))}</td><td>${takers.length ? count(takers.length) : html`<span class="bad">none</span>`}</td></tr>`;
          })}</tbody></table></section>`
      : html`<${Empty}>No task waits for a worker.<//>`}
    ${dialog ? html`<${QueueDialog} ...${dialog} again=${again} onClose=${() => setDialog(null)} />` : null}`;
}

function Queue({ queue, rows, open }) {
  const waits = queue.runs_waiting + queue.activities_waiting;
  const oldest = Math.max(...rows.map((row) => row.age ?? 0), 0);
  return html`<section class="card queue">
    <div class="bar"><h2>${queue.task_queue}</h2>
      ${queue.paused ? html`<span class="tag warn" title=${queue.reason}>paused${queue.reason ? `: ${queue.reason}` : ""}</span>` : null}
      ${waits && !queue.workers ? html`<span class="tag bad">no worker</span>` : null}
      <span class="spring"></span>
      ${open ? html`<span class="actions"><button onClick=${() => open({ kind: queue.paused ? "resume" : "pause", queue })}>${queue.paused ? "Resume" : "Pause"}…</button><button onClick=${() => open({ kind: "limit", queue })}>Limit…</button></span>` : null}</div>
    <dl class="facts">
      <div><dt>runs waiting</dt><dd class=${queue.runs_waiting ? "warn" : ""}>${count(queue.runs_waiting)}</dd></div>
      <div><dt>activities waiting</dt><dd class=${queue.activities_waiting ? "warn" : ""}>${count(queue.activities_waiting)}</dd></div>
      <div><dt>oldest</dt><dd class=${oldest > 60000 ? "bad" : ""}>${oldest ? duration(oldest) : "–"}</dd></div>
      <div><dt>runs in hand</dt><dd>${count(queue.runs_active)}</dd></div>
      <div><dt>activities in hand</dt><dd>${count(queue.activities_active)}${queue.activity_limit ? html` <span class="dim">of ${count(queue.activity_limit)}</span>` : null}</dd></div>
      <div><dt>workers</dt><dd><${Link} to="/workers">${count(queue.workers)}<//></dd></div>
      ${rows.map((row) => html`<div><dt>${row.kind === "workflow" ? "runs" : "activities"} came, taken</dt><dd class="dim">${count(row.added)}, ${count(row.taken)}</dd></div><div><dt>${row.kind === "workflow" ? "runs" : "activities"} waited p99</dt><dd class="dim">${row.wait_p99_us ? micros(row.wait_p99_us) : "–"}</dd></div>`)}
    </dl></section>`;
}
