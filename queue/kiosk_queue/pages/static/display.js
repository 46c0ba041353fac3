// The hall display: what the server says, shown; calls announced; never empty, never older than it must be.

import { Announcements } from "./display-voice.js";
import { Calls, by, text } from "./display-calls.js";
import { Slides, buildTicker } from "./display-idle.js";
import { clock, connect } from "./display-line.js";

const { base, zone, build } = document.body.dataset;
const SLIDE_MS = 12000, TILES_MS = 8000, SHIFT_MS = 60000, RELOAD_APART_MS = 60000, LOST_AFTER_MS = 2000;
const SHIFTS = [[0, 0], [3, 0], [3, 2], [0, 2], [-3, 2], [-3, 0], [-3, -2], [0, -2], [3, -2]]; // pixels of 1920

const calls = new Calls(), slides = new Slides();
const voice = new Announcements({
  sound: new URLSearchParams(location.search).get("sound") !== "off",
  onStart: (call) => {
    document.body.dataset.speaking = call.seq;
    calls.announce(call);
  },
  onEnd: (call, spoken) => {
    if (spoken) document.body.dataset.spoken = call.seq;
    if (call === null) calls.announce(null);
  },
});

let texts = null, asking = false, dayFormat = null, hourFormat = null;

function onState(state) {
  clock.set(state.now);
  calls.show(state);
  voice.follow(state);
  remember(state.seq);
  if (texts === null || texts.settings !== state.settings) loadTexts();
  if (state.build !== build) renew();
  document.body.dataset.seq = state.seq;
  document.body.dataset.day = state.day;
}

async function loadTexts() {
  if (asking) return;
  asking = true;
  try {
    const answer = await fetch(`${base}/display/texts`);
    if (answer.ok) useTexts(await answer.json());
  } catch {
    // the next state asks again
  } finally {
    asking = false;
  }
}

function useTexts(found) {
  texts = found;
  voice.volume = found.volume;
  document.body.classList.toggle("no-en", !found.languages.includes("en"));
  text("centre-vi", found.centre.vi);
  text("centre-en", found.centre.en === found.centre.vi ? "" : found.centre.en);
  document.title = `Gọi số · ${found.centre.vi}`;
  hourFormat = new Intl.DateTimeFormat("en-GB", { timeZone: found.zone, hour: "2-digit", minute: "2-digit" });
  dayFormat = new Intl.DateTimeFormat("vi", { timeZone: found.zone, weekday: "long", day: "2-digit", month: "2-digit", year: "numeric" });
  slides.build(found);
  buildTicker(found);
  tick();
}

// A newer server: load its pages, when nothing is being announced and only if they can be had now.
async function renew() {
  const last = Number(sessionStorage.getItem("hall-renewed") || 0);
  if (voice.busy || asking || Date.now() - last < RELOAD_APART_MS) return;
  asking = true;
  try {
    if ((await fetch(location.href, { cache: "no-store" })).ok) {
      sessionStorage.setItem("hall-renewed", String(Date.now()));
      location.reload();
    }
  } catch {
    // it stays as it is; the next state tries again
  } finally {
    asking = false;
  }
}

// A page that is loaded anew goes on after the last event, so that no call in between is lost.
const key = `hall-seq ${location.pathname} ${zone}`;
function remember(seq) {
  sessionStorage.setItem(key, String(seq));
}
function remembered() {
  const seq = sessionStorage.getItem(key);
  return seq === null ? null : Number(seq);
}

function tick() {
  if (!hourFormat) return;
  text("time", hourFormat.format(clock.now()));
  text("date", dayFormat.format(clock.now()));
}

let minute = 0;
function shift() {
  minute += 1;
  const [x, y] = SHIFTS[minute % SHIFTS.length].map((pixels) => (pixels * innerWidth) / 1920);
  by("stage").style.setProperty("--shift-x", `${x}px`);
  by("stage").style.setProperty("--shift-y", `${y}px`);
}

let lostTimer = 0;
function onLine(up) {
  clearTimeout(lostTimer);
  if (up) by("lost").hidden = true;
  else lostTimer = setTimeout(() => { by("lost").hidden = false; }, LOST_AFTER_MS);
}

text("zone", zone ? `Khu ${zone}` : "");
by("zone").hidden = !zone;
setInterval(() => { tick(); calls.draw(); }, 1000);
setInterval(() => { if (!calls.inviting) slides.turn(); }, SLIDE_MS);
setInterval(() => calls.turn(), TILES_MS);
setInterval(shift, SHIFT_MS);
const query = zone ? `?zone=${encodeURIComponent(zone)}` : "";
connect(`${base}/display/events${query}`, remembered(), { onState, onEvent: (call) => voice.add(call), onLine });
