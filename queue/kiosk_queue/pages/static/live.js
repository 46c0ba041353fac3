// The event stream: reconnects by itself, also where EventSource gives up, and goes on after the last event it saw.
"use strict";

const SILENCE_MS = 25000; // the server speaks every 10 seconds
const RETRY_FIRST_MS = 1000, RETRY_MOST_MS = 10000;

function listen(path, { onState, onEvent, onLine, onRefused }) {
  let source, timer, last = null, heard = performance.now(), up = null, pause = RETRY_FIRST_MS;

  function line(now) {
    if (now !== up) onLine(up = now);
  }
  function note(message) {
    last = message.lastEventId;
    heard = performance.now();
    pause = RETRY_FIRST_MS;
    line(true);
    return JSON.parse(message.data);
  }
  function open() {
    heard = performance.now();
    source = new EventSource(last === null ? path : `${path}${path.includes("?") ? "&" : "?"}after=${last}`);
    source.addEventListener("state", (m) => onState(note(m)));
    source.addEventListener("event", (m) => { const event = note(m); if (onEvent) onEvent(event); });
    source.onerror = () => {
      line(false);
      if (source.readyState === EventSource.CLOSED) retry();
    };
  }
  // Pages that lost the server together do not come back together.
  function retry() {
    source.close();
    clearTimeout(timer);
    timer = setTimeout(open, pause * (0.5 + Math.random()));
    pause = Math.min(RETRY_MOST_MS, pause * 1.5);
    if (onRefused) onRefused();
  }
  setInterval(() => {
    if (performance.now() - heard > SILENCE_MS) { line(false); retry(); heard = performance.now(); }
  }, 1000);
  open();
}

// The centre's clock: the server's time carried on by a clock that never jumps.
const clock = {
  offset: Date.now() - performance.now(),
  set(iso) { this.offset = Date.parse(iso) - performance.now(); },
  now() { return new Date(performance.now() + this.offset); },
};

const ZONE = document.body.dataset.zone || "Asia/Ho_Chi_Minh";
const hourFormat = new Intl.DateTimeFormat("en-GB", { timeZone: ZONE, hour: "2-digit", minute: "2-digit" });
const dayFormat = new Intl.DateTimeFormat("en-GB", { timeZone: ZONE, day: "2-digit", month: "2-digit", year: "numeric" });
const weekdayFormat = new Intl.DateTimeFormat("en-GB", { timeZone: ZONE, weekday: "short" });
const WEEKDAYS = { Sun: "Chủ Nhật", Mon: "Thứ Hai", Tue: "Thứ Ba", Wed: "Thứ Tư", Thu: "Thứ Năm", Fri: "Thứ Sáu", Sat: "Thứ Bảy" };

const hour = (date) => hourFormat.format(date);
const dateLine = (date) => `${WEEKDAYS[weekdayFormat.format(date)]}, ${dayFormat.format(date)}`;

// Elements without markup from data: text is only ever set as text.
function el(tag, className, ...children) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  node.append(...children);
  return node;
}
const by = (id) => document.getElementById(id);
function text(id, value) {
  const node = by(id);
  if (node.textContent !== value) node.textContent = value;
}
