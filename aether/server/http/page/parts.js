// Small pieces that several views share.

import { html, useLayoutEffect, useRef, useState } from "./preact-htm.js";
import { GLYPHS, clock, duration, at } from "./format.js";

export function go(path, { replace = false } = {}) {
  history[replace ? "replaceState" : "pushState"](null, "", path);
  window.dispatchEvent(new Event("aether:moved"));
}

// Keep something in the address, so that it is there again when the address is opened again; null takes it out.
export function replaceQuery(change) {
  const query = new URLSearchParams(location.search);
  for (const [name, value] of Object.entries(change)) {
    if (value === null || value === "") query.delete(name);
    else query.set(name, value);
  }
  const text = query.toString();
  const wanted = location.pathname + (text ? `?${text}` : "");
  if (wanted !== location.pathname + location.search) history.replaceState(null, "", wanted);
}

export function save(name, text) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  link.download = name.replace(/[^\w.-]+/g, "_");
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

export function Copy({ text }) {
  const [done, setDone] = useState(false);
  if (!navigator.clipboard) return null;
  const copy = async () => {
    await navigator.clipboard.writeText(text).catch(() => {});
    setDone(true);
    setTimeout(() => setDone(false), 1500);
  };
  return html`<button class="quiet copy" aria-label="Copy" title="Copy" onClick=${copy}>${done ? "✓" : html`<svg width="15" height="15" viewBox="0 0 16 16" fill="none" stroke="currentcolor" stroke-width="1.5" aria-hidden="true"><rect x="5.5" y="5.5" width="8" height="8" rx="1.5" /><path d="M10.5 3.5v-1h-8v8h1" /></svg>`}</button>`;
}

export function Link({ to, children, ...rest }) {
  const follow = (event) => {
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.button) return;
    event.preventDefault();
    go(to);
  };
  return html`<a href=${to} onClick=${follow} ...${rest}>${children}</a>`;
}

export const runLink = (id, runId = "") => `/workflows/${encodeURIComponent(id)}${runId ? `?run=${encodeURIComponent(runId)}` : ""}`;

export const State = ({ state }) => html`<span class="state ${state.toLowerCase()}"><i aria-hidden="true">${GLYPHS[state] || "·"}</i>${state.toLowerCase()}</span>`;

export const Ago = ({ time, now }) => (time ? html`<time datetime=${time} title=${new Date(time).toISOString()}>${age(now - at(time))}</time>` : null);

const age = (ms) => (ms < 1000 ? "now" : `${duration(Math.round(ms / 1000) * 1000)} ago`);

export const When = ({ time }) => (time ? html`<time datetime=${time} title=${new Date(time).toISOString()}>${clock(time)}</time>` : null);

export const Fault = ({ error }) => (error ? html`<p class="fault" role="alert">${error.message}</p>` : null);

export const Empty = ({ children }) => html`<p class="empty">${children}</p>`;

const LONG = 20000;

export function Json({ value }) {
  const [all, setAll] = useState(false);
  const text = typeof value === "string" ? value : JSON.stringify(value, null, 2) ?? "";
  const shown = all ? text : text.slice(0, LONG);
  return html`<pre class="json">${shown}${text.length > shown.length ? "…" : ""}</pre>
    ${text.length > shown.length ? html`<button onClick=${() => setAll(true)}>Show all ${text.length} characters</button>` : null}`;
}

export function Failure({ failure, depth = 0 }) {
  return html`<div class="failure">
    <p><b>${failure.type}</b>${failure.message ? `: ${failure.message}` : ""}</p>
    ${failure.traceback ? html`<pre>${failure.traceback.trimEnd()}</pre>` : null}
    ${(failure.causes || []).map((cause) => html`<div class="cause"><p class="dim">${failure.group ? "and" : "because of"}</p>
      <${Failure} failure=${cause} depth=${depth + 1} /></div>`)}
  </div>`;
}

