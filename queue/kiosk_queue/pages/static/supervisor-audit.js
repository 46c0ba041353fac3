// The audit: events by day, kind and actor, the newest first, page by page.
"use strict";

const NAMES = { service: "dịch vụ", urgent: "ưu tiên", ahead: "trước đó", channel: "kênh", why: "vì sao", waited: "đã chờ (giây)", served: "phục vụ (giây)", reason: "lý do", role: "vai trò", account: "tài khoản", version: "phiên bản", score: "điểm", kiosk: "kiosk", device: "thiết bị", url: "địa chỉ", day: "ngày", left_open: "còn lại", was: "đang", to_counter: "đến quầy", to_officer: "đến cán bộ", position: "vị trí", times: "lần", group: "nhóm", series: "dãy", first: "từ", last: "đến", call: "lời gọi", what: "gồm", slot: "giờ hẹn", before: "trước đây", late: "đến muộn", given_at: "cấp lúc", offline: "lúc mất mạng" };
const secondFormat = new Intl.DateTimeFormat("en-GB", { timeZone: ZONE, hour: "2-digit", minute: "2-digit", second: "2-digit", day: "2-digit", month: "2-digit" });
let older = null, shownEvents = 0;

const STORED_TIME = /^\d{4}-\d\d-\d\dT[\d:.]+Z$/;
const words = (value) => (value === true ? "có" : value === false ? "không" : STORED_TIME.test(value) ? secondFormat.format(new Date(value)) : String(value));

function details(event) {
  const box = el("td", "details");
  if (event.changes.length) {
    box.append(el("ul", "", ...event.changes.map((change) => el("li", "", `${change.label}: `, el("del", "", change.before), " → ", el("ins", "", change.after)))));
    return box;
  }
  const parts = Object.entries(event.body).filter(([, value]) => value !== "" && value !== null && !(Array.isArray(value) && !value.length));
  box.append(parts.map(([name, value]) => `${NAMES[name] ?? name}: ${words(value)}`).join(" · "));
  return box;
}

function row(event) {
  const at = el("time", "", secondFormat.format(new Date(event.at)));
  at.dateTime = event.at;
  return cells(el("tr"), num(event.seq), el("td", "when", at), heading(event.title), event.actor, event.counter, el("td", "number", event.number ?? ""), details(event));
}

async function more(fresh) {
  const asked = new URLSearchParams({ day: by("day").value, kind: by("kind").value, actor: by("actor").value });
  if (!fresh && older !== null) asked.set("before", older);
  let page;
  try { page = await look(`audit?${asked}`); } catch (error) { toast(error.message); return; }
  if (fresh) { by("events").replaceChildren(); shownEvents = 0; }
  by("events").append(...page.events.map(row));
  shownEvents += page.events.length;
  older = page.older;
  by("older").hidden = older === null;
  by("none").hidden = shownEvents > 0 || older !== null;
  text("found", shownEvents ? `${shownEvents} sự kiện` : "");
}

by("filter").onsubmit = (event) => { event.preventDefault(); more(true); };
by("kind").onchange = by("day").onchange = () => more(true);
by("any-day").onclick = () => { by("day").value = ""; more(true); };
by("older").onclick = () => more(false);
more(true);
