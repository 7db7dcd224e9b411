// The JSON API, and the one stream of a browser: the tab that has the lock listens and tells the others.

import { useEffect, useRef, useState } from "./preact-htm.js";
import { exactly } from "./format.js";

const BASE = "/api/v1";
const SECRET = "aether-bearer";
// A stream says something every 15 seconds; one that is silent for longer is not there any more.
const SILENCE = 40000;
let about = null;

export class ApiError extends Error {
  constructor(status, code, message) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

const bearer = () => {
  const secret = localStorage.getItem(SECRET);
  return secret ? { authorization: `Bearer ${secret}` } : {};
};

async function ask(path, { headers = {}, parse = JSON.parse, ...options } = {}) {
  let response;
  try {
    response = await fetch(BASE + path, { ...options, headers: { ...bearer(), ...headers } });
  } catch {
    throw new ApiError(0, "UNREACHABLE", "The server does not answer.");
  }
  const document = await response.text().then(parse).catch(() => ({}));
  if (!response.ok) {
    if (response.status === 401) set({ isLocked: true, connected: false });
    const error = document.error || {};
    throw new ApiError(response.status, error.code || "", error.message || response.statusText);
  }
  return document;
}

export const get = (path) => ask(path);

// For what holds values of users.
export const getExactly = (path) => ask(path, { parse: exactly });

export async function getAbout(fresh = false) {
  if (!about || fresh) about = await ask("/about");
  return about;
}

export const post = (path, body) => send(path, JSON.stringify(body), "application/json");

// `body` is a text of some kind.
export async function send(path, body, kind) {
  const once = async (fresh) => {
    const { token } = await getAbout(fresh);
    return ask(path, { method: "POST", headers: { "content-type": kind, "x-aether-token": token }, body });
  };
  try {
    return await once(false);
  } catch (error) {
    // A server that was restarted has another token.
    if (error.code === "TOKEN_EXPIRED") return once(true);
    throw error;
  }
}

// Whether the server takes this as its token; then it is kept, for all tabs.
export async function unlock(secret) {
  const response = await fetch(`${BASE}/about`, { headers: { authorization: `Bearer ${secret}` } }).catch(() => null);
  if (!response) throw new Error("The server does not answer.");
  if (response.status === 401) throw new Error("That is not its token.");
  localStorage.setItem(SECRET, secret);
  about = null;
  set({ isLocked: false });
}

export function lock() {
  localStorage.removeItem(SECRET);
  location.reload();
}

export const runPath = (id, part = "", runId = "") =>
  `/workflows/${encodeURIComponent(id)}${part}${runId ? `?run_id=${encodeURIComponent(runId)}` : ""}`;

// All events of a run, as `aether history ID -o json` writes them.
export async function wholeHistory(id, runId) {
  const events = [];
  for (let after = 0; after !== null; ) {
    const page = await getExactly(`${runPath(id, "/history", runId)}&after_seq=${after}`);
    events.push(...page.events);
    after = page.next;
  }
  return events;
}

// What is known of the server, for all views. `turn` grows when something was missed; `refresh` is how many seconds there are
// at least between two looks, 0: none.
const listeners = new Set();
let state = { metrics: null, at: 0, connected: false, isLocked: false, turn: 0, refresh: Number(localStorage.getItem("aether-refresh") ?? 1) };

function set(change) {
  state = { ...state, ...change };
  for (const listener of listeners) listener(state);
}

export function setRefresh(seconds) {
  localStorage.setItem("aether-refresh", seconds);
  set({ refresh: seconds });
}

export function useFeed() {
  const [seen, setSeen] = useState(state);
  useEffect(() => {
    listeners.add(setSeen);
    setSeen(state);
    return () => listeners.delete(setSeen);
  }, []);
  return seen;
}

function take(block, tell) {
  let name = "";
  let data = "";
  for (const line of block.split("\n")) {
    if (line.startsWith("event: ")) name = line.slice(7);
    else if (line.startsWith("data: ")) data += line.slice(6);
  }
  if (name === "metrics") tell({ metrics: JSON.parse(data), at: Date.now(), connected: true });
  else if (name === "resync") tell({ turn: state.turn + 1 });
}

// Not an EventSource: that can not send the token.
async function readStream(tell, control) {
  let silence = setTimeout(() => control.abort(), SILENCE);
  try {
    const response = await fetch(`${BASE}/stream`, { headers: bearer(), signal: control.signal, cache: "no-store" });
    if (response.status === 401) return tell({ isLocked: true, connected: false });
    if (!response.ok) throw new Error(response.statusText);
    tell({ connected: true, isLocked: false, at: Date.now(), turn: state.turn + (state.at ? 1 : 0) });
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let buffer = "";
    for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
      clearTimeout(silence);
      silence = setTimeout(() => control.abort(), SILENCE);
      const blocks = (buffer + piece.value).split("\n\n");
      buffer = blocks.pop();
      for (const block of blocks) take(block, tell);
    }
  } finally {
    clearTimeout(silence);
  }
}

