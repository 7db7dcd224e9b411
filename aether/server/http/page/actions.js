// What can be done: to one run, to many, to a task queue. Each asks first, and says to whom and with what effect.

import { html, useLayoutEffect, useRef, useState } from "./preact-htm.js";
import { post } from "./api.js";
import { count, exactly } from "./format.js";
import { Dialog, Fault, go, runLink } from "./parts.js";

const Reason = () => html`<label>Reason <input name="reason" autocomplete="off" maxlength="200" /></label>`;
const Signal = () => html`<label>Name <input name="name" required autocomplete="off" /></label><label>Value, JSON <textarea name="value" rows="4">null</textarea></label>`;

function parsed(text) {
  try {
    return exactly(text || "null");
  } catch {
    throw new Error("The value is not JSON. A text stands in quotes.");
  }
}

// name → {title, verb, effect, form, fields(form), path, action}
const ACTIONS = {
  signal: {
    title: "Send a signal to", verb: "Send", effect: "It is kept in the history until the code of the run asks for it.",
    form: Signal, fields: (form) => ({ name: form.get("name"), value: parsed(form.get("value")) }), tone: "primary",
  },
  pause: {
    title: "Pause", verb: "Pause", effect: "A paused run begins nothing new until it is resumed. What is under way goes on to its end.",
    form: Reason, fields: (form) => ({ reason: form.get("reason") }), tone: "primary",
  },
  resume: { title: "Resume", verb: "Resume", effect: "It goes on where it was.", fields: () => ({}), tone: "primary" },
  cancel: {
    title: "Cancel", verb: "Cancel", effect: "It is asked to stop. Its code is cancelled where it waits, and may clean up; its children are cancelled first.",
    form: Reason, fields: (form) => ({ reason: form.get("reason") }),
  },
  force: {
    title: "End now:", verb: "End now", action: "cancel", effect: "It is ended here and now. Its code does not get to clean up; its open activities and children are stopped.",
    form: Reason, fields: (form) => ({ force: true, reason: form.get("reason") }),
  },
  retry: {
    title: "Retry", verb: "Retry", action: "fork", effect: "A new run of the same id begins where this one was before what made it fail; what it did before is not done again. The old run stays as it is.",
    fields: () => ({ retry: true }), batch: () => ({}), tone: "primary",
  },
  fork: {
    title: "Fork", verb: "Fork", effect: "A new run begins with the events of the old one up to the one you name, and goes on from there. The old run stays as it is.",
    form: ({ most, at }) => html`<label>The last event that both share <input name="seq" type="number" min="1" max=${most || undefined} defaultValue=${at || undefined} required /></label>`,
    fields: (form) => ({ at_seq: Number(form.get("seq")) }), tone: "primary",
  },
};

export const BATCHED = ["cancel", "force", "pause", "resume", "signal", "retry", "fork"];
export const nameOf = (kind) => (kind === "signal" ? "Signal" : ACTIONS[kind].verb);

export function RunDialog({ kind, info, at, again, onClose }) {
  const { title, verb, effect, form, fields, action, tone } = ACTIONS[kind];
  const yes = async (values) => {
    const answer = await post(`/workflows/${encodeURIComponent(info.workflow_id)}/${action ?? kind}`, { run_id: info.run_id, ...fields(values) });
    again();
    if (action === "fork" || kind === "fork") go(runLink(answer.workflow_id, answer.run_id));
  };
  return html`<${Dialog} title="${title} ${info.workflow_id}" verb=${kind === "signal" ? verb : `${verb.replace(" now", "")} it${verb.includes(" now") ? " now" : ""}`} effect=${effect} tone=${tone} onClose=${onClose} onYes=${yes}>
    ${form ? html`<${form} most=${info.history_length} at=${at} />` : null}<//>`;
}

const runs = (n) => `${count(n)} run${n === 1 ? "" : "s"}`;

