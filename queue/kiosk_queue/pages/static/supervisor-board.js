// The live board: drawn from the stream, times carried on every second.
"use strict";

const LEVELS = { ok: ["●", "Trong hạn"], near: ["▲", "Sắp quá hạn"], late: ["■", "Quá hạn"], none: ["", "Không có người chờ"] };
const STATES = { closed: "Đóng", free: "Rảnh", called: "Đang gọi", serving: "Đang phục vụ", paused: "Tạm nghỉ" };
const PAPER = { failed: "in hỏng", wanted: "chờ in lại", pending: "kiosk chưa báo đã in" };
let state = null;

// Redraws a list only when its content changed: focus and screen readers are left in peace.
const drawn = new Map();
function draw(id, items, make) {
  const now = JSON.stringify(items);
  if (drawn.get(id) === now) return;
  drawn.set(id, now);
  by(id).replaceChildren(...items.map(make));
}
function since(iso, className = "since") {
  const node = el("span", className);
  node.dataset.since = iso;
  node.textContent = lasted(iso);
  return node;
}

function serviceRow(service) {
  const row = el("tr", service.waiting ? "" : "none");
  const [sign, words] = LEVELS[service.level];
  const wait = el("td", `wait ${service.level}`);
  if (service.level === "none") wait.append(words);
  else {
    wait.append(el("span", "light", sign), since(service.oldest, "longest"), el("span", "words", service.target ? ` ${words}` : ""));
    if (service.target) {
      const meter = el("meter");
      Object.assign(meter, { min: 0, max: service.target * 60, value: Math.min(service.target * 60, (clock.now() - Date.parse(service.oldest)) / 1000) });
      meter.setAttribute("aria-hidden", "true");
      wait.append(meter);
    }
  }
  const name = heading(service.name, " ", el("small", "", service.series));
  if (!service.takes) name.append(" ", el("span", "chip", "Ngừng nhận số"));
  if (service.waiting && !service.served) name.append(" ", el("span", "chip red", "Không quầy nào nhận"));
  const waiting = num(service.waiting);
  if (service.urgent) waiting.append(el("small", "", `${service.urgent} ưu tiên`));
  return cells(row, name, waiting, wait, num(service.target ? `${decimal(service.target)} phút` : "–"), num(service.called), num(service.mean_wait === null ? "–" : `${decimal(service.mean_wait)} phút`));
}

function counterCard(counter) {
  const card = el("li", `counter ${counter.state}`);
  const top = el("p", "top", el("b", "name", `Quầy ${counter.counter}`), el("span", "state", STATES[counter.state]));
  if (counter.silent) top.append(el("span", "chip red", "Mất kết nối"));
  card.append(top);
  card.append(el("p", "now", counter.number ?? "–"));
  const about = counter.state === "paused" ? counter.reason : counter.service;
  card.append(el("p", "about", about || (counter.state === "closed" ? "Chưa có cán bộ" : " ")));
  const foot = el("p", "foot-line", el("span", "officer", counter.officer || " "));
  if (counter.since) foot.append(since(counter.since));
  card.append(foot);
  return card;
}

function alarmItem(alarm) {
  const item = el("li", alarm.kind, el("span", "what", alarm.text));
  if (alarm.since) item.append(since(alarm.since));
  return item;
}
function staffItem(call) {
  return el("li", "", el("b", "", call.kiosk), since(call.at));
}
function paperItem(number) {
  const item = el("li", "", el("b", "", number.number), el("span", "what", `${number.service} · ${PAPER[number.paper]}`), since(number.at));
  if (number.paper !== "wanted") item.append(button("In lại", () => send("reprint", { ticket: number.ticket })));
  item.append(button("Hủy số", async () => {
    text("void-number", number.number);
    if (await ask("void-dialog")) await send("void", { ticket: number.ticket, reason: by("void-reason").value });
    by("void-reason").value = "";
  }));
  return item;
}
function kioskItem(kiosk) {
  const words = kiosk.silent === null ? "chưa liên lạc lần nào" : kiosk.away ? "không liên lạc được" : "đang hoạt động";
  return el("li", kiosk.away ? "away" : "", el("b", "", kiosk.name), el("span", "what", words));
}

function show(fresh) {
  if (fresh.signed_out) { toSignIn(); return; }
  state = fresh;
  clock.set(state.now);
  const totals = state.totals;
  for (const name of ["waiting", "called", "completed", "issued", "held"]) text(name, String(totals[name]));
  text("mean", minutes(totals.mean_wait));
  text("open", `${totals.open}/${totals.counters}`);
  draw("services", state.services, serviceRow);
  draw("counters", state.counters, counterCard);
  draw("alarm-list", state.alarms, alarmItem);
  draw("staff", state.staff_calls, staffItem);
  draw("unprinted", state.unprinted, paperItem);
  const away = new Set(state.alarms.filter((alarm) => alarm.kind === "kiosk").map((alarm) => alarm.what));
  draw("kiosks", state.kiosks.map(({ name, silent }) => ({ name, silent: silent === null ? null : 0, away: away.has(name) })), kioskItem);
  text("alarm-count", state.alarms.length ? String(state.alarms.length) : "");
  by("alarms").classList.toggle("some", state.alarms.length > 0);
  by("calm").hidden = state.alarms.length > 0;
  by("no-staff").hidden = state.staff_calls.length > 0;
  by("no-unprinted").hidden = state.unprinted.length > 0;
  by("no-kiosks").hidden = state.kiosks.length > 0;
  document.title = `${state.alarms.length ? `(${state.alarms.length}) ` : ""}${document.title.replace(/^\(\d+\) /, "")}`;
  document.body.dataset.seq = state.seq;
}

function tick() {
  text("time", hour(clock.now()));
  text("date", dateLine(clock.now()));
  for (const node of document.querySelectorAll("[data-since]")) {
    const words = lasted(node.dataset.since);
    if (node.textContent !== words) node.textContent = words;
  }
}
tick();
setInterval(tick, 1000);

listen(`${base}/supervisor/events`, {
  onState: show,
  onLine: (up) => {
    by("line").classList.toggle("up", up);
    text("line", up ? "Đang cập nhật" : "Mất kết nối, số liệu có thể đã cũ");
  },
  onRefused: async () => {
    const answer = await fetch(`${base}/supervisor/api/board`).catch(() => null);
    if (answer?.status === 401) toSignIn();
  },
});