function listen(tell) {
  let isOver = false;
  let control = null;
  let wake = null;
  const run = async () => {
    for (let tries = 0; !isOver; tries += 1) {
      control = new AbortController();
      const began = Date.now();
      await readStream(tell, control).catch(() => {});
      if (isOver) return;
      tell({ connected: false });
      if (Date.now() - began > 5000) tries = 0;
      await new Promise((go) => {
        wake = go;
        // Without the token there is nothing to try until somebody gives it, here or in another tab.
        if (!state.isLocked) setTimeout(go, Math.min(5000, 500 * 2 ** tries));
      });
    }
  };
  run();
  // Who has just given the token does not wait.
  const hasToken = ({ isLocked }) => !isLocked && !state.connected && wake?.();
  const hasElsewhere = ({ key, newValue }) => key === SECRET && newValue && wake?.();
  listeners.add(hasToken);
  window.addEventListener("storage", hasElsewhere);
  return () => {
    isOver = true;
    listeners.delete(hasToken);
    window.removeEventListener("storage", hasElsewhere);
    control?.abort();
    wake?.();
  };
}

export function startFeed() {
  if (!navigator.locks || !window.BroadcastChannel) {
    // Not a place that a browser calls secure: one stream for each tab that is seen.
    let stop = null;
    const turn = () => {
      if (document.hidden && stop) stop = stop();
      else if (!document.hidden && !stop) stop = listen(set);
    };
    document.addEventListener("visibilitychange", turn);
    turn();
    return;
  }
  const channel = new BroadcastChannel("aether-feed");
  let leads = false;
  const shared = () => ({ metrics: state.metrics, at: state.at, connected: state.connected, isLocked: state.isLocked, turn: state.turn });
  channel.onmessage = ({ data }) => {
    if (data.ask) {
      if (leads) channel.postMessage(shared());
    } else if (!leads) set(data);
  };
  channel.postMessage({ ask: true });
  navigator.locks.request("aether-feed", () => {
    leads = true;
    document.documentElement.dataset.leads = "true";
    listen((change) => {
      set(change);
      channel.postMessage(shared());
    });
    return new Promise(() => {}); // until the tab is closed
  });
}

// Something that is asked for again whenever the question changes or the server has done something, or, with a `pulse`, when that
// changes; never while an answer is on its way, more often than `refresh` and the length of the answer allow, or while nobody looks.
// What is `frozen` stays as it is, also if an answer is on its way.
export function useAsked(question, key, { live = true, pulse: given = null, frozen = false } = {}) {
  const [answer, setAnswer] = useState({ data: null, error: null, key: null });
  const [turn, setTurn] = useState(0);
  const { metrics, connected, turn: missed, refresh, isLocked } = useFeed();
  const now = useRef({ asked: "", at: 0, pause: 0, isGone: false, isBusy: "", key: "", isStale: false }).current;
  now.key = key;
  now.isFrozen = frozen;
  const pulse = live && !frozen && refresh ? (given ?? `${metrics?.node} ${metrics?.events} ${connected}`) : "";
  useEffect(() => () => void (now.isGone = true), []);
  useEffect(() => {
    const wanted = `${key} ${turn} ${missed} ${isLocked}`;
    const look = () => {
      if (now.isBusy === wanted || (document.hidden && now.asked === wanted)) return void (now.isStale = true);
      Object.assign(now, { asked: wanted, at: Date.now(), isBusy: wanted, isStale: false });
      const over = (change) => {
        if (now.isBusy === wanted) now.isBusy = "";
        now.pause = Math.max(refresh * 1000, 4 * (Date.now() - now.at));
        if (!now.isGone && now.key === key && !(now.isFrozen && now.shown === wanted)) {
          now.shown = wanted;
          setAnswer(change);
        }
        if (now.isStale && !now.isGone) timer = setTimeout(look, now.pause);
      };
      question().then(
        (data) => over({ data, error: null, key }),
        (error) => over((old) => ({ data: old.key === key ? old.data : null, error, key })),
      );
    };
    const pause = now.asked === wanted ? Math.max(0, now.pause - (Date.now() - now.at)) : 0;
    let timer = setTimeout(look, pause);
    const seen = () => !document.hidden && now.isStale && look();
    document.addEventListener("visibilitychange", seen);
    return () => {
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", seen);
    };
  }, [key, pulse, turn, missed, isLocked, refresh]);
  const again = () => setTurn((n) => n + 1);
  return { ...answer, isFresh: answer.key === key, again };
}

export function useNow(every = 1000) {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => !document.hidden && setNow(Date.now()), every);
    return () => clearInterval(timer);
  }, [every]);
  return now;
}