// A question with a way back; the way back has the focus. `children` are further fields of the form.
export function Dialog({ title, effect, verb, onClose, onYes, children, tone = "danger" }) {
  const box = useRef();
  const [error, setError] = useState(null);
  const [busy, setBusy] = useState(false);
  // Before anybody sees it: it takes the focus.
  useLayoutEffect(() => {
    const before = document.activeElement;
    box.current.showModal();
    return () => before?.focus?.();
  }, []);
  const yes = async (event) => {
    event.preventDefault();
    setBusy(true);
    try {
      await onYes(new FormData(event.target));
      onClose();
    } catch (fault) {
      setError(fault);
      setBusy(false);
    }
  };
  return html`<dialog ref=${box} onClose=${onClose} aria-label=${title}>
    <form onSubmit=${yes}>
      <h2>${title}</h2>
      <p>${effect}</p>
      ${children}
      <${Fault} error=${error} />
      <div class="buttons">
        <button type="button" autofocus onClick=${onClose}>No, go back</button>
        <button type="submit" class=${tone} disabled=${busy}>${verb}</button>
      </div>
    </form>
  </dialog>`;
}

// What is chosen in a list or a drawing, close to it and in sight.
export function Chosen({ of, title, onClose, children }) {
  const box = useRef();
  useLayoutEffect(() => box.current.scrollIntoView({ block: "nearest" }), [of]);
  return html`<div class="details" ref=${box}><div class="bar"><b>${title}</b><span class="spring"></span><button class="quiet" aria-label="Close" title="Close (Esc)" data-escape onClick=${onClose}>✕</button></div>${children}</div>`;
}

// Lines over time; `lines` are {name, tone, values}, all as long as `times`. Where the pointer is, the numbers are of then.
export function Chart({ title, times, lines, show, height = 120 }) {
  const [pointed, setPointed] = useState(null);
  const width = 560;
  const values = lines.flatMap((line) => line.values).filter((value) => Number.isFinite(value));
  const top = Math.max(...values, 0) || 1;
  const from = times[0] ?? 0;
  const span = (times.at(-1) ?? 1) - from || 1;
  const x = (time) => ((time - from) / span) * width;
  const y = (value) => height - 4 - (value / top) * (height - 12);
  const path = (line) => {
    // Where nothing was measured there is a gap.
    let pen = "M";
    return line.values.map((value, i) => {
      if (!Number.isFinite(value)) {
        pen = "M";
        return "";
      }
      const point = `${pen}${x(times[i]).toFixed(1)} ${y(value).toFixed(1)}`;
      pen = "L";
      return point;
    }).join("");
  };
  const nearest = (event) => {
    const frame = event.currentTarget.getBoundingClientRect();
    const moment = from + ((event.clientX - frame.left) / frame.width) * span;
    let best = 0;
    for (let i = 1; i < times.length; i += 1) if (Math.abs(times[i] - moment) < Math.abs(times[best] - moment)) best = i;
    setPointed(best);
  };
  const at = pointed !== null && pointed < times.length ? pointed : null;
  const told = (line) => (at === null ? line.values.findLast((value) => Number.isFinite(value)) ?? 0 : line.values[at]);
  const isDrawn = times.length > 1;
  return html`<figure class="chart">
    <figcaption><b>${title}</b>${lines.map((line) => html`<span class="key ${line.tone}"><i></i>${line.name} <b>${Number.isFinite(told(line)) ? show(told(line)) : "–"}</b></span>`)}</figcaption>
    <div class="plot">
      <svg viewBox="0 0 ${width} ${height}" preserveAspectRatio="none" role="img" aria-label="${title}, at most ${show(top)}" onPointerMove=${isDrawn ? nearest : null} onPointerLeave=${() => setPointed(null)}>
        <path class="grid" d="M0 ${y(top)}H${width}M0 ${y(top / 2)}H${width}M0 ${y(0)}H${width}" />
        ${isDrawn ? lines.map((line, i) => html`${i || !line.values.every(Number.isFinite) ? null : html`<path class="area ${line.tone}" d="${path(line)}L${width} ${y(0)}L0 ${y(0)}Z" />`}<path class="line ${line.tone}" d=${path(line)} />`) : null}
        ${at === null ? null : html`<path class="pointer" d="M${x(times[at])} 0V${height}" />`}
      </svg>
      <span class="top">${show(top)}</span>
      ${isDrawn ? html`<span class="start">${clock(new Date(from).toISOString())}</span>${at === null ? null : html`<span class="at">${clock(new Date(times[at]).toISOString())}</span>`}<span class="end">now</span>` : html`<span class="none">nothing has happened in the last hour</span>`}
    </div>
  </figure>`;
}
