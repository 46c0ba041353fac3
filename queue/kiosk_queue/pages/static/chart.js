// Small charts in SVG, each with its table: bars side by side or stacked, and lines over them.
"use strict";

const SVG = "http://www.w3.org/2000/svg";
const NARROW = 680, FULL = 1280, HIGH = 270, LEFT = 46, RIGHT = 10, TOP = 12, BOTTOM = 30, MOST_LABELS = 14;

function shape(tag, attributes, ...children) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

// The next round number above, so that four lines divide it well.
function ceiling(value) {
  if (value <= 4) return 4;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 4, 5, 6, 8, 10].map((n) => n * power).find((n) => n >= value);
}
const shownValue = (value, unit) => (value === null ? "–" : `${String(value).replace(".", ",")}${unit}`);

// `series`: [{ name, values, kind: "bar" | "line" }]; a null value is a gap. Bars of one place are stacked if wanted.
function chart(title, labels, series, { stacked = false, unit = "", first = "", full = false } = {}) {
  const WIDE = full ? FULL : NARROW;
  const box = el("figure", "chart");
  if (!labels.length || series.every((one) => one.values.every((value) => !value))) {
    box.append(el("p", "empty", "Chưa có số liệu."));
    return box;
  }
  const bars = series.filter((one) => one.kind === "bar");
  const tops = labels.map((_, n) => (stacked ? bars.reduce((sum, one) => sum + (one.values[n] ?? 0), 0) : 0));
  const top = ceiling(Math.max(...tops, ...series.flatMap((one) => (stacked && one.kind === "bar" ? [] : one.values.map((v) => v ?? 0)))));
  const step = (WIDE - LEFT - RIGHT) / labels.length;
  const y = (value) => TOP + (HIGH - TOP - BOTTOM) * (1 - value / top);
  const svg = shape("svg", { viewBox: `0 0 ${WIDE} ${HIGH}`, role: "img", "aria-label": `${title}. Số liệu ở bảng bên dưới.` });
  for (let n = 0; n <= 4; n += 1) {
    const at = y((top * n) / 4);
    svg.append(shape("line", { x1: LEFT, x2: WIDE - RIGHT, y1: at, y2: at, class: n ? "grid" : "axis" }));
    svg.append(shape("text", { x: LEFT - 6, y: at + 4, class: "tick end" }, String(Math.round((top * n) / 4 * 100) / 100).replace(".", ",")));
  }
  const every = Math.ceil(labels.length / MOST_LABELS);
  labels.forEach((label, n) => {
    if (n % every === 0) svg.append(shape("text", { x: LEFT + step * (n + 0.5), y: HIGH - 9, class: "tick middle" }, label));
  });
  const gap = Math.min(step * 0.24, 22), room = Math.min(step - gap, stacked ? 70 : 46 * Math.max(1, bars.length)), wide = room / (stacked ? 1 : Math.max(1, bars.length));
  labels.forEach((label, n) => {
    let under = 0;
    bars.forEach((one, place) => {
      const value = one.values[n] ?? 0;
      if (!value) return;
      const x = LEFT + step * (n + 0.5) - room / 2 + (stacked ? 0 : place * wide);
      const rect = shape("rect", { x, y: y(under + value), width: Math.max(1, wide - (stacked ? 0 : 1)), height: Math.max(1, y(under) - y(under + value)), class: `s${series.indexOf(one)}` });
      rect.append(shape("title", {}, `${label} · ${one.name}: ${shownValue(value, unit)}`));
      svg.append(rect);
      if (stacked) under += value;
    });
  });
  for (const one of series.filter((line) => line.kind === "line")) drawLine(svg, one, series.indexOf(one), labels, unit, step, y);
  box.append(legend(series), svg, tableOf(title, labels, series, unit, first));
  return box;
}

