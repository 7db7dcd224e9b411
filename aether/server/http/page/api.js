// The JSON API, and the one stream of a browser: the tab that has the lock listens and tells the others.

import { useEffect, useState } from "./preact-htm.js";

const BASE = "/api/v1";
let about = null;

export class ApiError extends Error {
  constructor(status, code, message) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

async function ask(path, options) {
  let response;
  try {
    response = await fetch(BASE + path, options);
  } catch {
    throw new ApiError(0, "UNREACHABLE", "The server does not answer.");
  }
  const document = await response.json().catch(() => ({}));
  if (!response.ok) {
    const error = document.error || {};
    throw new ApiError(response.status, error.code || "", error.message || response.statusText);
  }
  return document;
}

export const get = (path) => ask(path);

export async function getAbout(fresh = false) {
  if (!about || fresh) about = await ask("/about");
  return about;
}

export async function post(path, body) {
  const send = async (fresh) => {
    const { token } = await getAbout(fresh);
    const headers = { "content-type": "application/json", "x-aether-token": token };
    return ask(path, { method: "POST", headers, body: JSON.stringify(body) });
  };
  try {
    return await send(false);
  } catch (error) {
    // A server that was restarted has another token.
    if (error.code === "TOKEN_EXPIRED") return send(true);
    throw error;
  }
}

export const runPath = (id, part = "", runId = "") =>
  `/workflows/${encodeURIComponent(id)}${part}${runId ? `?run_id=${encodeURIComponent(runId)}` : ""}`;

// What is known of the server, for all views: {metrics, at, connected}.
const listeners = new Set();
let state = { metrics: null, at: 0, connected: false };

function set(change) {
  state = { ...state, ...change };
  for (const listener of listeners) listener(state);
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

function listen(tell) {
  let source = null;
  let timer = null;
  const open = () => {
    source = new EventSource(`${BASE}/stream`);
    source.addEventListener("metrics", (event) => tell({ metrics: JSON.parse(event.data), at: Date.now(), connected: true }));
    source.onopen = () => tell({ connected: true, at: Date.now() });
    source.onerror = () => {
      tell({ connected: false });
      if (source.readyState === EventSource.CLOSED) timer = setTimeout(open, 1000);
    };
  };
  open();
  return () => {
    clearTimeout(timer);
    source.close();
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
  channel.onmessage = ({ data }) => {
    if (data.ask) {
      if (leads) channel.postMessage(state);
    } else if (!leads) set(data);
  };
  channel.postMessage({ ask: true });
  navigator.locks.request("aether-feed", () => {
    leads = true;
    document.documentElement.dataset.leads = "true";
    listen((change) => {
      set(change);
      channel.postMessage(state);
    });
    return new Promise(() => {}); // until the tab is closed
  });
}

// Something that is asked for again whenever the server has done something, or the question changes.
export function useAsked(question, key, { live = true } = {}) {
  const [answer, setAnswer] = useState({ data: null, error: null, key: null });
  const [turn, setTurn] = useState(0);
  const { metrics, connected } = useFeed();
  const events = live ? `${metrics?.events} ${connected}` : "";
  useEffect(() => {
    let isWanted = true;
    question().then(
      (data) => isWanted && setAnswer({ data, error: null, key }),
      (error) => isWanted && setAnswer((old) => ({ data: old.key === key ? old.data : null, error, key })),
    );
    return () => {
      isWanted = false;
    };
  }, [key, events, turn]);
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
