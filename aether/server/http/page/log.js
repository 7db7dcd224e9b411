// What happens, over all runs, as it becomes durable: the newest first. Who looks at older ones is not disturbed.

import { html, useEffect, useRef, useState } from "./preact-htm.js";
import { get, useFeed } from "./api.js";
import { clock, count } from "./format.js";
import { Empty, Fault, Link, go, runLink } from "./parts.js";
import { FilterBox } from "./filter.js";
import { toneOf } from "./history.js";
import { useWindow } from "./windowed.js";

const KEPT = 2000;
// Of so many in one answer there are likely more.
const MORE = 200;
const HEIGHT = 28;
const KINDS = [
  ["all", ""],
  ["runs", "RunCreated,RunStarted,RunCompleted,RunFailed,RunCancelled,RunForked"],
  ["failures", "RunFailed,StepFailed,StepRetried,ActivityFailed,ActivityRetried,ChildFailed,PromiseRejected"],
  ["signals", "SignalReceived"],
];

const address = (filter, kinds) => {
  const query = new URLSearchParams();
  if (filter) query.set("filter", filter);
  if (kinds) query.set("kinds", kinds);
  const text = query.toString();
  return `/log${text ? `?${text}` : ""}`;
};

// All that was told since the question was asked, newest first.
function useHappened(filter, kinds) {
  const { metrics, refresh, connected } = useFeed();
  const [seen, setSeen] = useState({ events: [], error: null, isRead: false });
  const asked = useRef(null);
  const question = `${filter} ${kinds}`;
  // What is still on its way for a question that nobody asks any more finds its own state, and that it is not this one.
  if (asked.current?.question !== question) asked.current = { question, next: null, events: [], isBusy: false };
  const state = asked.current;
  useEffect(() => () => void (asked.current = null), []);
  useEffect(() => {
    if (document.hidden || (!refresh && state.next !== null)) return;
    const read = async () => {
      if (asked.current !== state) return;
      if (state.isBusy) return void (state.isStale = true);
      state.isBusy = true;
      state.isStale = false;
      const where = state.next === null ? "last=1000" : `after_position=${state.next}`;
      const change = await get(`/events?filter=${encodeURIComponent(filter)}&kinds=${kinds}&${where}`).then(
        (answer) => {
          if (asked.current !== state) return null;
          state.next = answer.next;
          if (answer.events.length >= MORE) state.isStale = true;
          state.events = [...answer.events.reverse(), ...state.events].slice(0, KEPT);
          return { events: state.events, error: null, isRead: true };
        },
        (error) => ({ events: state.events, error, isRead: true }),
      );
      if (asked.current !== state) return;
      state.isBusy = false;
      setSeen(change);
      if (state.isStale && !change.error) setTimeout(read, (refresh || 1) * 1000);
    };
    read();
  }, [question, metrics?.events, metrics?.node, connected, refresh]);
  return seen.events === state.events ? seen : { ...seen, events: state.events };
}

export function Log({ query }) {
  const filter = query.get("filter") ?? "";
  const kinds = query.get("kinds") ?? "";
  const { metrics, refresh } = useFeed();
  const { events, error, isRead } = useHappened(filter, kinds);
  const [held, hold] = useState(null);
  const list = useWindow((held ?? events).length, HEIGHT);
  // Below the top, or while it stands still, what is new waits.
  const isHeld = list.first > 0;
  if (isHeld && !held) hold(events);
  if (!isHeld && held) hold(null);
  const shown = held ?? events;
  const fresh = held && held.length ? events.findIndex((event) => event.position === held[0].position) : 0;
  return html`<div class="bar"><h1>Log</h1><${FilterBox} filter=${filter} metrics=${metrics} search=${(words, replace) => go(address(words, kinds), { replace })} /></div>
    <div class="bar under"><div class="chips" role="group" aria-label="Kinds of events">${KINDS.map(([name, wanted]) => html`<${Link} to=${address(filter, wanted)} class="chip" aria-current=${wanted === kinds ? "true" : undefined}>${name}<//>`)}</div><span class="spring"></span>
      ${held ? html`<button class="link" onClick=${() => list.show(0)}>${fresh < 0 ? "many" : count(fresh)} new ↑</button>` : html`<span class="dim">${refresh ? "" : "stands still"}</span>`}</div>
    <${Fault} error=${error} />
    ${!isRead ? html`<${Empty}>…<//>` : !shown.length && !error ? html`<${Empty}>${filter || kinds ? "Nothing of that has happened lately." : "Nothing has happened yet."}<//>` : null}
    <section class="card" hidden=${!shown.length}><div class="scroll tall" ...${list.bind}><table class="wide events"><thead><tr><th class="num">time</th><th>workflow</th><th>event</th><th>name</th><th>path</th><th>details</th></tr></thead>
      <tbody><tr class="gap" aria-hidden="true" style=${{ height: `${list.first * HEIGHT}px` }}></tr>
      ${shown.slice(list.first, list.last).map((event) => html`<tr key=${event.position} data-row=${runLink(event.workflow_id, event.run_id)} tabindex="0" style=${{ height: `${HEIGHT}px` }}>
        <td class="num dim" title=${event.at}>${clock(event.at)}</td><td><${Link} to=${runLink(event.workflow_id, event.run_id)} tabindex="-1">${event.workflow_id}<//></td><td class=${toneOf(event.kind)}>${event.kind}</td>
        <td>${event.name}${event.attempt > 1 ? html` <span class="tag">×${event.attempt}</span>` : null}</td><td class="dim">${event.path}</td>
        <td class="cut">${event.failure_type ? html`<b>${event.failure_type}</b> ` : null}${event.message || event.worker_id}</td></tr>`)}
      <tr class="gap" aria-hidden="true" style=${{ height: `${(shown.length - list.last) * HEIGHT}px` }}></tr></tbody></table></div></section>`;
}
