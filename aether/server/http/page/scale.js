// Where moments stand on the line of time, and what of a row stands there.

import { at } from "./format.js";

const DWARFS = 20;
export const OPEN = new Set(["waiting", "queued", "running", "backing_off"]);

// Pieces of a row on the line of time: {from, to, tone, about}.
export function pieces(row, now) {
  const end = at(row.ended_at) ?? (OPEN.has(row.state) ? now : at(row.started_at) ?? at(row.created_at));
  if (row.kind === "signal" && row.state === "waiting") return [{ from: at(row.created_at), to: end, tone: "waiting promise", about: "waits" }];
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
  if (start !== null && start > last) found.push({ from: last, to: start, tone: "wait", about: "waited for a worker" });
  const shape = { timer: "timer", child: "child", promise: "promise" }[row.kind] ?? "";
  found.push({ from: start ?? last, to: end, tone: `${row.state} ${shape}`.trim(), about: row.state.replace("_", " ") });
  return found;
}

// `place` is where a moment stands, from 0 to 1, and `moment` the way back. A long stretch in which nothing begins or ends is
// folded to a narrow one.
export function scale(rows, now, isFolded) {
  const moments = [...new Set(rows.flatMap((row) => row.pieces.flatMap((piece) => [piece.from, piece.to])))].sort((a, b) => a - b);
  const from = moments[0] ?? now;
  const to = Math.max(moments.at(-1) ?? now, from + 1);
  const gaps = moments.slice(1).map((moment, i) => moment - moments[i]).sort((a, b) => a - b);
  // Long is what dwarfs everything that is shorter, all together.
  let busy = 0;
  let short = 0;
  while (short < gaps.length && !(busy > 0 && gaps[short] > DWARFS * busy)) busy += gaps[short++];
  const long = gaps[short] ?? Infinity;
  const narrow = busy / Math.max(4, (gaps.length - short) / 2);
  const stops = [[from, 0]];
  const folds = [];
  let x = 0;
  for (let i = 1; i < moments.length; i += 1) {
    const gap = moments[i] - moments[i - 1];
    const width = isFolded && gap >= long ? narrow : gap;
    if (width < gap) folds.push({ at: x + width / 2, gap });
    x += width;
    stops.push([moments[i], x]);
  }
  const whole = x || 1;
  for (const stop of stops) stop[1] /= whole;
  for (const fold of folds) fold.at /= whole;
  const between = (value, known, wanted) => {
    let low = 0;
    let high = stops.length - 1;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (stops[middle][known] <= value) low = middle;
      else high = middle;
    }
    const [a, b] = [stops[low], stops[high] ?? stops[low]];
    const share = b[known] > a[known] ? Math.max(0, Math.min(1, (value - a[known]) / (b[known] - a[known]))) : 0;
    return a[wanted] + share * (b[wanted] - a[wanted]);
  };
  return { from, to, folds, canFold: short < gaps.length, place: (moment) => between(moment, 0, 1), moment: (share) => between(share, 1, 0) };
}
