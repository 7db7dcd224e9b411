// What a run did and when, as a drawing: a row for each thing that took time, with its waits, its attempts and its pauses. Rows
// that are not seen are not drawn, so a run of ten thousand events is as quick as one of ten.

import { html, useEffect, useMemo, useRef, useState } from "./preact-htm.js";
import { at, clock, duration } from "./format.js";
import { Chosen, Empty, Failure, Link, replaceQuery, runLink } from "./parts.js";
import { OPEN, pieces, scale } from "./scale.js";
import { useWidth, useWindow } from "./windowed.js";

const KINDS = { run: "▶", step: "■", activity: "⚙", timer: "◷", child: "↳", promise: "◇", signal: "✉", value: "✎" };
const HEIGHT = 26;
const MAP = 34;
const DEPTHS_MAX = 8;

const number = (text, otherwise) => (Number.isFinite(Number(text)) && text ? Number(text) : otherwise);

function zoomOf(query) {
  const [from, to] = (query.get("zoom") ?? "").split("~");
  const view = [Math.max(0, number(from, 0)), Math.min(1, number(to, 1))];
  return view[1] - view[0] > 1e-9 ? view : [0, 1];
}

const lengthOf = (row, now) => ((row.kind === "signal" || row.kind === "value") && row.state !== "waiting" ? null : (at(row.ended_at) ?? (OPEN.has(row.state) ? now : at(row.created_at))) - at(row.created_at ?? row.started_at));

export function Waterfall({ rows: given, now, query }) {
  const [isFolded, setFolded] = useState(query.get("fold") !== "no");
  const [view, setView] = useState(() => zoomOf(query));
  const [chosen, setChosen] = useState(() => number(query.get("row"), 0));
  const isOpen = given.some((row) => OPEN.has(row.state));
  const until = isOpen ? now : 0;
  const rows = useMemo(() => given.map((row) => ({ ...row, pieces: pieces(row, until || Date.parse(row.ended_at ?? row.created_at)) })), [given, until]);
  const line = useMemo(() => scale(rows, until, isFolded), [rows, isFolded]);
  const [track, width] = useWidth();
  const list = useWindow(rows.length, HEIGHT);
  useEffect(() => replaceQuery({ fold: isFolded ? null : "no", zoom: view[0] > 0 || view[1] < 1 ? view.map((x) => x.toFixed(5)).join("~") : null, row: chosen || null }), [isFolded, view, chosen]);
  const zoom = (factor, around = 0.5) => setView(([a, b]) => {
    const span = Math.min(1, Math.max(1e-5, (b - a) * factor));
    const from = Math.max(0, Math.min(1 - span, a + (b - a - span) * around));
    return [from, from + span];
  });
  const pan = (share) => setView(([a, b]) => {
    const from = Math.max(0, Math.min(1 - (b - a), a + share * (b - a)));
    return [from, from + b - a];
  });
  const keys = { "+": () => zoom(0.5), "-": () => zoom(2), 0: () => setView([0, 1]), h: () => pan(-0.25), l: () => pan(0.25), i: () => line.canFold && setFolded(!isFolded) };
  const press = (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1, j: 1, k: -1 }[event.key];
    const index = rows.findIndex((row) => row.first_seq === chosen);
    if (step) {
      const next = rows[Math.max(0, Math.min(rows.length - 1, index + step))];
      setChosen(next.first_seq);
      list.show(rows.indexOf(next));
    } else if (keys[event.key] && !event.ctrlKey && !event.metaKey && !event.altKey) keys[event.key]();
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  if (!rows.length) return html`<${Empty}>Nothing has happened yet.<//>`;
  const isZoomed = view[0] > 0 || view[1] < 1;
  const seen = rows.slice(list.first, list.last);
  const opened = rows.find((row) => row.first_seq === chosen);
  return html`<div class="waterfall">
    <div class="legend">
      <${Legend} />
      <span class="spring"></span>
      ${line.canFold || !isFolded ? html`<label title="i"><input type="checkbox" checked=${isFolded} onChange=${() => setFolded(!isFolded)} /> fold idle time</label>` : null}
      <span class="zooms" role="group" aria-label="Zoom">
        <button title="Zoom out (-)" aria-label="Zoom out" onClick=${() => zoom(2)} disabled=${!isZoomed}>−</button>
        <button title="Zoom in (+)" aria-label="Zoom in" onClick=${() => zoom(0.5)}>+</button>
        <button title="The whole run (0)" onClick=${() => setView([0, 1])} disabled=${!isZoomed}>All</button>
      </span>
    </div>
    <div class="strip"><span class="dim">drag to zoom</span><${Strip} rows=${rows} line=${line} view=${view} setView=${setView} /></div>
    <div class="axis"><span></span><div ref=${track}><${Axis} line=${line} view=${view} width=${width} /></div><span></span></div>
    <div class="lanes" ...${list.bind} tabindex="0" role="listbox" aria-label="What the run did" aria-activedescendant=${opened ? `lane-${opened.first_seq}` : undefined} onKeyDown=${press}>
      <div class="whole" style=${{ height: `${rows.length * HEIGHT}px` }}>
        <div class="labels" style=${{ top: `${list.first * HEIGHT}px` }}>${seen.map((row) => html`<${Label} key=${`${row.kind} ${row.path} ${row.first_seq}`} row=${row} now=${now} isChosen=${row.first_seq === chosen} choose=${setChosen} />`)}</div>
        <${Lanes} rows=${seen} top=${list.first * HEIGHT} line=${line} view=${view} width=${width} chosen=${chosen} zoomTo=${setView} zoom=${zoom} />
      </div>
    </div>
    ${opened ? html`<${Details} row=${opened} onClose=${() => setChosen(0)} />` : html`<p class="dim hint">Choose a row to see its attempts and failures. <kbd>+</kbd> <kbd>-</kbd> <kbd>0</kbd> zoom, <kbd>h</kbd> <kbd>l</kbd> move, <kbd>i</kbd> folds.</p>`}
  </div>`;
}

