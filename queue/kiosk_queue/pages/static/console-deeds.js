// Deeds of the officer. One at a time; each carries a key, is asked again until it is answered, and is never done twice.
"use strict";

const RETRY_MS = 1200, ANSWER_MS = 5000, SHOW_AFTER_MS = 700, FLIGHT = "motcua-flight";
const base = document.body.dataset.base, csrf = document.body.dataset.csrf;
let flight = null;

const wait = (ms) => new Promise((done) => setTimeout(done, ms));
const newKey = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, "0")).join("");
const toSignIn = () => { sessionStorage.removeItem(FLIGHT); location.assign(`${base}/sign-in`); };

// `label` is what the officer reads while no answer has come. The answer, or null if it was refused or given up.
function act(label, deed, body = {}) {
  if (flight) { showFlight(true); return Promise.resolve(null); }
  return carry({ label, deed, officer: document.body.dataset.officer, key: newKey(), body: JSON.stringify({ counter, ...body }), tries: 0 });
}

// A deed that was in flight when the page was loaded anew is carried on with its key.
function carryOn() {
  let left = null;
  try { left = JSON.parse(sessionStorage.getItem(FLIGHT)); } catch { /* not ours */ }
  if (left && left.officer === document.body.dataset.officer) carry(left);
  else sessionStorage.removeItem(FLIGHT);
}

async function carry(job) {
  flight = job;
  sessionStorage.setItem(FLIGHT, JSON.stringify(job));
  changed();
  const slow = setTimeout(() => showFlight(true), SHOW_AFTER_MS);
  let answer;
  while (answer === undefined && !job.givenUp) {
    job.tries += 1;
    answer = await attempt(job);
    if (answer === undefined && !job.givenUp) { showFlight(true); await wait(RETRY_MS); }
  }
  clearTimeout(slow);
  sessionStorage.removeItem(FLIGHT);
  const fresh = await look("state").catch(() => null); // else the stream will bring it
  flight = null;
  showFlight(false);
  for (const known of [waiting, fresh]) if (known) showState(known);
  waiting = null;
  changed();
  return answer ?? null;
}

// What the stream says of a deed just sent is shown with its answer: whoever sees it may press the next key.
let waiting = null;
function onStream(fresh) {
  if (flight && flight.tries <= 1 && !fresh.signed_out) waiting = fresh;
  else showState(fresh);
}

// undefined: no answer yet. null: refused, and told so.
async function attempt(job) {
  try {
    const answer = await fetch(`${base}/console/api/${job.deed}`, {
      method: "POST",
      headers: { "content-type": "application/json", "x-csrf-token": csrf, "idempotency-key": job.key },
      body: job.body,
      signal: AbortSignal.timeout(ANSWER_MS),
    });
    if (answer.status === 401) { toSignIn(); return null; }
    if (answer.status >= 500 || answer.status === 408) return undefined;
    showLine(true);
    const result = await answer.json();
    if (answer.ok) return result;
    toast(result.title ?? "Máy chủ không nhận thao tác này.");
    return null;
  } catch {
    showLine(false);
    return undefined;
  }
}

async function look(path) {
  const answer = await fetch(`${base}/console/${path}`, { signal: AbortSignal.timeout(ANSWER_MS) });
  if (answer.status === 401) toSignIn();
  if (!answer.ok) throw new Error(String(answer.status));
  return answer.json();
}

function showFlight(on) {
  by("give-up").hidden = !(on && flight);
  if (on && flight) strip(`Đang gửi «${flight.label}», chưa có trả lời. Thao tác sẽ được làm đúng một lần; phím bấm lúc này không có tác dụng.`);
  else strip(lineUp === false ? LOST : "");
}

const LOST = "Mất kết nối với máy chủ, đang tự nối lại. Màn hình có thể đã cũ.";
let lineUp = null;

function showLine(up) {
  lineUp = up;
  by("line").classList.toggle("up", up);
  text("line", up ? "Đã kết nối" : "Mất kết nối");
  showFlight(flight !== null && flight.tries > 1);
}

function strip(message) {
  text("strip-text", message);
  by("strip").hidden = !message;
}

by("give-up").onclick = () => { if (flight) { flight.givenUp = true; toast("Đã thôi gửi. Hãy xem lại số tại quầy trước khi làm tiếp."); } };

setInterval(() => {
  if (counter === null || flight || lineUp === false) return;
  attempt({ deed: "beat", key: newKey(), body: JSON.stringify({ counter }), quiet: true });
}, 20000);

let toastTimer;
function toast(message) {
  text("toast", message);
  by("toast").hidden = false;
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => { by("toast").hidden = true; }, 6000);
}
