// The officer's console: keyboard first. Every deed carries a key, so a lost reply is asked again and never done twice.
"use strict";

const RETRY_MS = 1200, GIVE_UP_MS = 30000, DOUBLE_PRESS_MS = 1500;
const csrf = document.body.dataset.csrf, holder = document.body.dataset.holder;
let state = null, counter = null, busy = false, calledAt = -Infinity;

const key = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, "0")).join("");
const wait = (ms) => new Promise((done) => setTimeout(done, ms));

// --- deeds ---

async function send(deed, body) {
  const options = {
    method: "POST",
    headers: { "content-type": "application/json", "x-csrf-token": csrf },
    body: JSON.stringify({ ...body, key: key() }),
  };
  const begun = performance.now();
  for (;;) {
    try {
      const answer = await fetch(`/console/api/${deed}`, { ...options, signal: AbortSignal.timeout(5000) });
      if (answer.status === 401) location.assign("/console/sign-in");
      const result = await answer.json();
      if (answer.ok) return result;
      if (answer.status < 500) { toast(result.title); return null; }
    } catch { /* no connection: the same key again */ }
    if (performance.now() - begun > GIVE_UP_MS) { toast("Chưa gửi được thao tác. Hãy kiểm tra mạng rồi bấm lại."); return null; }
    await wait(RETRY_MS);
  }
}

async function act(deed, body) {
  if (busy) return null;
  busy = true;
  enable();
  const result = await send(deed, { counter, ...body });
  busy = false;
  enable();
  return result;
}

const mine = () => state && state.counters.find((c) => c.name === counter && c.holder === holder);
const current = () => mine()?.current ?? null;

async function callNext() {
  if (!mine() || performance.now() - calledAt < DOUBLE_PRESS_MS) return;
  const result = await act("call", { current: current()?.ticket ?? null });
  if (result?.ticket) calledAt = performance.now();
  if (result && !result.ticket) toast("Không có người chờ.");
}
const onCurrent = (deed) => () => current() && act(deed, { ticket: current().ticket });

const deeds = { call: callNext, recall: onCurrent("recall"), finish: onCurrent("finish"), "no-show": onCurrent("no-show") };
for (const [id, deed] of Object.entries(deeds)) {
  by(id).onclick = (press) => { press.currentTarget.blur(); deed(); };
}

const shortcuts = { " ": "call", enter: "call", r: "recall", f: "finish", n: "no-show" };
addEventListener("keydown", (press) => {
  if (press.repeat || press.ctrlKey || press.altKey || press.metaKey) return;
  if (by("choose").open) return chooseByKey(press);
  const name = press.key.toLowerCase();
  const onControl = press.target.closest?.("button, input, select");
  if (onControl && (name === " " || name === "enter")) return;
  if (!(name in shortcuts)) return;
  press.preventDefault();
  deeds[shortcuts[name]]();
});

function enable() {
  const here = current();
  by("call").disabled = busy || !mine();
  for (const id of ["recall", "finish", "no-show"]) by(id).disabled = busy || !here;
  document.querySelector(".deeds").classList.toggle("busy", busy);
}

// --- counter ---

function chooseByKey(press) {
  const choice = [...document.querySelectorAll("[data-counter]")].find((b) => b.dataset.counter === press.key);
  if (choice) { press.preventDefault(); choice.click(); }
}
for (const choice of document.querySelectorAll("[data-counter]")) {
  choice.onclick = async () => {
    if (await send("counter", { counter: choice.dataset.counter })) by("choose").close();
    document.activeElement?.blur();
  };
}
by("change-counter").onclick = (press) => { press.currentTarget.blur(); by("choose").showModal(); };
by("choose").addEventListener("cancel", (event) => { if (!mine()) event.preventDefault(); });
by("sign-out").onclick = async () => {
  await fetch("/console/sign-out", { method: "POST", headers: { "x-csrf-token": csrf } });
  location.assign("/console/sign-in");
};

function findCounter() {
  const held = state.counters.find((c) => c.holder === holder);
  const lost = counter !== null && !held;
  counter = held ? held.name : null;
  text("counter", counter ?? "–");
  if (lost) toast("Quầy của bạn đã được mở ở máy khác.");
  if (!held && !by("choose").open) by("choose").showModal();
  if (held && lost) by("choose").close();
  for (const choice of document.querySelectorAll("[data-counter]")) {
    const open = state.counters.find((c) => c.name === choice.dataset.counter)?.holder;
    choice.querySelector("small").textContent = open ? (open === holder ? "của bạn" : "đang mở") : "";
  }
}

// --- drawing ---

function showState(fresh) {
  state = fresh;
  clock.set(state.now);
  findCounter();
  showCurrent();
  showNext();
  showLines();
  showSide();
  enable();
  document.body.dataset.seq = state.seq;
}

