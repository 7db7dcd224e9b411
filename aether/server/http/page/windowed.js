// Long lists: only the rows that are seen are drawn. All rows have one height.

import { useEffect, useRef, useState } from "./preact-htm.js";

const AHEAD = 12;

// `first` to `last` are drawn; `bind` goes to the element that scrolls, and `show` brings a row into sight.
export function useWindow(count, height) {
  const [place, setPlace] = useState({ top: 0, seen: 600 });
  const box = useRef(null);
  const measure = () => {
    const element = box.current;
    if (element) setPlace((old) => (old.top === element.scrollTop && old.seen === element.clientHeight ? old : { top: element.scrollTop, seen: element.clientHeight }));
  };
  useEffect(() => {
    const watch = new ResizeObserver(measure);
    if (box.current) watch.observe(box.current);
    return () => watch.disconnect();
  }, []);
  const first = Math.max(0, Math.floor(place.top / height) - AHEAD);
  const last = Math.min(count, Math.ceil((place.top + place.seen) / height) + AHEAD);
  const show = (row) => {
    const element = box.current;
    if (!element) return;
    const top = row * height;
    if (top < element.scrollTop) element.scrollTop = top;
    else if (top + height > element.scrollTop + element.clientHeight) element.scrollTop = top + height - element.clientHeight;
  };
  return { first, last, show, isAtEnd: place.top + place.seen >= count * height - 400, bind: { ref: box, onScroll: measure } };
}

// How wide an element is.
export function useWidth() {
  const box = useRef(null);
  const [width, setWidth] = useState(0);
  useEffect(() => {
    const watch = new ResizeObserver(([entry]) => setWidth(entry.contentRect.width));
    if (box.current) watch.observe(box.current);
    return () => watch.disconnect();
  }, []);
  return [box, width];
}