const Legend = () => html`${[["wait", "waits for a worker"], ["running", "runs"], ["completed", "completed"], ["failed", "failed"], ["pause", "back-off"], ["timer", "timer"], ["child", "child"], ["waiting promise", "waits for somebody"]].map(
  ([tone, name]) => html`<span><svg width="22" height="12" aria-hidden="true"><${Piece} x=${1} width=${20} y=${-5} tone=${tone} /></svg>${name}</span>`)}`;

function Label({ row, now, isChosen, choose }) {
  const length = lengthOf(row, now);
  return html`<div id="lane-${row.first_seq}" class="lane" role="option" aria-selected=${isChosen} style=${{ height: `${HEIGHT}px` }} onClick=${() => choose(isChosen ? 0 : row.first_seq)}>
    <span class="label" style=${{ paddingLeft: `${0.2 + Math.min(DEPTHS_MAX, row.depth) * 0.9}rem` }}><i aria-hidden="true" title=${row.kind}>${KINDS[row.kind] ?? "·"}</i><span class="name" title=${row.name || row.kind}>${row.name || row.kind}</span>
      ${row.attempt_count > 1 ? html`<span class="tag">×${row.attempt_count}</span>` : null}<span class="sr">${row.kind}, ${row.state}</span></span>
    <span class="length">${length === null ? "" : duration(length)}</span></div>`;
}

// One piece of a row; its look says what it is, its colour how it went.
function Piece({ x, y = 0, width, tone, about }) {
  const wide = Math.max(2, width);
  const words = about ? html`<title>${about}</title>` : null;
  const middle = y + HEIGHT / 2 - 2;
  if (tone === "mark") return html`<path class="piece mark" d="M${x} ${middle - 6}l5 6l-5 6l-5 -6z">${words}</path>`;
  if (tone.includes("pause")) return html`<path class="piece pause" d="M${x} ${middle}H${x + wide}">${words}</path>`;
  if (tone.includes("timer")) return html`<path class="piece timer ${tone}" d="M${x + 1} ${middle - 5}V${middle + 5}M${x} ${middle}H${x + wide}M${x + wide - 1} ${middle - 5}V${middle + 5}">${words}</path>`;
  if (tone.includes("child")) return html`<g class="piece child ${tone}">${words}<rect x=${x} y=${middle - 5} width=${wide} height="3.5" rx="1.5" /><rect x=${x} y=${middle + 1.5} width=${wide} height="3.5" rx="1.5" /></g>`;
  if (tone.includes("promise")) return html`<rect class="piece ${tone}" x=${x + 0.5} y=${middle - 5} width=${Math.max(1, wide - 1)} height="10" rx="5">${words}</rect>`;
  const thin = tone.includes("wait");
  return html`<rect class="piece ${tone}" x=${x} y=${thin ? middle - 3 : middle - 6} width=${wide} height=${thin ? 6 : 12} rx="3">${words}</rect>`;
}

