// The line to the server: reconnects for ever, goes on after the last event it saw, carries the server's clock.

const SILENCE_MS = 25000; // the server speaks every 10 seconds
const RETRY_MS = [1000, 3000]; // spread, so that not every display of a site knocks at once

export const clock = {
  offset: Date.now() - performance.now(),
  set(iso) { this.offset = Date.parse(iso) - performance.now(); },
  now() { return performance.now() + this.offset; },
};

export function connect(path, after, { onState, onEvent, onLine }) {
  let source = null, timer = 0, last = after, heard = performance.now(), up = null;

  function line(now) {
    if (now !== up) onLine(up = now);
  }
  function take(message, deliver) {
    heard = performance.now();
    line(true);
    const data = JSON.parse(message.data);
    last = data.seq;
    deliver(data);
  }
  function open() {
    timer = 0;
    heard = performance.now();
    source = new EventSource(last === null ? path : `${path}${path.includes("?") ? "&" : "?"}after=${last}`);
    source.addEventListener("state", (message) => take(message, onState));
    source.addEventListener("event", (message) => take(message, onEvent));
    source.onerror = again;
  }
  function again() {
    line(false);
    if (timer) return;
    source.close();
    timer = setTimeout(open, RETRY_MS[0] + Math.random() * (RETRY_MS[1] - RETRY_MS[0]));
  }
  setInterval(() => { if (performance.now() - heard > SILENCE_MS) again(); }, 1000);
  open();
}
