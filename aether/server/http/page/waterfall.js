// What a run did and when: a row for each thing that took time, with its waits, its attempts and its pauses.

import { html, useMemo, useState } from "./preact-htm.js";
import { at, clock, duration } from "./format.js";
import { Empty, Failure, Link, runLink } from "./parts.js";

const KINDS = { run: "▶", step: "■", activity: "⚙", timer: "◷", child: "↳", promise: "◇", signal: "✉", value: "✎" };
const OPEN = new Set(["waiting", "queued", "running", "backing_off"]);
const ROWS_MAX = 300;

// Pieces of a row on the line of time: {from, to, tone, about}.
function pieces(row, now) {
  const end = at(row.ended_at) ?? (OPEN.has(row.state) ? now : at(row.started_at) ?? at(row.created_at));
  if (row.kind === "signal" || row.kind === "value") return [{ from: end, to: end, tone: "mark", about: row.name }];
  const found = [];
  let last = at(row.created_at) ?? at(row.started_at) ?? end;
  if (row.attempts.length) {
    for (const attempt of row.attempts) {
      const due = at(attempt.due_at) ?? last;
      const start = at(attempt.started_at);
      const stop = at(attempt.ended_at) ?? (start === null ? null : end);
      if (due > last && attempt.number > 1) found.push({ from: last, to: due, tone: "pause", about: "pause before the next attempt" });
      if (start !== null && start > due) found.push({ from: due, to: start, tone: "wait", about: "waited for a worker" });
      if (start === null) {
        found.push({ from: due, to: end, tone: "wait", about: "waits for a worker" });
        last = end;
        continue;
      }
      const tone = attempt.failure ? "failed" : attempt.ended_at ? row.state : "running";
      found.push({ from: start, to: stop, tone, about: `attempt ${attempt.number}${attempt.failure ? `: ${attempt.failure.type} ${attempt.failure.message || ""}` : ""}` });
      last = stop;
    }
    if (row.state === "backing_off") found.push({ from: last, to: end, tone: "pause", about: "pause before the next attempt" });
    return found;
  }
  const start = at(row.started_at);
  if (start !== null && start > last) found.push({ from: last, to: start, tone: "wait", about: "waited" });
  const tone = row.kind === "timer" && row.state !== "cancelled" ? "timer" : row.state;
  found.push({ from: start ?? last, to: end, tone, about: row.state });
  return found;
}

// Where a moment stands, in per cent. Stretches in which nothing begins or ends are folded to the same small width.
function scale(rows, now, isFolded) {
  const moments = [...new Set(rows.flatMap((row) => row.pieces.flatMap((piece) => [piece.from, piece.to])))].sort((a, b) => a - b);
  const from = moments[0] ?? now;
  const to = Math.max(moments.at(-1) ?? now, from + 1);
  const gaps = moments.slice(1).map((moment, i) => moment - moments[i]).filter((gap) => gap > 0).sort((a, b) => a - b);
  const typical = gaps[Math.floor(gaps.length * 0.75)] ?? 1;
  const cap = Math.max(typical * 4, (to - from) / 1000);
  const stops = [[from, 0]];
  const folds = [];
  let x = 0;
  for (let i = 1; i < moments.length; i += 1) {
    const gap = moments[i] - moments[i - 1];
    const width = isFolded ? Math.min(gap, cap) : gap;
    if (width < gap) folds.push({ at: x + width / 2, gap });
    x += width;
    stops.push([moments[i], x]);
  }
  const whole = x || 1;
  const place = (moment) => {
    let low = 0;
    let high = stops.length - 1;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (stops[middle][0] <= moment) low = middle;
      else high = middle;
    }
    const [t0, x0] = stops[low];
    const [t1, x1] = stops[high] ?? stops[low];
    const share = t1 > t0 ? Math.min(1, (moment - t0) / (t1 - t0)) : 0;
    return (100 * (x0 + share * (x1 - x0))) / whole;
  };
  return { from, to, place, folds: folds.map((fold) => ({ at: (100 * fold.at) / whole, gap: fold.gap })), canFold: gaps.some((gap) => gap > cap) };
}

