// The officer's console: keyboard first.
"use strict";

const DOUBLE_PRESS_MS = 1500;
let state = null, counter = null, calledAt = -Infinity;

const current = () => state?.current ?? null;

// --- deeds ---

async function callNext() {
  const justCalled = current() && performance.now() - calledAt < DOUBLE_PRESS_MS;
  if (counter === null || state?.paused || justCalled) return;
  const answer = await act("Gọi số tiếp theo", "next", { current: current()?.ticket ?? null });
  if (answer?.ticket) calledAt = performance.now();
  else if (answer) toast("Không có người chờ ở dịch vụ của quầy này.");
}
const onCurrent = (label, deed) => () => { const here = current(); if (here) act(`${label} ${here.number}`, deed, { ticket: here.ticket }); };
const callChosen = (item) => act(`Gọi ${item.number}`, "call", { ticket: item.ticket });
const reprint = (item) => act(`In lại ${item.number}`, "reprint", { ticket: item.ticket });
const undoTransfer = () => { if (state?.undo && !by("undo").hidden) act(`Hoàn tác chuyển ${state.undo.number}`, "undo-transfer", { ticket: state.undo.ticket }); };
const showOthers = () => { showAll = !showAll; drawLines(); };

async function signOut() {
  if (flight) { showFlight(true); return; }
  try {
    const answer = await fetch(`${base}/sign-out`, { method: "POST", headers: { "x-csrf-token": csrf } });
    if (answer.ok || answer.status === 401) toSignIn();
    else toast((await answer.json()).title);
  } catch { toast("Chưa đăng xuất được: mất kết nối."); }
}

const buttons = {
  next: callNext,
  resume: () => act("Mở lại quầy", "pause", { reason: "" }),
  recall: onCurrent("Gọi lại", "recall"),
  serve: onCurrent("Phục vụ", "serve"),
  complete: onCurrent("Hoàn thành", "complete"),
  hold: onCurrent("Giữ", "hold"),
  "no-show": onCurrent("Báo vắng", "no-show"),
  transfer: openTransfer,
  "note-deed": () => openNote("note-field"),
  pick: openPick,
  pause: openPause,
  "confirm-group": openGroup,
  "undo-transfer": undoTransfer,
  "change-counter": () => openChoose(),
  "sign-out": signOut,
  all: showOthers,
};
for (const [id, deed] of Object.entries(buttons)) {
  by(id).onclick = (press) => {
    if (press.detail > 0) press.currentTarget.blur(); // by mouse: Space goes back to calling
    deed();
  };
}

// --- keys ---

const KEYS = {
  n: "next", " ": "next", r: "recall", s: "serve", enter: "serve", c: "complete", h: "hold", v: "no-show", t: "transfer",
  g: "note-deed", "/": "pick", u: "confirm-group", o: "change-counter", a: "all", "?": "help",
};

// A Vietnamese input method may hide the letter; the key's place tells it.
function nameOf(press) {
  if (press.key.length === 1 || press.key === "Enter") return press.key.toLowerCase();
  return press.code.startsWith("Key") ? press.code.slice(3).toLowerCase() : "";
}

addEventListener("keydown", (press) => {
  if (press.repeat || press.altKey || press.metaKey || document.querySelector("dialog[open]")) return;
  const name = nameOf(press);
  if (press.ctrlKey) {
    if (name === "z") { press.preventDefault(); undoTransfer(); }
    return;
  }
  if (press.target.closest?.("button, a") && (name === " " || name === "enter")) return;
  const id = name === "p" ? (state?.paused ? "resume" : "pause") : KEYS[name];
  if (name === "d" && current()) { press.preventDefault(); openNote("reference-field"); return; }
  if (!id) return;
  press.preventDefault();
  if (flight) { showFlight(true); return; }
  if (!by(id).disabled && !by(id).hidden) by(id).click();
});

// --- state ---

function findCounter() {
  const before = counter, dialog = by("choose");
  counter = state.counter;
  text("counter", counter ?? "–");
  if (dialog.open && by("take-over").hidden) drawChoices();
  if (counter !== null || flight) return;
  if (before !== null) openChoose(`Quầy ${before} không còn ở máy này. Chọn lại quầy để làm tiếp.`);
  else if (!dialog.open && !asked) openChoose();
  asked = true;
}
let asked = false;

function showState(fresh) {
  if (fresh.signed_out) { toSignIn(); return; }
  if (state && fresh.seq < state.seq) return;
  state = fresh;
  if (lineUp === false) showLine(true); // a deed without answer had put it down, the stream goes on
  clock.set(state.now);
  findCounter();
  drawCurrent();
  drawNext();
  drawLines();
  changed();
  document.body.dataset.seq = state.seq;
}

function changed() {
  if (!state) return;
  enable();
  drawLists();
  drawTime();
}

drawTime();
setInterval(drawTime, 1000);
enable();
carryOn();

listen(`${base}/console/events`, {
  onState: onStream,
  onEvent: (event) => {
    if (event.kind === "staff_called") toast(`Kiosk ${event.kiosk} gọi cán bộ.`);
    if (event.kind === "print_failed") toast(`Số ${event.number} chưa in được phiếu.`);
  },
  onLine: showLine,
  onRefused: async () => {
    const answer = await fetch(`${base}/console/state`, { signal: AbortSignal.timeout(ANSWER_MS) }).catch(() => null);
    if (answer?.status === 401) toSignIn();
  },
});
