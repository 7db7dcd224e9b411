// A history from a file, seen like a run that is here. The server reads it once and keeps nothing.

import { html, useState } from "./preact-htm.js";
import { send } from "./api.js";
import { count } from "./format.js";
import { Events } from "./history.js";
import { Fault, State } from "./parts.js";
import { Facts, Sides } from "./run.js";

// The histories in a file: of an export of runs, a list of events, or one event a line.
export function historiesOf(text) {
  try {
    const document = JSON.parse(text);
    if (Array.isArray(document.runs) && document.runs.length) return document.runs.map((run) => run.history);
    const events = Array.isArray(document) ? document : document.events;
    if (Array.isArray(events)) return [events];
    if (document.event) return [[document]];
  } catch {
    const lines = text.split("\n").filter((line) => line.trim());
    if (lines.length) {
      try {
        return [lines.map((line) => JSON.parse(line))];
      } catch {
        // Told below.
      }
    }
  }
  throw new Error("This file holds no history. aether workflow export and aether history ID -o json write one, and so does Save as JSON of a run.");
}

const idOf = (events) => events[0]?.workflow_id ?? "?";

// It stays while other views are looked at, and no longer than the page.
let kept = null;

export function Import({ query, now }) {
  const [seen, setSeen] = useState(kept);
  const [error, setError] = useState(null);
  const [state, setState] = useState("");
  const read = async (file) => {
    if (file) await show(file.name, async () => historiesOf(await file.text()));
  };
  const show = async (name, find, index = 0) => {
    setError(null);
    setState("reading");
    try {
      const histories = await find();
      const events = histories[index];
      const lines = events.map((event) => JSON.stringify(event)).join("\n");
      kept = { name, histories, index, events, ...(await send("/import", lines, "application/jsonl")) };
      setSeen(kept);
    } catch (fault) {
      setError(fault);
    }
    setState("");
  };
  const drop = (event) => {
    event.preventDefault();
    setState("");
    read(event.dataTransfer.files[0]);
  };
  const over = (event) => {
    event.preventDefault();
    setState("over");
  };
  const place = html`<label class="drop ${state}" onDragOver=${over} onDragLeave=${() => setState("")} onDrop=${drop}>
    <input type="file" accept=".json,.jsonl,application/json" class="sr" onChange=${(event) => read(event.target.files[0])} />
    <b>${state === "reading" ? "Reading…" : seen ? "Another file" : "Drop a history here, or choose a file"}</b>
    ${seen ? null : html`<span class="dim">What <code>aether workflow export ID</code> or <code>aether history ID -o json</code> has written, or <i>Save as JSON</i> of a run, from this server or any other. It is shown, and kept nowhere.</span>`}</label>`;
  if (!seen) return html`<div class="bar"><h1>Import</h1></div><${Fault} error=${error} />${place}`;
  const of = {
    id: seen.info.workflow_id, info: seen.info, rows: seen.rows, status: { ...seen, pending: [], memo: {}, persistence: "" }, now: Date.parse(seen.events.at(-1).at), query, events: seen.events,
    history: () => html`<${Events} events=${seen.events} query=${query} startedAt=${seen.info.created_at} length=${seen.events.length} />`,
  };
  return html`<div class="bar head" key=${seen.info.run_id}><h1 class="id">${seen.info.workflow_id}</h1><${State} state=${seen.info.state} /><span class="tag">${seen.name}</span>
      ${seen.histories.length > 1 ? html`<select aria-label="Run of the file" value=${seen.index} onChange=${(event) => show(seen.name, async () => seen.histories, Number(event.target.value))}>${seen.histories.map((events, i) => html`<option value=${i}>${idOf(events)}</option>`)}</select>` : null}<span class="spring"></span>
      <button onClick=${() => { kept = null; setSeen(null); }}>Close</button></div>
    <p class="why">This run is in a file: ${count(seen.events.length)} events of type <b>${seen.info.workflow_type}</b>. Nothing of it is kept on the server, and nothing can be done with it.</p>
    <${Fault} error=${error} />
    <${Facts} info=${seen.info} now=${of.now} />
    <${Sides} key=${seen.info.run_id} tab=${query.get("tab") ?? "timeline"} link=${(tab) => `/import?tab=${encodeURIComponent(tab)}`} of=${of} />
    ${place}`;
}