export function Waterfall({ rows: given, now }) {
  const [isFolded, setFolded] = useState(true);
  const [opened, setOpened] = useState(null);
  const [all, setAll] = useState(false);
  const isOpen = given.some((row) => OPEN.has(row.state));
  const until = isOpen ? now : 0;
  const rows = useMemo(() => given.map((row) => ({ ...row, pieces: pieces(row, until || Date.parse(row.ended_at ?? row.created_at)) })), [given, until]);
  const { from, to, place, folds, canFold } = useMemo(() => scale(rows, until, isFolded), [rows, isFolded]);
  if (!rows.length) return html`<${Empty}>Nothing has happened yet.<//>`;
  const shown = all ? rows : rows.slice(0, ROWS_MAX);
  const ticks = isFolded && folds.length ? [0, 100] : [0, 25, 50, 75, 100];
  return html`<div class="waterfall">
    <div class="legend">
      <span><i class="piece wait"></i>waits for a worker</span><span><i class="piece running"></i>runs</span><span><i class="piece completed"></i>completed</span>
      <span><i class="piece failed"></i>failed</span><span><i class="piece pause"></i>pause</span><span><i class="piece timer"></i>timer</span>
      <span class="spring"></span>
      ${canFold || !isFolded ? html`<label><input type="checkbox" checked=${isFolded} onChange=${() => setFolded(!isFolded)} /> fold what is long</label>` : null}
    </div>
    <div class="axis"><span></span><div>${ticks.map((tick) => html`<span style=${{ left: `${tick}%` }} class=${tick === 100 ? "last" : ""}>${tick === 100 ? `+${duration(to - from)}` : tick === 0 ? clock(new Date(from).toISOString()) : `+${duration(((to - from) * tick) / 100)}`}</span>`)}</div></div>
    <ol>${shown.map((row, i) => html`<li key=${`${row.kind} ${row.path} ${row.first_seq}`} class=${opened === i ? "opened" : ""}>
      <button class="row" data-row="" aria-expanded=${opened === i} onClick=${() => setOpened(opened === i ? null : i)}>
        <span class="label" style=${{ paddingLeft: `${0.3 + row.depth * 1.1}rem` }}><i aria-hidden="true" title=${row.kind}>${KINDS[row.kind] ?? "·"}</i><span class="name">${row.name || row.kind}</span>
          ${row.attempt_count > 1 ? html`<span class="tag">×${row.attempt_count}</span>` : null}<span class="sr">${row.kind}, ${row.state}</span></span>
        <span class="track">${folds.map((fold) => html`<i class="fold" style=${{ left: `${fold.at}%` }} title="${duration(fold.gap)} are folded"></i>`)}
          ${row.pieces.map((piece) => {
            const left = place(piece.from);
            const width = place(piece.to) - left;
            return html`<i class="piece ${piece.tone}" style=${{ left: `${left}%`, width: `${width}%` }} title="${piece.about} · ${duration(piece.to - piece.from)}"></i>`;
          })}</span>
        <span class="length">${row.kind === "signal" || row.kind === "value" ? "" : duration((at(row.ended_at) ?? (OPEN.has(row.state) ? now : at(row.created_at))) - at(row.created_at ?? row.started_at))}</span>
      </button>
      ${opened === i ? html`<${Details} row=${row} />` : null}
    </li>`)}</ol>
    ${shown.length < rows.length ? html`<p><button onClick=${() => setAll(true)}>Show all ${rows.length} rows</button></p>` : null}
  </div>`;
}

function Details({ row }) {
  const facts = [
    ["state", row.state.replace("_", " ")],
    ["path", row.path],
    ["began", row.created_at && clock(row.created_at)],
    ["started", row.started_at && clock(row.started_at)],
    ["ended", row.ended_at && clock(row.ended_at)],
    ["due", OPEN.has(row.state) && row.due_at && clock(row.due_at)],
    ["worker", row.worker_id],
    ["events", row.first_seq === row.last_seq ? row.first_seq : `${row.first_seq} to ${row.last_seq}`],
  ].filter(([, value]) => value);
  return html`<div class="details">
    <dl class="facts">${facts.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}
      ${row.child_workflow_id ? html`<div><dt>child</dt><dd><${Link} to=${runLink(row.child_workflow_id, row.child_run_id)}>${row.child_workflow_id}<//></dd></div>` : null}</dl>
    ${row.attempts.length > 1
      ? html`<table><thead><tr><th>attempt</th><th>started</th><th class="num">took</th><th>worker</th><th>failure</th></tr></thead>
          <tbody>${row.attempts.map((attempt) => html`<tr><td>${attempt.number}</td><td>${clock(attempt.started_at)}</td><td class="num">${attempt.ended_at ? duration(at(attempt.ended_at) - at(attempt.started_at)) : ""}</td>
            <td>${attempt.worker_id}</td><td class="long">${attempt.failure ? `${attempt.failure.type}: ${attempt.failure.message}` : ""}</td></tr>`)}</tbody></table>`
      : null}
    ${row.failure ? html`<${Failure} failure=${row.failure} />` : null}
  </div>`;
}