function showCurrent() {
  const here = current();
  by("serving").hidden = !here;
  by("idle").hidden = Boolean(here);
  if (!here) return;
  text("number", here.number);
  by("number").classList.toggle("long", here.number.length > 6);
  text("service", here.service);
  by("priority").hidden = !here.priority;
  text("priority", `Ưu tiên: ${here.priority}`);
  text("waited", minutes(Date.parse(here.called_at) - Date.parse(here.issued_at)));
  text("recalls", `${here.recalls} lần`);
  text("why", `Vì sao gọi số này: ${here.why}`);
  tick();
}

function showNext() {
  by("has-next").hidden = !state.next;
  by("no-next").hidden = Boolean(state.next);
  if (!state.next) return;
  text("next-number", state.next.number);
  text("next-service", state.next.service);
  text("next-why", state.next.why);
}

function showLines() {
  const total = state.waiting.reduce((sum, line) => sum + line.count, 0);
  const most = Math.max(1, ...state.waiting.map((line) => line.count));
  const oldest = state.waiting.map((line) => line.oldest).filter(Boolean).sort()[0];
  text("total", String(total));
  text("longest", oldest ? since(oldest) : "–");
  text("completed", String(state.served.completed));
  text("absent", String(state.served.no_show));
  by("lines").replaceChildren(...state.waiting.map((line) => {
    const bar = el("span", "bar");
    bar.style.width = `${(100 * line.count) / most}%`;
    const waited = line.oldest ? clock.now() - Date.parse(line.oldest) : 0;
    return el("tr", line.count ? "" : "none",
      el("td", "", line.name, el("small", "", line.series)),
      el("td", "num", String(line.count)),
      el("td", "bars", ...(line.count ? [bar] : [])),
      el("td", "num", line.urgent ? String(line.urgent) : "–"),
      el("td", waited > 30 * 60000 ? "num late" : "num", line.oldest ? minutes(waited) : "–"));
  }));
}

const STATES = { called: "đang phục vụ", completed: "hoàn thành", no_show: "vắng mặt" };

function showSide() {
  by("staff").hidden = state.staff_calls.length === 0;
  by("staff-calls").replaceChildren(...state.staff_calls.map((call) =>
    el("li", "", el("b", "", call.kiosk), ago(call.at), button("Đến ngay", () => act("answer-staff", { call: call.id })))));
  by("paper").hidden = state.unprinted.length === 0;
  by("unprinted").replaceChildren(...state.unprinted.map((ticket) => {
    const wanted = ticket.paper === "wanted";
    const side = wanted ? el("span", "state", "chờ in lại") : button("In lại", () => act("reprint", { ticket: ticket.ticket }));
    return el("li", "", el("b", "", ticket.number), ago(ticket.at), side);
  }));
  by("no-calls").hidden = state.calls.length > 0;
  by("calls").replaceChildren(...state.calls.map((call) =>
    el("li", "", el("b", "", call.number), el("span", "ago", `quầy ${call.counter} · ${hour(new Date(call.at))}`),
      el("span", `state ${call.state}`, STATES[call.state]))));
  by("counters").replaceChildren(...state.counters.map((c) =>
    el("li", c.name === counter ? "mine" : "", el("b", "", `Quầy ${c.name}`), el("span", "", c.current?.number ?? (c.holder ? "trống" : "đóng")))));
}

function button(label, deed) {
  const node = el("button", "side-button", label);
  node.onclick = deed;
  return node;
}
const ago = (iso) => el("span", "ago", `${since(iso)} trước`);
const since = (iso) => minutes(clock.now() - Date.parse(iso));
const minutes = (ms) => (ms < 60000 ? "dưới 1 phút" : `${Math.floor(ms / 60000)} phút`);

let toastTimer;
function toast(message) {
  text("toast", message);
  by("toast").hidden = false;
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => { by("toast").hidden = true; }, 6000);
}

function tick() {
  text("time", hour(clock.now()));
  text("date", dateLine(clock.now()));
  const here = current();
  if (!here) return;
  const seconds = Math.max(0, Math.floor((clock.now() - Date.parse(here.called_at)) / 1000));
  text("serving-time", `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`);
}
tick();
setInterval(tick, 1000);

listen("/console/events", {
  onState: showState,
  onLine: (up) => {
    by("lost").hidden = up;
    by("line").classList.toggle("up", up);
    text("line", up ? "Đã kết nối" : "Mất kết nối");
  },
  onRefused: async () => {
    const answer = await fetch("/console", { redirect: "manual" }).catch(() => null);
    if (answer?.type === "opaqueredirect") location.assign("/console/sign-in");
  },
});
