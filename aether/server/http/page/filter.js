// The box with the filter, which is that of the command line, and what may come next in it.

import { html, useEffect, useRef, useState } from "./preact-htm.js";

const KEYS = { "state:": "open, failed, completed …", "type:": "of a workflow; a * at the end is any end", "queue:": "task queue", "id:": "workflow id", "run:": "run id", "tag.": "tag.customer:c77", "started:": ">1h within the last hour, or a date", "closed:": ">24h", "age:": ">1h and older", "error:": "class of the error of which it failed; * for any", "parent:": "who started it, or none" };
const STATES = ["open", "closed", "pending", "running", "completed", "failed", "cancelled"];

function offers(text, metrics) {
  const word = text.slice(text.lastIndexOf(" ") + 1);
  const sign = word.startsWith("-") ? "-" : "";
  const rest = word.slice(sign.length);
  const key = rest.slice(0, rest.indexOf(":") + 1);
  if (!key) return Object.entries(KEYS).filter(([name]) => name.startsWith(rest)).map(([name, about]) => ({ word: sign + name, about }));
  const known = {
    "state:": STATES,
    "type:": [...new Set((metrics?.runs ?? []).map((row) => row.workflow_type))],
    "queue:": [...new Set((metrics?.queue_traffic ?? []).map((row) => row.task_queue))],
    "parent:": ["none"],
  }[key] ?? [];
  const typed = rest.slice(rest.lastIndexOf(",") + 1).replace(key, "");
  const head = word.slice(0, word.length - typed.length);
  return known.filter((value) => value.startsWith(typed) && value !== typed).slice(0, 8).map((value) => ({ word: head + (/[\s",]/.test(value) ? `"${value}"` : value), about: "" }));
}

export function FilterBox({ filter, metrics, search }) {
  const [text, setText] = useState(filter);
  const [isOpen, setOpen] = useState(false);
  const [chosen, setChosen] = useState(-1);
  const timer = useRef();
  // The address has no blank at its end, and somebody who has just typed one goes on behind it.
  useEffect(() => setText((typed) => (typed.trim() === filter ? typed : filter)), [filter]);
  useEffect(() => () => clearTimeout(timer.current), []);
  const found = isOpen ? offers(text, metrics) : [];
  const write = (wanted) => {
    setText(wanted);
    setChosen(-1);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => /[:.]$/.test(wanted.trim()) || search(wanted.trim(), true), 300);
  };
  const take = (offer) => write(text.slice(0, text.lastIndexOf(" ") + 1) + offer.word + (/[:.]$/.test(offer.word) ? "" : " "));
  const press = (event) => {
    if (event.key === "Escape") setOpen(false);
    else if (event.key === "ArrowDown" && found.length) setChosen((chosen + 1) % found.length);
    else if (event.key === "ArrowUp" && found.length) setChosen((chosen + found.length - 1) % found.length);
    else if ((event.key === "Enter" || event.key === "Tab") && found[chosen]) take(found[chosen]);
    else return;
    if (event.key !== "Escape") event.preventDefault();
  };
  return html`<form role="search" class="filter" onSubmit=${(event) => { event.preventDefault(); clearTimeout(timer.current); setOpen(false); search(text.trim()); }}>
    <input id="filter" type="search" value=${text} onInput=${(event) => { setOpen(true); write(event.target.value); }} onFocus=${() => setOpen(true)} onBlur=${() => setTimeout(() => setOpen(false), 150)} onKeyDown=${press}
      spellcheck=${false} autocomplete="off" role="combobox" aria-expanded=${found.length > 0} aria-controls="offers" aria-label="Filter" placeholder="state:failed type:order* tag.customer:c77 started:>1h order-1" />
    ${found.length ? html`<ul id="offers" role="listbox">${found.map((offer, i) => html`<li role="option" aria-selected=${i === chosen} onPointerDown=${(event) => { event.preventDefault(); take(offer); }}><code>${offer.word}</code> <span class="dim">${offer.about}</span></li>`)}</ul>` : null}
  </form>`;
}

export const HELP = () => html`<section class="card"><h2>What a filter is made of</h2>
  <table class="pairs"><tbody>${Object.entries(KEYS).map(([name, about]) => html`<tr><th scope="row"><code>${name}</code></th><td>${about}</td></tr>`)}</tbody></table>
  <p class="dim">Terms must all hold; commas mean or, a leading - means not, and a word by itself is how a workflow id begins.</p></section>`;
