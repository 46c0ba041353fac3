// Charts of today and of a range of days, and what can be taken away of it.
"use strict";

const REFRESH_MS = 60000;
const today = document.body.dataset.day;
const column = (rows, name) => rows.map((row) => row[name]);
const bar = (name, values) => ({ name, values, kind: "bar" });
const lineOf = (name, values) => ({ name, values, kind: "line" });
const daysBefore = (n) => {
  const date = new Date(`${today}T00:00:00Z`);
  date.setUTCDate(date.getUTCDate() - n);
  return date.toISOString().slice(0, 10);
};
const shortDay = (name) => (/^\d{4}-\d\d-\d\d$/.test(name) ? `${name.slice(8)}/${name.slice(5, 7)}` : /^\d{4}-\d\d$/.test(name) ? `${name.slice(5)}/${name.slice(0, 4)}` : `Tuần ${Number(name.slice(6))}`);
const clockText = (minute) => `${String(Math.floor(minute / 60) % 24).padStart(2, "0")}:${String(minute % 60).padStart(2, "0")}`;

async function drawToday() {
  const { quarters, start } = await look("today");
  by("today").replaceChildren(chart("Hôm nay theo từng 15 phút", quarters.map((q) => clockText(q.minute + start)), [
    bar("Số cấp", column(quarters, "arrivals")), bar("Lượt gọi", column(quarters, "calls")), lineOf("Đang chờ cuối khung", column(quarters, "waiting")),
  ], { first: "Khung giờ", full: true }));
}

function figure(value, label, hint = "") {
  const node = el("p", "", el("b", "", value), label);
  if (hint) node.append(el("small", "", hint));
  return node;
}

function breakdown(title, rows) {
  const table = el("table"), head = el("tr");
  const names = ["", "Lượt gọi", "Hoàn thành", "Vắng", "Chờ TB", "90 % chờ dưới", "Đúng hạn", "Phục vụ TB", "Hài lòng"];
  names.forEach((name, n) => {
    const cell = el("th", n ? "num" : "", name || el("span", "sr", title));
    cell.scope = "col";
    head.append(cell);
  });
  const lines = rows.map((row) => cells(el("tr"), heading(row.name), num(row.called), num(row.completed), num(row.missed), num(minutes(row.mean_wait)), num(minutes(row.p90_wait)), num(percent(row.within)), num(minutes(row.mean_served)), num(row.rated ? `${decimal(row.rating)} (${row.rated})` : "–")));
  table.append(el("caption", "sr", title), el("thead", "", head), el("tbody", "", ...lines));
  const scroll = el("div", "scroll", table);
  scroll.tabIndex = 0;
  scroll.setAttribute("role", "group");
  scroll.setAttribute("aria-label", title);
  if (!rows.length) return el("p", "empty", "Chưa có số liệu.");
  return el("div", "breakdown", rowsChart(`Thời gian chờ ${title.toLowerCase()}`, column(rows, "name"), { name: "Chờ trung bình", values: column(rows, "mean_wait") }, { name: "90 % chờ dưới", values: column(rows, "p90_wait") }, " phút"), scroll);
}

// Periods before the first one in which anything happened say nothing.
function since(periods) {
  const first = periods.findIndex((period) => period.issued || period.called);
  return first < 0 ? [] : periods.slice(first);
}

async function drawRange() {
  const from = by("from").value, to = by("to").value, grouped = by("by").value;
  let found;
  by("problem").hidden = true;
  document.body.setAttribute("aria-busy", "true");
  try { found = await look(`history?from=${from}&to=${to}&by=${grouped}`); } catch (error) {
    text("problem", error.message);
    by("problem").hidden = false;
    return;
  } finally { document.body.removeAttribute("aria-busy"); }
  const { total } = found, periods = since(found.periods), labels = column(periods, "name").map(shortDay);
  by("totals").replaceChildren(
    figure(String(total.issued), "số đã cấp"), figure(String(total.completed), "lượt hoàn thành"), figure(String(total.missed), "vắng mặt"),
    figure(minutes(total.mean_wait), "chờ trung bình"), figure(minutes(total.p90_wait), "90 % chờ dưới"), figure(percent(total.within), "đúng hạn"),
    figure(total.rated ? `${decimal(total.rating)}/5` : "–", `hài lòng (${total.rated} lượt)`));
  by("volume").replaceChildren(chart("Số đã cấp và lượt phục vụ", labels, [bar("Hoàn thành", column(periods, "completed")), bar("Vắng mặt", column(periods, "missed")), lineOf("Số đã cấp", column(periods, "issued"))], { stacked: true, first: "Thời gian" }));
  by("waits").replaceChildren(chart("Thời gian chờ", labels, [bar("Trung bình", column(periods, "mean_wait")), lineOf("90 % chờ dưới", column(periods, "p90_wait"))], { unit: " phút", first: "Thời gian" }));
  by("distribution").replaceChildren(chart("Phân bố thời gian chờ so với cam kết", found.distribution.map((bin) => (bin.to === null ? `trên ${bin.from}` : `${bin.from}–${bin.to}`)), [
    bar("Trong cam kết", found.distribution.map((bin) => bin.count - bin.late)), bar("Quá cam kết", column(found.distribution, "late")),
  ], { stacked: true, first: "Phút chờ" }));
  by("rating").replaceChildren(chart("Hài lòng", found.scores.map(({ score }) => `${score} ★`), [bar("Lượt đánh giá", column(found.scores, "count"))], { first: "Điểm" }));
  by("by-service").replaceChildren(breakdown("Theo dịch vụ", found.services));
  by("by-counter").replaceChildren(breakdown("Theo quầy", found.counters));
  const estimate = found.estimate;
  by("estimate").replaceChildren(...(estimate.tickets ? [
    figure(String(estimate.tickets), "lượt có dự báo"), figure(minutes(estimate.mae), "sai lệch trung bình", estimate.mean_wait ? ` ${percent(estimate.mae / estimate.mean_wait)} thời gian chờ` : ""),
    figure(minutes(Math.abs(estimate.bias)), estimate.bias >= 0 ? "chờ lâu hơn dự báo" : "chờ ngắn hơn dự báo"),
    figure(percent(estimate.shown), "nằm trong khoảng in trên phiếu"), figure(percent(estimate.p10_p90), "nằm trong khoảng 10–90 %", " mong đợi 80 %"),
  ] : [el("p", "empty", "Chưa có dự báo nào để so.")]));
  for (const link of document.querySelectorAll("[data-export]")) link.href = `${base}/supervisor/export/${link.dataset.export}?from=${from}&to=${to}`;
}

by("range").onsubmit = (event) => { event.preventDefault(); drawRange(); };
for (const quick of document.querySelectorAll("[data-days]")) {
  quick.onclick = () => {
    by("from").value = daysBefore(Number(quick.dataset.days) - 1);
    by("to").value = today;
    by("by").value = quick.dataset.by ?? "day";
    drawRange();
  };
}
by("from").value = daysBefore(6);
by("to").value = today;
drawToday();
drawRange();
setInterval(() => drawToday().catch(() => {}), REFRESH_MS);
