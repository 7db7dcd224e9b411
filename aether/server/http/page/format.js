// Times, lengths and numbers as text.

export const STATES = ["PENDING", "RUNNING", "COMPLETED", "FAILED", "CANCELLED"];
export const GLYPHS = { PENDING: "○", RUNNING: "◐", COMPLETED: "✓", FAILED: "✕", CANCELLED: "⊘" };

export function duration(ms) {
  if (ms === null || ms === undefined || Number.isNaN(ms)) return "";
  const s = Math.abs(ms) / 1000;
  if (s < 0.001) return `${Math.round(s * 1e6)} µs`;
  if (s < 1) return `${trim(s * 1000)} ms`;
  if (s < 60) return `${trim(s)} s`;
  const whole = Math.round(s);
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  if (whole < 86400) return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
  return `${Math.floor(whole / 86400)} d ${Math.floor((whole % 86400) / 3600)} h`;
}

export const micros = (us) => duration(us / 1000);

function trim(value) {
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1).replace(/\.0$/, "") : value.toFixed(2).replace(/\.?0+$/, "");
}

export function count(value) {
  return Number(value || 0).toLocaleString("en").replaceAll(",", " ");
}

export function rate(value) {
  if (!value) return "0";
  return value >= 100 ? count(Math.round(value)) : value >= 1 ? value.toFixed(1) : value.toFixed(2);
}

export function bytes(value) {
  return value > 1e9 ? `${(value / 2 ** 30).toFixed(1)} GiB` : `${(value / 2 ** 20).toFixed(1)} MiB`;
}

// What JSON means, with each number as it is written: 1.0 is not 1, and whole ones may be greater than this language counts to.
// Such a number is no number here, but becomes one again in JSON. An older browser takes it for the next one that it knows.
export const exactly = (text) => JSON.parse(text, (key, value, context) => (typeof value === "number" && JSON.rawJSON && context.source !== String(value) ? JSON.rawJSON(context.source) : value));

export const at = (text) => (text ? Date.parse(text) : null);

const isUtc = () => localStorage.getItem("aether-zone") === "utc";

export function turnZone() {
  localStorage.setItem("aether-zone", isUtc() ? "local" : "utc");
}

export const zone = () => (isUtc() ? "UTC" : "local");

export function clock(text) {
  if (!text) return "";
  const moment = new Date(text);
  const [day, time] = isUtc() ? moment.toISOString().slice(0, 19).split("T") : [moment.toLocaleDateString("en-CA"), moment.toLocaleTimeString("en-GB")];
  const today = isUtc() ? new Date().toISOString().slice(0, 10) : new Date().toLocaleDateString("en-CA");
  return day === today ? time : `${day} ${time}`;
}

export const took = (info, now) => (at(info.closed_at) ?? now) - at(info.created_at);
