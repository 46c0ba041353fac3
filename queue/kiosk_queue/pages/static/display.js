// The hall display: the newest call large at once, earlier calls beside it, every call spoken in full and in order.
"use strict";

const STALE_MS = 60000; // a call older than this is shown, not spoken
const TILES = 4, TILE_MS = 8000;
let lines = [], pageOfTiles = 0, shownAt = null, spoken = 0;

function showState(state) {
  clock.set(state.now);
  showCalls(state.calls);
  lines = state.waiting.filter((line) => line.count > 0);
  text("total", String(lines.reduce((sum, line) => sum + line.count, 0)));
  showLines();
  document.body.dataset.seq = state.seq;
}

function showCalls(calls) {
  const first = calls.find((call) => call.state === "called"); // nobody is invited to a counter that has finished
  const rest = calls.filter((call) => call !== first);
  by("welcome").hidden = Boolean(first);
  by("call").hidden = !first;
  by("none").hidden = rest.length > 0;
  if (first) {
    text("number", first.number);
    by("number").classList.toggle("long", first.number.length > 6);
    text("counter", first.counter);
    if (shownAt !== null && first.at > shownAt) freshen(by("hero"));
  }
  shownAt = calls.length ? calls[0].at : "";
  showSpeaker(spokenNumber);
  const rows = rest.slice(0, 5).map((call) => {
    const row = el("li", call.state === "called" ? "" : "done", el("span", "", call.number), el("b", "", call.counter));
    if (call.state === "called" && clock.now() - Date.parse(call.at) < 6000) row.classList.add("fresh");
    return row;
  });
  by("recent").replaceChildren(...rows);
}

function freshen(node) {
  node.classList.remove("fresh");
  void node.offsetWidth; // restarts the animation
  node.classList.add("fresh");
}

function showLines() {
  const pages = Math.max(1, Math.ceil(lines.length / TILES));
  pageOfTiles %= pages;
  const most = Math.max(1, ...lines.map((line) => line.count));
  const tiles = lines.slice(pageOfTiles * TILES, (pageOfTiles + 1) * TILES).map((line) => {
    const bar = el("i");
    bar.style.setProperty("--share", `${(100 * line.count) / most}%`);
    return el("li", "", el("span", "", line.name), el("b", "", String(line.count)), bar);
  });
  const signature = tiles.map((tile) => tile.textContent).join("|");
  if (by("lines").dataset.signature !== signature) {
    by("lines").dataset.signature = signature;
    by("lines").replaceChildren(...tiles);
  }
  by("lines").hidden = lines.length === 0;
  by("nobody").hidden = lines.length > 0;
}

// --- voice: one after the other, never over each other ---

const announcements = [];
let speaking = false, spokenNumber = null;

function announce(call) {
  if (call.seq <= spoken || clock.now() - Date.parse(call.at) > STALE_MS) return;
  spoken = call.seq;
  announcements.push(call);
  if (!speaking) speakAll();
}

async function speakAll() {
  speaking = true;
  while (announcements.length) {
    const call = announcements.shift();
    document.body.dataset.speaking = call.seq;
    showSpeaker(call.number);
    await speak(call);
    showSpeaker(null);
    document.body.dataset.spoken = call.seq;
  }
  speaking = false;
}

function showSpeaker(number) {
  spokenNumber = number;
  by("speaker").toggleAttribute("hidden", number === null || number !== by("number").textContent);
}

function speak(call) {
  return new Promise((done) => {
    const audio = new Audio(call.voice);
    const limit = setTimeout(finish, 20000);
    function finish() {
      clearTimeout(limit);
      audio.pause();
      done();
    }
    audio.onended = finish;
    audio.onerror = finish; // no voice: the call is on the screen
    audio.play().then(() => { by("sound").hidden = true; }, (refusal) => {
      if (refusal.name === "NotAllowedError") by("sound").hidden = false;
      finish();
    });
  });
}
by("sound").onclick = () => { by("sound").hidden = true; };

function tick() {
  text("time", hour(clock.now()));
  text("date", dateLine(clock.now()));
}
tick();
setInterval(tick, 1000);
setInterval(() => { pageOfTiles += 1; showLines(); }, TILE_MS);

listen("/events", {
  onState: showState,
  onEvent: announce,
  onLine: (up) => { by("lost").hidden = up; },
});