// The same for many: a dry run says how many, then they are done a hundred at a time, and who wants may stop in between.
export function BatchDialog({ kind, target, about, onClose }) {
  const { verb, effect, form, fields, batch, action, tone = "danger" } = ACTIONS[kind];
  const name = kind === "retry" ? "retry" : action ?? kind;
  const box = useRef();
  const stopped = useRef(false);
  const [meant, setMeant] = useState(null);
  const [state, setState] = useState({ at: "asking", done: 0, failed: [], error: null });
  const fail = (error) => setState((old) => ({ ...old, at: old.at === "asking" ? "asking" : "over", error }));
  // Before anybody sees it: it takes the focus.
  useLayoutEffect(() => {
    const before = document.activeElement;
    box.current.showModal();
    post("/batch", { action: name, ...target, dry_run: true }).then(setMeant, fail);
    return () => {
      stopped.current = true;
      before?.focus?.();
    };
  }, []);
  const yes = async (event) => {
    event.preventDefault();
    const values = new FormData(event.target);
    let asked;
    try {
      asked = { action: name, ...target, fields: (batch ?? fields)(values) };
    } catch (error) {
      return fail(error);
    }
    setState({ at: "doing", done: 0, failed: [], error: null });
    let next = meant.before_run_key;
    let done = 0;
    const failed = [];
    try {
      while (next !== null && !stopped.current) {
        const answer = await post("/batch", { ...asked, before_run_key: next || 0 });
        done += answer.done;
        failed.push(...answer.failed);
        next = answer.next;
        setState((old) => ({ ...old, done, failed: [...failed] }));
      }
    } catch (error) {
      return fail(error);
    }
    return setState((old) => ({ ...old, at: "over" }));
  };
  const isMany = meant && meant.count > 1;
  const worked = state.done + state.failed.length;
  return html`<dialog ref=${box} onClose=${onClose} aria-label="${verb} many runs" class="batch">
    <form onSubmit=${yes}>
      <h2>${verb} ${meant ? `${meant.is_more ? "more than " : ""}${runs(meant.count)}` : "…"}</h2>
      <p class="dim">${about}</p>
      ${state.at === "asking" ? html`
        <p>${!meant ? (state.error ? "" : "Counting…") : meant.count ? effect : `None of them is in a state for that, so there is nothing to do.`}</p>
        ${meant?.count && form ? html`<${form} />` : null}
        ${isMany ? html`<label>Type <b>${meant.count}</b> to go on <input name="sure" autocomplete="off" inputmode="numeric" pattern="\\s*${meant.count}\\s*" required title="the number of runs" /></label>` : null}` : html`
        <progress max=${Math.max(1, meant.count)} value=${worked}></progress>
        <p role="status">${runs(state.done)} done${state.failed.length ? `, ${count(state.failed.length)} refused` : ""}${state.at === "over" ? "." : "…"}</p>
        ${state.failed.length ? html`<ul class="refused">${state.failed.slice(0, 100).map((each) => html`<li><a href=${runLink(each.workflow_id, each.run_id)}>${each.workflow_id}</a> ${each.message}</li>`)}</ul>` : null}`}
      <${Fault} error=${state.error} />
      <div class="buttons">
        <button type="button" autofocus onClick=${onClose}>${state.at === "asking" ? "No, go back" : state.at === "doing" ? "Stop here" : "Close"}</button>
        ${state.at === "asking" && meant?.count ? html`<button type="submit" class=${tone}>${verb} ${runs(meant.count)}</button>` : null}
      </div>
    </form>
  </dialog>`;
}

// A new run; of one `like` another, the fields are filled in.
export function StartDialog({ like, types = [], onClose }) {
  const yes = async (form) => {
    let input;
    try {
      input = exactly(form.get("input") || "[]");
    } catch {
      throw new Error("The arguments are not JSON. A text stands in quotes.");
    }
    if (!Array.isArray(input)) throw new Error("The arguments are a list: [1, \"two\"].");
    const body = { workflow_type: form.get("type").trim(), workflow_id: form.get("id").trim(), task_queue: form.get("queue").trim(), input };
    const answer = await post("/workflows", Object.fromEntries(Object.entries(body).filter(([, value]) => value !== "")));
    go(runLink(answer.workflow_id, answer.run_id));
  };
  return html`<${Dialog} title=${like ? `Start one like ${like.workflow_id}` : "Start a run"} verb="Start it" tone="primary" onClose=${onClose} onYes=${yes}
    effect="If a run of this id is open with the same type and arguments, that one is shown.">
    <label>Workflow <input name="type" required list="types" autocomplete="off" defaultValue=${like?.workflow_type ?? ""} /></label>
    <datalist id="types">${[...new Set(types.map((row) => row.workflow_type))].map((name) => html`<option value=${name} />`)}</datalist>
    <label>Workflow id <input name="id" autocomplete="off" placeholder="made up" /></label>
    <label>Arguments, a JSON list <textarea name="input" rows="4" defaultValue=${like ? JSON.stringify(like.input, null, 2) : "[]"}></textarea></label>
    <label>Task queue <input name="queue" autocomplete="off" placeholder="default" defaultValue=${like?.task_queue ?? ""} /></label><//>`;
}

export function QueueDialog({ kind, queue, again, onClose }) {
  const path = `/queues/${encodeURIComponent(queue.task_queue)}`;
  const change = async (body) => {
    await post(path, body);
    again();
  };
  if (kind === "limit") {
    return html`<${Dialog} title="Limit ${queue.task_queue}" verb="Set it" tone="primary" onClose=${onClose}
      effect="So many attempts of activities go on at a time, over all workers of the task queue. What is under way goes on."
      onYes=${(form) => change({ activity_limit: Number(form.get("limit")) })}>
      <label>Attempts at a time, 0 for no limit <input name="limit" type="number" min="0" defaultValue=${queue.activity_limit} required /></label><//>`;
  }
  const isPause = kind === "pause";
  return html`<${Dialog} title="${isPause ? "Pause" : "Resume"} ${queue.task_queue}" verb=${isPause ? "Pause it" : "Resume it"} tone=${isPause ? "danger" : "primary"} onClose=${onClose}
    effect=${isPause ? "Nothing more is handed out from this task queue until it is resumed; what workers have in hand goes on." : "What waits is handed out again."}
    onYes=${(form) => change(isPause ? { paused: true, reason: form.get("reason") ?? "" } : { paused: false })}>
    ${isPause ? html`<${Reason} />` : null}<//>`;
}
