// The events of a run: all that have been read, of which those that are seen are drawn.

import { html, useEffect, useRef, useState } from "./preact-htm.js";
import { getExactly, runPath, useFeed, wholeHistory } from "./api.js";
import { at, clock, count, duration } from "./format.js";
import { Chosen, Fault, Json, replaceQuery, save } from "./parts.js";
import { useWindow } from "./windowed.js";

const HEIGHT = 30;
const SHOWN = new Set(["seq", "at", "event", "path", "parked"]);

// Reads on when the end of what is there comes into sight, and what is new of an open run.
export function HistoryPanel({ id, runId, length, query, startedAt }) {
  const [events, setEvents] = useState([]);
  const [hasMore, setMore] = useState(true);
  const [error, setError] = useState(null);
  const busy = useRef(false);
  const load = async () => {
    if (busy.current) return;
    busy.current = true;
    const from = events.at(-1)?.seq ?? 0;
    try {
      const page = await getExactly(`${runPath(id, "/history", runId)}&after_seq=${from}`);
      busy.current = false;
      setEvents((old) => [...old.filter((event) => event.seq <= from), ...page.events]);
      setMore(page.next !== null);
      setError(null);
    } catch (fault) {
      busy.current = false;
      setError(fault);
    }
  };
  const { metrics } = useFeed();
  const known = events.at(-1)?.seq ?? 0;
  useEffect(() => {
    if (!known || (!hasMore && length > known)) load();
  }, [known, length, metrics?.node]);
  return html`<${Fault} error=${error} /><${Events} events=${events} query=${query} startedAt=${startedAt} length=${length} more=${hasMore ? load : null}
    past=${(seq) => getExactly(runPath(id, `/at/${seq}`, runId))}
    download=${async () => save(`${id}.json`, JSON.stringify(await wholeHistory(id, runId), null, 2))} />`;
}

export function Events({ events, query, startedAt, length, more, download, past }) {
  const [words, setWords] = useState(query.get("find") ?? "");
  const [hidden, setHidden] = useState(() => new Set((query.get("hide") ?? "").split(",").filter(Boolean)));
  const [chosen, setChosen] = useState(Number(query.get("event")) || 0);
  useEffect(() => replaceQuery({ find: words || null, hide: [...hidden].join(",") || null, event: chosen || null }), [words, hidden, chosen]);
  const names = {};
  const kinds = new Map();
  for (const event of events) {
    if (event.path) names[event.path] ??= event.name ?? event.activity_type ?? event.workflow_id;
    kinds.set(event.event, (kinds.get(event.event) ?? 0) + 1);
  }
  const wanted = words.toLowerCase();
  const shown = events.filter((event) => !hidden.has(event.event) && (!wanted || `${event.event} ${names[event.path] ?? ""} ${event.name ?? ""} ${event.path ?? ""}`.toLowerCase().includes(wanted)));
  const list = useWindow(shown.length, HEIGHT);
  useEffect(() => {
    if (list.isAtEnd && more) more();
  }, [list.isAtEnd, shown.length, events.length]);
  const toggle = (kind) => setHidden((old) => {
    const next = new Set(old);
    if (!next.delete(kind)) next.add(kind);
    return next;
  });
  const opened = events.find((event) => event.seq === chosen);
  return html`
    <div class="tools"><input type="search" value=${words} onInput=${(event) => setWords(event.target.value)} placeholder="only events that contain…" aria-label="Only events that contain" />
      <span class="dim">${shown.length === events.length ? "" : `${count(shown.length)} of `}${count(events.length)}${length > events.length ? ` of ${count(length)}` : ""} events</span>
      <span class="spring"></span>${download ? html`<button onClick=${download} title="What aether replay, aether.testing and the Import view read">Save as JSON</button>` : null}</div>
    <div class="chips small" role="group" aria-label="Kinds of events">${[...kinds].map(([kind, n]) => html`<button class="chip" aria-pressed=${!hidden.has(kind)} onClick=${() => toggle(kind)}>${kind} <b>${count(n)}</b></button>`)}</div>
    <div class=${opened ? "beside" : ""}><div class="scroll" ...${list.bind}><table class="wide events"><thead><tr><th class="num">#</th><th class="num">time</th><th>event</th><th>path</th><th>name</th><th>details</th></tr></thead>
      <tbody><tr class="gap" aria-hidden="true" style=${{ height: `${list.first * HEIGHT}px` }}></tr>
        ${shown.slice(list.first, list.last).map((event) => html`<${EventRow} key=${event.seq} event=${event} name=${names[event.path]} startedAt=${startedAt} isChosen=${event.seq === chosen} choose=${setChosen} />`)}
        <tr class="gap" aria-hidden="true" style=${{ height: `${(shown.length - list.last) * HEIGHT}px` }}></tr></tbody></table></div>
    ${opened ? html`<${Chosen} of=${opened.seq} title=${html`${opened.seq} ${opened.event} <span class="dim">${clock(opened.at)}</span>`} onClose=${() => setChosen(0)}><${Json} value=${opened} />${past ? html`<${Past} key=${opened.seq} seq=${opened.seq} ask=${past} />` : null}<//>` : null}</div>`;
}

// The run as it was when an event had happened.
function Past({ seq, ask }) {
  const [seen, setSeen] = useState(null);
  const [error, setError] = useState(null);
  if (!seen) return html`<p><button onClick=${() => ask(seq).then(setSeen, setError)}>How the run was after this event</button></p><${Fault} error=${error} />`;
  const [{ run }, ...rest] = seen.items;
  return html`<h2>After event ${seq} the run was ${run.state.toLowerCase()}</h2>
    ${rest.length ? html`<table class="past"><thead><tr><th></th><th>what</th><th>value</th></tr></thead><tbody>${rest.map((item) => {
      const [[what, it]] = Object.entries(item);
      const value = it.result ?? it.value ?? (it.failure && `${it.failure.type}: ${it.failure.message}`);
      return html`<tr><td class="dim">${it.state ?? what}</td><td>${it.kind ?? ""} ${it.name ?? it.key ?? ""} <span class="dim">${it.path ?? ""}</span></td><td class="long"><code>${value === undefined ? "" : JSON.stringify(value).slice(0, 300)}</code></td></tr>`;
    })}</tbody></table>` : html`<p class="dim">Nothing was over, pending, published or received.</p>`}`;
}

export const toneOf = (kind) => (/Failed|Rejected|Blocked/.test(kind) ? "bad" : /Retried|Cancel|Paused/.test(kind) ? "warn" : /Completed|Resolved/.test(kind) ? "good" : "");

function EventRow({ event, name, startedAt, isChosen, choose }) {
  const rest = Object.fromEntries(Object.entries(event).filter(([key, value]) => !SHOWN.has(key) && value !== null && value !== "" && value !== 0 && !(Array.isArray(value) && !value.length)));
  const text = JSON.stringify(rest);
  return html`<tr data-row="" data-event=${event.seq} tabindex="0" aria-selected=${isChosen} style=${{ height: `${HEIGHT}px` }} onClick=${() => choose(isChosen ? 0 : event.seq)}>
    <td class="num dim">${event.seq}</td><td class="num dim" title=${event.at}>+${duration(Math.max(0, at(event.at) - at(startedAt)))}</td>
    <td class=${toneOf(event.event)}>${event.event}</td><td class="dim">${event.path ?? ""}</td><td>${name ?? event.name ?? event.key ?? ""}</td>
    <td class="cut"><code>${text === "{}" ? "" : text.slice(0, 240)}</code></td></tr>`;
}
