// What the console shows of the state that the server sent.
"use strict";

const since = (iso) => minutes(clock.now() - Date.parse(iso));
const minutes = (ms) => (ms < 60000 ? "dưới 1 phút" : `${Math.floor(ms / 60000)} phút`);
const duration = (ms) => { const s = Math.max(0, Math.floor(ms / 1000)); return `${Math.floor(s / 60)}:${String(s % 60).padStart(2, "0")}`; };

function drawCurrent() {
  const here = current();
  by("serving").hidden = !here;
  by("idle").hidden = Boolean(here);
  text("current-title", (here?.state === "called" ? "Đang gọi" : here ? "Đang phục vụ" : "Tại quầy") + (here && state.paused ? " · rồi tạm nghỉ" : ""));
  document.querySelector(".current").dataset.state = here?.state ?? (state.paused ? "paused" : "idle");
  by("paused").hidden = !state.paused || Boolean(here);
  text("paused", `Đang tạm nghỉ: ${state.paused}`);
  by("idle-text").hidden = Boolean(state.paused);
  text("idle-text", counter === null ? "Chưa mở quầy nào." : "Quầy đang trống.");
  text("invite", counter === null ? "Bấm O để chọn quầy." : state.paused ? "Bấm P để mở lại." : state.next ? `Bấm N hoặc Space để gọi ${state.next.number}.` : "");
  if (here) drawTicket(here);
}

function drawTicket(here) {
  text("number", here.number);
  by("number").classList.toggle("long", here.number.length > 6);
  by("number").classList.toggle("longer", here.number.length > 8);
  text("service", here.service);
  by("further").hidden = here.further.length === 0;
  text("further", `Sau đó: ${here.further.join(" → ")}`);
  by("group").classList.toggle("sure", here.confirmed);
  by("group").classList.toggle("none", !here.group && !here.confirmed);
  const belongs = here.group ? `Ưu tiên: ${here.group_name}` : "Không thuộc diện ưu tiên";
  text("group-text", here.confirmed ? `✓ ${belongs}` : here.group ? `${belongs} (tự khai)` : "Không khai diện ưu tiên");
  by("confirm-group").firstChild.textContent = here.confirmed || !here.group ? "Sửa " : "Xác nhận ";
  text("waited", minutes(here.waited * 1000));
  text("calls", `${here.calls} lần`);
  text("reference", here.reference || "–");
  text("why", here.why);
  by("note").hidden = !here.note;
  text("note", `Ghi chú: ${here.note}`);
}

function drawNext() {
  by("has-next").hidden = !state.next;
  by("no-next").hidden = Boolean(state.next);
  text("no-next", counter === null ? "Mở quầy để biết số tiếp theo." : "Không có người chờ ở dịch vụ của quầy này.");
  if (!state.next) return;
  text("next-number", state.next.number);
  text("next-service", state.next.service);
  by("next-urgent").hidden = !state.next.urgent;
  text("next-why", state.next.why);
}

let showAll = false;

function drawLines() {
  const mine = state.lines.filter((line) => line.mine), others = state.lines.filter((line) => !line.mine);
  const oldest = mine.map((line) => line.oldest).filter(Boolean).sort()[0];
  text("total", String(mine.reduce((sum, line) => sum + line.count, 0)));
  text("longest", oldest ? since(oldest) : "–");
  text("served", String(state.own.served));
  text("mean", state.own.mean === null ? "–" : duration(state.own.mean * 1000));
  by("all").hidden = others.length === 0;
  by("all").setAttribute("aria-expanded", String(showAll));
  const elsewhere = others.reduce((sum, line) => sum + line.count, 0);
  text("all-label", showAll ? "Ẩn dịch vụ khác" : `Dịch vụ khác: ${elsewhere} người chờ`);
  const shown = showAll ? [...mine, ...others] : mine;
  const most = Math.max(1, ...shown.map((line) => line.count));
  by("lines").replaceChildren(...shown.map((line) => lineRow(line, most)));
}

function lineRow(line, most) {
  const bar = el("span", "bar");
  bar.style.width = `${(100 * line.count) / most}%`;
  const waited = line.oldest ? Math.max(0, clock.now() - Date.parse(line.oldest)) : 0;
  const late = line.target > 0 && waited > line.target * 60000;
  const longest = el("td", late ? "num late" : "num", line.oldest ? minutes(waited) : "–");
  if (late) longest.append(el("small", "", "quá hạn"));
  const classes = [line.count ? "" : "none", line.mine ? "" : "other"].filter(Boolean).join(" ");
  const name = el("th", "", line.name, el("small", "", line.series));
  name.scope = "row";
  return el("tr", classes, name, el("td", "num", String(line.count)), el("td", "bars", ...(line.count ? [bar] : [])),
    el("td", "num", line.urgent ? String(line.urgent) : "–"), longest);
}

