// The settings: a draft is edited, its changes are shown in words, then it is taken over.
"use strict";

const EFFECT_MS = 60000;
const form = by("settings");
const editors = { counters: counterEditor(), windows: windowEditor("windows"), quiet: windowEditor("quiet"), ticker: textEditor("ticker"), idle: textEditor("idle") };
let version = 0, draft = null;

const numbers = [...form.querySelectorAll('input[type="number"]:not([data-service])')];
const ofServices = [...form.querySelectorAll("[data-service]")];
const at = (path) => path.split(".");
const get = (whole, path) => at(path).reduce((found, name) => found[name], whole);
function put(whole, path, value) {
  const names = at(path), last = names.pop();
  names.reduce((found, name) => found[name], whole)[last] = value;
}
const numberOf = (node) => (node.value === "" ? null : Number(node.value));

function fill() {
  for (const node of numbers) node.value = get(draft, node.dataset.field);
  for (const node of ofServices) {
    const value = draft.services[node.dataset.service][node.dataset.name];
    if (node.type === "checkbox") node.checked = value; else node.value = value;
  }
  for (const radio of form.querySelectorAll('[name="rule"]')) radio.checked = radio.value === draft.rule.name;
  for (const box of form.querySelectorAll("[data-weekday]")) box.checked = draft.weekdays.includes(Number(box.dataset.weekday));
  for (const box of form.querySelectorAll("[data-language]")) box.checked = draft.hall.languages.includes(box.dataset.language);
  editors.counters.show(draft.counters);
  editors.windows.show(draft.windows);
  editors.quiet.show(draft.hall.quiet);
  editors.ticker.show(draft.hall.ticker);
  editors.idle.show(draft.hall.idle);
  showWrong({});
  edited(false);
}

// What the page holds now. An empty number is sent as text, so that it is refused by name.
function read() {
  const now = structuredClone(draft);
  for (const node of numbers) put(now, node.dataset.field, numberOf(node) ?? "");
  for (const node of ofServices) now.services[node.dataset.service][node.dataset.name] = node.type === "checkbox" ? node.checked : numberOf(node) ?? "";
  now.rule.name = form.querySelector('[name="rule"]:checked').value;
  now.weekdays = [...form.querySelectorAll("[data-weekday]:checked")].map((box) => Number(box.dataset.weekday));
  now.hall.languages = [...form.querySelectorAll("[data-language]:checked")].map((box) => box.dataset.language);
  now.counters = editors.counters.read();
  now.windows = editors.windows.read();
  now.hall.quiet = editors.quiet.read();
  now.hall.ticker = editors.ticker.read();
  now.hall.idle = editors.idle.read();
  return now;
}

function edited(yes = true) {
  by("review").disabled = by("undo").disabled = !yes;
  if (yes) by("effect").replaceChildren();
}

function showWrong(errors) {
  for (const node of form.querySelectorAll("[aria-invalid]")) { node.removeAttribute("aria-invalid"); node.removeAttribute("aria-describedby"); }
  for (const node of form.querySelectorAll(".field-problem")) node.remove();
  const list = el("ul");
  Object.entries(errors).forEach(([path, words], n) => {
    const box = form.querySelector(`[data-field="${CSS.escape(path)}"]`), note = el("small", "field-problem", words);
    note.id = `wrong-${n}`;
    const control = box?.matches("input, details") ? box : box?.querySelector("input");
    if (box) {
      box.closest("details")?.setAttribute("open", "");
      (box.matches("input") ? box.closest("td, label") ?? box.parentElement : box).append(note);
    }
    if (control) { control.setAttribute("aria-invalid", "true"); control.setAttribute("aria-describedby", note.id); }
    list.append(el("li", "", control ? button(words, () => control.focus(), "link") : words));
  });
  by("wrong").hidden = list.children.length === 0;
  by("wrong").replaceChildren(el("b", "", "Có mục chưa đúng:"), list);
}

function refused(data) {
  if (data.errors) { showWrong(data.errors); by("wrong").focus(); } else toast(data.title ?? "Máy chủ không nhận.");
}

function showEffect(box, { days, citizens, text: lines }) {
  const source = citizens ? `Mô phỏng theo ${citizens} lượt của ${days} ngày gần đây:` : "Chưa có số liệu: mô phỏng một ngày theo thời gian trung bình trong cấu hình:";
  box.replaceChildren(el("p", "hint", source), el("ul", "", ...lines.map((line) => el("li", "", line))));
}

async function tryRule(box) {
  box.replaceChildren(el("p", "hint", "Đang mô phỏng…"));
  const { ok, data } = await send("settings/effect", { version, draft: read() }, { quiet: true, patience: EFFECT_MS });
  if (ok) showEffect(box, data); else { box.replaceChildren(); refused(data); }
}

async function review() {
  const wanted = { version, draft: read() };
  const { ok, data } = await send("settings/preview", wanted, { quiet: true });
  if (!ok) { refused(data); return; }
  showWrong({});
  if (!data.changes.length) { toast("Không có gì thay đổi."); return; }
  by("changes").replaceChildren(...data.changes.map((change) => cells(el("tr"), heading(change.label), el("td", "old", change.before), el("td", "new", change.after))));
  by("review-effect").replaceChildren();
  if (data.changes.some((change) => change.field.startsWith("rule."))) tryRule(by("review-effect"));
  if (!(await ask("review-dialog"))) return;
  const saved = await send("settings", wanted, { quiet: true });
  if (!saved.ok) { refused(saved.data); return; }
  await load();
  toast("Đã lưu, có hiệu lực ngay.");
}

async function load() {
  ({ version, draft } = await look("settings"));
  fill();
  form.inert = false;
}

form.addEventListener("input", () => edited());
form.addEventListener("change", () => edited());
form.onsubmit = (event) => { event.preventDefault(); review(); };
by("undo").onclick = fill;
by("try").onclick = () => tryRule(by("effect"));
by("add-counter").onclick = editors.counters.more;
for (const node of form.querySelectorAll("[data-add]")) node.onclick = editors[node.dataset.add].more;
addEventListener("beforeunload", (event) => { if (!by("review").disabled) event.preventDefault(); });
load();