// One row for each name: a bar, and a mark further right for a second value.
function rowsChart(title, names, bars, marks, unit) {
  const box = el("figure", "chart"), room = 300, left = 250, step = 30, high = names.length * step + 24;
  const top = ceiling(Math.max(...bars.values, ...marks.values, 0));
  const x = (value) => left + (value / top) * room;
  const svg = shape("svg", { viewBox: `0 0 ${left + room + 60} ${high}`, role: "img", "aria-label": `${title}. Số liệu ở bảng bên cạnh.` });
  for (let n = 0; n <= 4; n += 1) {
    const at = x((top * n) / 4);
    svg.append(shape("line", { x1: at, x2: at, y1: 0, y2: high - 22, class: n ? "grid" : "axis" }));
    svg.append(shape("text", { x: at, y: high - 6, class: "tick middle" }, `${String((top * n) / 4).replace(".", ",")}${n === 4 ? unit : ""}`));
  }
  names.forEach((name, n) => {
    const y = n * step, bar = bars.values[n] ?? 0, mark = marks.values[n];
    const label = shape("text", { x: left - 8, y: y + 19, class: "row-name end" }, name.length > 36 ? `${name.slice(0, 34)}…` : name);
    const rect = shape("rect", { x: left, y: y + 6, width: Math.max(1, x(bar) - left), height: step - 12, class: "s0" });
    rect.append(shape("title", {}, `${name} · ${bars.name}: ${shownValue(bars.values[n], unit)}`));
    svg.append(label, rect);
    if (mark === null) return;
    const line = shape("line", { x1: x(mark), x2: x(mark), y1: y + 4, y2: y + step - 4, class: "mark" });
    line.append(shape("title", {}, `${name} · ${marks.name}: ${shownValue(mark, unit)}`));
    svg.append(line);
  });
  box.append(legend([{ name: bars.name, kind: "bar" }, { name: marks.name, kind: "line" }]), svg);
  return box;
}

function drawLine(svg, one, place, labels, unit, step, y) {
  let path = "", up = true;
  const points = [];
  one.values.forEach((value, n) => {
    if (value === null) { up = true; return; }
    const x = LEFT + step * (n + 0.5);
    path += `${up ? "M" : "L"}${x.toFixed(1)} ${y(value).toFixed(1)}`;
    up = false;
    const point = shape("circle", { cx: x, cy: y(value), r: labels.length > 40 ? 2 : 3.5, class: `p${place}` });
    point.append(shape("title", {}, `${labels[n]} · ${one.name}: ${shownValue(value, unit)}`));
    points.push(point);
  });
  svg.append(shape("path", { d: path, class: `l${place}` }), ...points);
}

function legend(series) {
  const list = el("ul", "legend");
  list.setAttribute("aria-hidden", "true");
  list.append(...series.map((one, n) => {
    const key = shape("svg", { viewBox: "0 0 22 12", class: "key" });
    key.append(one.kind === "bar" ? shape("rect", { x: 4, y: 1, width: 14, height: 10, class: `s${n}` }) : shape("path", { d: "M1 6H21", class: `l${n}` }));
    return el("li", "", key, one.name);
  }));
  return list;
}

function tableOf(title, labels, series, unit, first) {
  const details = el("details", "numbers", el("summary", "", "Bảng số liệu"));
  const table = el("table");
  table.append(el("caption", "sr", title));
  const head = el("tr");
  for (const name of [first, ...series.map((one) => one.name)]) {
    const cell = el("th", name === first ? "" : "num", name);
    cell.scope = "col";
    head.append(cell);
  }
  table.append(el("thead", "", head));
  table.append(el("tbody", "", ...labels.map((label, n) => cells(el("tr"), heading(label), ...series.map((one) => num(shownValue(one.values[n], unit)))))));
  const scroll = el("div", "scroll", table);
  scroll.tabIndex = 0;
  scroll.setAttribute("role", "region");
  scroll.setAttribute("aria-label", title);
  details.append(scroll);
  return details;
}