// A list is drawn anew only if it changed: whoever stands on one of its buttons stays there.
const drawn = {};
function drawList(id, items, row) {
  const now = JSON.stringify([items, flight !== null, Boolean(current() || state.paused), counter, Math.floor(clock.now() / 60000)]);
  if (drawn[id] === now) return;
  drawn[id] = now;
  const focused = by(id).contains(document.activeElement) ? document.activeElement.dataset.id : null;
  by(id).replaceChildren(...items.map(row));
  if (focused) by(id).querySelector(`[data-id="${CSS.escape(focused)}"]`)?.focus();
}

function listButton(label, item, name, deed, { blocked = false } = {}) {
  const node = el("button", "small", label);
  node.dataset.id = `${label} ${item}`;
  node.setAttribute("aria-label", `${label} ${item}`);
  node.title = name;
  node.disabled = blocked || flight !== null || counter === null;
  node.onclick = deed;
  return node;
}

function drawLists() {
  const busy = Boolean(current() || state.paused);
  const what = (item) => el("span", "what", el("b", "", item.number), el("small", "", ` ${since(item.at)}`), el("span", "", item.service),
    ...[item.reason, item.note].filter(Boolean).map((words) => el("small", "words", words)));
  by("staff").hidden = state.staff_calls.length === 0;
  drawList("staff-calls", state.staff_calls, (call) => el("li", "", el("b", "", call.kiosk), el("span", "what", el("small", "", `${since(call.at)} trước`)),
    listButton("Đến ngay", call.kiosk, "Báo rằng bạn đang đến kiosk", () => act(`Đến ${call.kiosk}`, "answer-staff", { call: call.id }))));
  drawList("held", state.held, (held) => el("li", "", what(held),
    listButton("Gọi", held.number, "Gọi số này đến quầy", () => callChosen(held), { blocked: busy }),
    listButton("Về hàng", held.number, "Trả số về hàng chờ, theo giờ đến", () => act(`Trả ${held.number} về hàng`, "unhold", { ticket: held.ticket }))));
  drawList("missed", state.missed, (missed) => el("li", "", what(missed),
    listButton("Gọi", missed.number, "Công dân đã quay lại: gọi số này", () => callChosen(missed), { blocked: busy })));
  by("paper").hidden = state.unprinted.length === 0;
  drawList("unprinted", state.unprinted, (ticket) => el("li", "", what(ticket),
    ticket.paper === "wanted" ? el("small", "soon", "chờ in") : listButton("In lại", ticket.number, "Kiosk rảnh sẽ in lại phiếu", () => reprint(ticket))));
  for (const [id, list] of [["held", state.held], ["missed", state.missed]]) by(`no-${id}`).hidden = list.length > 0;
  for (const id of ["held", "missed", "unprinted"]) text(`${id}-count`, state[id].length ? String(state[id].length) : "");
  drawList("counters", state.counters, (desk) => el("li", desk.mine ? "mine" : "", el("b", "", `Quầy ${desk.name}`),
    el("span", "", !desk.open ? "đóng" : desk.number ?? (desk.paused ? "tạm nghỉ" : "trống"))));
}

function drawUndo() {
  const left = state.undo ? Math.ceil((Date.parse(state.undo.until) - clock.now()) / 1000) : 0;
  by("undo").hidden = left <= 0 || Boolean(current());
  if (left > 0) text("undo-text", `Đã chuyển ${state.undo.number} đến ${state.undo.service} · còn ${left} giây`);
}

function drawTime() {
  text("time", hour(clock.now()));
  text("date", dateLine(clock.now()));
  if (!state) return;
  const here = current(), from = here && (here.serving_at ?? here.at);
  by("since").hidden = !here;
  if (here) {
    text("since-what", here.state === "called" ? "đã gọi" : "tại quầy");
    text("since-time", duration(clock.now() - Date.parse(from)));
  }
  drawUndo();
  drawRecall(here);
}

function drawRecall(here) {
  const left = here ? Math.ceil((Date.parse(here.recall_from) - clock.now()) / 1000) : 0;
  const able = here?.state === "called" && here.recalls_left > 0;
  text("recall-label", able && left > 0 ? `Gọi lại sau ${left}″` : here && here.state === "called" && !able ? "Hết lượt gọi" : "Gọi lại");
  by("recall").disabled = flight !== null || !able || left > 0;
}

function enable() {
  const here = current(), called = here?.state === "called", free = flight === null && counter !== null;
  by("next").hidden = Boolean(state?.paused);
  by("resume").hidden = !state?.paused;
  by("next").disabled = !free;
  by("resume").disabled = !free;
  by("pause").disabled = !free || Boolean(state?.paused);
  by("pick").disabled = !free;
  by("serve").disabled = !free || !called;
  by("no-show").disabled = !free || !called || !here.may_miss;
  by("no-show").title = called && !here.may_miss ? `Sau ${here.calls_needed} lần gọi` : "";
  for (const id of ["complete", "hold", "transfer", "note-deed", "confirm-group"]) by(id).disabled = !free || !here;
  by("undo-transfer").disabled = !free;
  document.querySelector(".deeds").setAttribute("aria-busy", String(flight !== null));
}