function Lanes({ rows, top, line, view, width, chosen, zoomTo, zoom }) {
  const [brush, setBrush] = useState(null);
  const svg = useRef(null);
  const span = view[1] - view[0];
  const x = (moment) => ((line.place(moment) - view[0]) / span) * width;
  const share = (event) => Math.max(0, Math.min(1, (event.clientX - svg.current.getBoundingClientRect().left) / width));
  useEffect(() => {
    // Not by an attribute: a page may keep the wheel only if it says so.
    const wheel = (event) => {
      if (!event.ctrlKey && !event.altKey) return;
      event.preventDefault();
      zoom(event.deltaY > 0 ? 1.25 : 0.8, share(event));
    };
    svg.current.addEventListener("wheel", wheel, { passive: false });
    return () => svg.current?.removeEventListener("wheel", wheel);
  }, [width]);
  const down = (event) => {
    if (event.button) return;
    event.currentTarget.setPointerCapture(event.pointerId);
    setBrush([share(event), share(event)]);
  };
  const move = (event) => brush && setBrush([brush[0], share(event)]);
  const up = () => {
    if (brush && Math.abs(brush[1] - brush[0]) * width > 6) zoomTo([view[0] + Math.min(...brush) * span, view[0] + Math.max(...brush) * span]);
    setBrush(null);
  };
  const height = rows.length * HEIGHT;
  return html`<svg ref=${svg} class="chart-lanes" style=${{ top: `${top}px` }} width=${width} height=${height} role="img" aria-label="Times of the rows" onPointerDown=${down} onPointerMove=${move} onPointerUp=${up} onPointerCancel=${() => setBrush(null)} onDblClick=${() => zoomTo([0, 1])}>
    <defs><pattern id="hatch" width="5" height="5" patternUnits="userSpaceOnUse" patternTransform="rotate(-45)"><rect class="hatch-ground" width="5" height="5" /><rect class="hatch-line" width="2" height="5" /></pattern></defs>
    ${rows.map((row, i) => (row.first_seq === chosen ? html`<rect class="chosen" x="0" y=${i * HEIGHT} width=${width} height=${HEIGHT} />` : null))}
    <path class="grid" d=${[0, 0.25, 0.5, 0.75, 1].map((tick) => `M${(tick * (width - 1) + 0.5).toFixed(1)} 0V${height}`).join("")} />
    ${line.folds.map((fold) => [fold, ((fold.at - view[0]) / span) * width]).filter(([, place]) => place >= 0 && place <= width).slice(0, 200).map(([fold, place]) => html`<path class="fold" d="M${place.toFixed(1)} 0V${height}"><title>${duration(fold.gap)} in which nothing happened</title></path>`)}
    ${rows.map((row, i) => row.pieces.map((piece) => {
      const from = x(piece.from);
      const to = x(piece.to);
      if (to < -4 || from > width + 4) return null;
      const left = Math.max(-8, from);
      return html`<${Piece} x=${left} y=${i * HEIGHT + 2} width=${Math.min(width + 8, to) - left} tone=${piece.tone} about="${row.name || row.kind} · ${piece.about}${piece.to > piece.from ? ` · ${duration(piece.to - piece.from)}` : ""}" />`;
    }))}
    ${brush ? html`<rect class="brush" x=${Math.min(...brush) * width} y="0" width=${Math.abs(brush[1] - brush[0]) * width} height=${height} />` : null}
  </svg>`;
}

