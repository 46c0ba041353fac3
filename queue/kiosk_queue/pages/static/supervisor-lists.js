// Editors of lists in the settings: counters, working times, texts. Each has `show(entries)` and `read()`.
"use strict";

function input(type, value, label, field) {
  const node = el("input");
  Object.assign(node, { type, value });
  node.setAttribute("aria-label", label);
  node.dataset.field = field;
  node.autocomplete = "off";
  return node;
}

// `make(entry, n, label)` gives the controls of one entry, `read(row)` the entry that they hold.
function listEditor(id, words, make, read, empty) {
  const box = by(id), path = box.dataset.field;
  function add(entry, focus = false) {
    const row = el("div", "entry");
    box.append(row);
    fill(row, entry, box.children.length - 1);
    if (focus) row.querySelector("input").focus();
  }
  function fill(row, entry, n) {
    const remove = button("Bỏ", () => { const rest = readAll().filter((_, at) => at !== n); show(rest); edited(); });
    remove.setAttribute("aria-label", `Bỏ ${words} ${n + 1}`);
    row.dataset.field = `${path}.${n}`;
    row.replaceChildren(...make(entry, n, `${path}.${n}`), remove);
  }
  const readAll = () => [...box.children].map(read);
  const show = (entries) => { box.replaceChildren(); entries.forEach((entry) => add(entry)); };
  return { show, read: readAll, more: () => { add(structuredClone(empty), true); edited(); } };
}

const windowEditor = (id) => listEditor(id, "khung giờ",
  (entry, n, path) => [input("time", entry.start, `Khung ${n + 1}: từ`, `${path}.start`), " đến ", input("time", entry.end, `Khung ${n + 1}: đến`, `${path}.end`)],
  (row) => { const [start, end] = row.querySelectorAll("input"); return { start: start.value, end: end.value }; },
  { start: "", end: "" });

const textEditor = (id) => listEditor(id, "dòng",
  (entry, n, path) => {
    const vi = input("text", entry.vi, `Dòng ${n + 1}, tiếng Việt`, `${path}.vi`), en = input("text", entry.en ?? "", `Dòng ${n + 1}, tiếng Anh`, `${path}.en`);
    vi.placeholder = "Tiếng Việt";
    en.placeholder = "English";
    return [vi, en];
  },
  (row) => { const [vi, en] = row.querySelectorAll("input"); return { vi: vi.value, en: en.value }; },
  { vi: "", en: "" });

const services = [...document.querySelectorAll('[data-name="open"]')].map((node) => ({ id: node.dataset.service, name: node.closest("tr").querySelector("th").firstChild.textContent.trim() }));

function skillsBox(entry, n, path) {
  const details = el("details", "skills"), summary = el("summary"), list = el("div", "ticks");
  details.dataset.field = `${path}.skills`;
  const boxes = services.map(({ id, name }) => {
    const box = el("input");
    Object.assign(box, { type: "checkbox", value: id, checked: entry.skills.includes(id) });
    list.append(el("label", "", box, name));
    return box;
  });
  const count = () => {
    const chosen = boxes.filter((box) => box.checked);
    summary.textContent = chosen.length ? `${chosen.length} dịch vụ: ${chosen.map((box) => services.find(({ id }) => id === box.value).name).join(", ")}` : "Mọi dịch vụ";
  };
  list.addEventListener("change", count);
  count();
  details.append(summary, list);
  return details;
}

const counterEditor = () => listEditor("counters", "quầy",
  (entry, n, path) => {
    const name = input("text", entry.name, `Tên quầy thứ ${n + 1}`, `${path}.name`), zone = input("text", entry.zone, `Khu vực của quầy thứ ${n + 1}`, `${path}.zone`);
    name.maxLength = zone.maxLength = 40;
    return [el("label", "with", "Quầy ", name), el("label", "with", "Khu vực ", zone), skillsBox(entry, n, path)];
  },
  (row) => {
    const [name, zone] = row.querySelectorAll('input[type="text"]');
    return { name: name.value.trim(), zone: zone.value.trim(), skills: [...row.querySelectorAll(".ticks :checked")].map((box) => box.value) };
  },
  { name: "", zone: "", skills: [] });
