// The phone page of a number: told by the server as things change, asks by itself where that does not work.
"use strict";

const OVER = ["completed", "void", "expired"];
const SILENCE_MS = 45000, POLL_MS = 8000, SLOW_MS = 20000, TIMEOUT_MS = 6000;
const body = document.body, path = body.dataset.path, lang = document.documentElement.lang;
const by = (id) => document.getElementById(id);
const name = document.title;

let source = null, heard = performance.now(), asked = 0, announced = null, first = true;

// --- showing ---

function show(state) {
  const called = state.state === "called";
  if (called && state.announced !== announced && !first) alarm.ring();
  announced = called ? state.announced : null;
  first = false;
  body.dataset.state = state.state;
  document.title = called ? `▶ ${by("counter").previousElementSibling.textContent} ${state.counter}` : name;
  put("service", state.service[lang]);
  put("counter", state.counter ?? "");
  put("serving-at", state.counter ?? "");
  put("zone-name", state.zone);
  by("zone").hidden = !state.zone;
  by("urgent").hidden = !state.urgent;
  by("booked").hidden = !state.appointment;
  put("booked-at", state.appointment ?? "");
  put("further-names", state.further.map((service) => service[lang]).join(", "));
  by("further").hidden = !state.further.length;
  line(state);
  put("void", by("void").dataset[state.given_back ? "given" : "gone"]);
  if (state.state === "completed") scored(state.score);
  fresh(state.at);
}

function line(state) {
  by("next").hidden = state.ahead !== 0;
  by("line").hidden = !state.ahead;
  put("ahead", state.ahead ?? "");
  const wait = by("wait"), range = state.wait;
  wait.hidden = !range;
  by("unknown").hidden = !!range;
  if (!range) return;
  const words = range.soon ? wait.dataset.soon : range.hours ? wait.dataset.hours : range.low ? wait.dataset.range : wait.dataset.less;
  put("wait", words.replace("{low}", range.low).replace("{high}", range.high).replace("{hours}", range.hours));
}

function scored(score) {
  for (const button of document.querySelectorAll("[data-score]")) {
    button.setAttribute("aria-pressed", String(Number(button.dataset.score) === score));
  }
  put("thanks", score ? by("rate").dataset.thanks : "");
}

function put(id, value) {
  const node = by(id), text = String(value);
  if (node.textContent !== text) node.textContent = text;
}

function fresh(at) {
  heard = performance.now();
  put("at", at);
  put("lost-at", at);
  by("lost").hidden = true;
}

// --- hearing ---

const done = () => OVER.includes(body.dataset.state);

function listen() {
  source?.close();
  source = new EventSource(`${path}/events`);
  source.onmessage = (message) => {
    show(JSON.parse(message.data));
    if (done() || body.dataset.state === "no_show") source.close();
  };
  source.addEventListener("beat", (message) => fresh(message.data));
  source.onerror = () => { asked = 0; setTimeout(look, 300); };
}

// The stream is not there: ask, say so if that fails too, and try the stream again.
async function look() {
  if (done()) return;
  if (source.readyState === EventSource.OPEN && performance.now() - heard < SILENCE_MS) {
    by("lost").hidden = navigator.onLine;
    return;
  }
  const every = body.dataset.state === "no_show" ? SLOW_MS : POLL_MS;
  if (asked && performance.now() - asked < every) return;
  asked = performance.now();
  try {
    const answer = await fetch(`${path}/state`, { signal: AbortSignal.timeout(TIMEOUT_MS) });
    if (!answer.ok) throw new Error(answer.status);
    show(await answer.json());
    if (!done() && body.dataset.state !== "no_show" && source.readyState !== EventSource.CONNECTING) listen();
  } catch {
    by("lost").hidden = false;
  }
}

listen();
setInterval(look, 2000);
addEventListener("offline", () => { by("lost").hidden = false; });
addEventListener("online", () => { asked = 0; look(); });
document.addEventListener("visibilitychange", () => {
  if (document.hidden) return;
  asked = 0;
  look();
  alarm.stayAwake();
});

// --- doing ---

// Not randomUUID: it is missing where the page came over plain HTTP.
const key = () => Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => byte.toString(16).padStart(2, "0")).join("");

async function send(deed, value, once) {
  const headers = { "content-type": "application/json", "idempotency-key": once };
  const request = { method: "POST", headers, body: JSON.stringify(value), signal: AbortSignal.timeout(TIMEOUT_MS) };
  return fetch(`${path}/${deed}`, request);
}

for (const id of ["give-back", "alarm"]) by(id).hidden = false;

let giving = null; // the same key until the answer is known
by("give-back").onclick = () => { giving = key(); by("wrong").hidden = true; by("sure").showModal(); };
by("keep").onclick = () => by("sure").close();
by("give").onclick = async () => {
  by("give").disabled = true;
  try {
    const answer = await send("give-back", {}, giving);
    if (answer.ok) by("sure").close();
    else wrong(answer.status === 409 ? "late" : "failed");
    asked = 0;
    if (source.readyState !== EventSource.OPEN) look();
  } catch {
    wrong("failed");
  }
  by("give").disabled = false;
};

function wrong(why) {
  by("wrong").textContent = by("wrong").dataset[why];
  by("wrong").hidden = false;
}

by("alarm").onclick = async () => {
  const on = by("alarm").getAttribute("aria-pressed") !== "true";
  await (on ? alarm.arm() : alarm.disarm());
  by("alarm").setAttribute("aria-pressed", String(on));
  by("alarm").lastElementChild.textContent = by("alarm").dataset[on ? "on" : "off"];
};

for (const button of document.querySelectorAll("[data-score]")) {
  button.onclick = async () => {
    const score = Number(button.dataset.score);
    try {
      const answer = await send("rate", { score }, key());
      if (answer.ok) scored(score);
    } catch {
      by("lost").hidden = false;
    }
  };
}