// The whole run on a strip, and what of it is seen below; dragged over, it says what is to be seen.
function Strip({ rows, line, view, setView }) {
  const [box, width] = useWidth();
  const [from, setFrom] = useState(null);
  const drawn = useMemo(() => {
    const paths = { good: "", bad: "", run: "", warn: "" };
    const step = Math.max(1, Math.ceil(rows.length / 1500));
    for (let i = rows[0]?.kind === "run" ? 1 : 0; i < rows.length; i += step) {
      const y = 3 + ((i + 0.5) / rows.length) * (MAP - 6);
      for (const piece of rows[i].pieces) {
        const tone = /failed/.test(piece.tone) ? "bad" : /running/.test(piece.tone) ? "run" : /completed/.test(piece.tone) && !/timer/.test(piece.tone) ? "good" : "warn";
        const a = line.place(piece.from) * width;
        paths[tone] += `M${a.toFixed(1)} ${y.toFixed(1)}h${Math.max(1.5, line.place(piece.to) * width - a).toFixed(1)}`;
      }
    }
    return paths;
  }, [rows, line, width]);
  const share = (event) => Math.max(0, Math.min(1, (event.clientX - event.currentTarget.getBoundingClientRect().left) / width));
  const down = (event) => {
    event.currentTarget.setPointerCapture(event.pointerId);
    setFrom(share(event));
  };
  const move = (event) => {
    if (from === null) return;
    const here = share(event);
    if (Math.abs(here - from) * width > 4) setView([Math.min(here, from), Math.max(here, from)]);
  };
  const left = view[0] * width;
  const right = view[1] * width;
  return html`<div ref=${box} class="map"><svg width=${width} height=${MAP} role="img" aria-label="The whole run" onPointerDown=${down} onPointerMove=${move} onPointerUp=${() => setFrom(null)} onDblClick=${() => setView([0, 1])}>
    <rect class="ground" width=${width} height=${MAP} rx="4" />
    ${Object.entries(drawn).map(([tone, path]) => html`<path class="map-line ${tone}" d=${path} stroke-width=${Math.max(1, Math.min(5, (MAP - 6) / rows.length - 1))} />`)}
    ${view[0] > 0 || view[1] < 1 ? html`<path class="outside" d="M0 0H${left}V${MAP}H0ZM${right} 0H${width}V${MAP}H${right}Z" /><rect class="window" x=${left + 0.5} y="0.5" width=${Math.max(2, right - left - 1)} height=${MAP - 1} rx="3" />` : null}
  </svg></div>`;
}

function Axis({ line, view, width }) {
  const ticks = width > 520 ? [0, 0.25, 0.5, 0.75, 1] : [0, 0.5, 1];
  return ticks.map((tick) => {
    const moment = line.moment(view[0] + tick * (view[1] - view[0]));
    const words = tick === 0 ? `${clock(new Date(moment).toISOString())}${moment > line.from ? ` +${duration(moment - line.from)}` : ""}` : `+${duration(moment - line.from)}`;
    return html`<span style=${{ left: `${tick * 100}%` }} class=${tick === 1 ? "last" : tick === 0 ? "first" : ""} title=${new Date(moment).toISOString()}>${words}</span>`;
  });
}

function Details({ row, onClose }) {
  const facts = [
    ["state", row.state.replace("_", " ")],
    ["path", row.path],
    ["began", row.created_at && clock(row.created_at)],
    ["started", row.started_at && clock(row.started_at)],
    ["ended", row.ended_at && clock(row.ended_at)],
    ["due", OPEN.has(row.state) && row.due_at && clock(row.due_at)],
    ["worker", row.worker_id],
    ["events", row.first_seq > 0 && (row.first_seq === row.last_seq ? row.first_seq : `${row.first_seq} to ${row.last_seq}`)],
  ].filter(([, value]) => value);
  return html`<${Chosen} of=${row.first_seq} title="${row.kind} ${row.name}" onClose=${onClose}>
    <dl class="facts">${facts.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}
      ${row.child_workflow_id ? html`<div><dt>child</dt><dd><${Link} to=${runLink(row.child_workflow_id, row.child_run_id)}>${row.child_workflow_id}<//></dd></div>` : null}</dl>
    ${row.attempts.length > 1
      ? html`<table><thead><tr><th>attempt</th><th>started</th><th class="num">took</th><th class="num">waited before</th><th>worker</th><th>failure</th></tr></thead>
          <tbody>${row.attempts.map((attempt, i) => html`<tr><td>${attempt.number}</td><td>${clock(attempt.started_at)}</td><td class="num">${attempt.ended_at ? duration(at(attempt.ended_at) - at(attempt.started_at)) : ""}</td>
            <td class="num">${i && attempt.started_at && row.attempts[i - 1].ended_at ? duration(at(attempt.started_at) - at(row.attempts[i - 1].ended_at)) : ""}</td><td>${attempt.worker_id}</td><td class="long">${attempt.failure ? `${attempt.failure.type}: ${attempt.failure.message}` : ""}</td></tr>`)}</tbody></table>`
      : null}
    ${row.failure ? html`<${Failure} failure=${row.failure} />` : null}
  <//>`;
}
