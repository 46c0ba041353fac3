// The console's dialogs: counter, transfer, chosen number, pause, note, priority group.
"use strict";

for (const closer of document.querySelectorAll("[data-close]")) closer.onclick = () => closer.closest("dialog").close();
for (const dialog of document.querySelectorAll("dialog")) {
  dialog.addEventListener("click", (press) => { if (press.target === dialog && dialog.id !== "choose") dialog.close(); });
  dialog.addEventListener("close", () => document.activeElement?.blur());
}

function openDialog(id, focus) {
  by(id).returnValue = "";
  by(id).showModal();
  if (focus) { by(focus).focus(); by(focus).select?.(); }
}

// What an open dialog chooses from; null if it cannot be had. The dialog opens before it is asked for: a key
// pressed meanwhile is for the dialog, and no deed.
async function listFor(id, path, trouble) {
  try {
    return await look(path);
  } catch {
    by(id).close();
    toast(trouble);
    return null;
  }
}

// What a dialog's form does when it is sent; closing it otherwise does nothing.
function onSent(id, deed) {
  by(id).querySelector("form").addEventListener("submit", (sent) => {
    sent.preventDefault();
    const verb = sent.submitter?.value ?? "yes";
    by(id).close();
    deed(verb);
  });
}
const chosen = (name) => document.querySelector(`input[name="${name}"]:checked`)?.value ?? "";

// --- counter ---

let wanted = null;

function openChoose(lead) {
  text("choose-lead", lead ?? "Bấm số của quầy, hoặc dùng phím mũi tên rồi Enter.");
  by("take-over").hidden = true;
  by("close-counter").hidden = counter === null;
  by("choose").classList.remove("asking");
  drawChoices();
  if (!by("choose").open) by("choose").showModal();
  (document.querySelector("[data-counter].mine") ?? document.querySelector("[data-counter]")).focus();
}

function drawChoices() {
  for (const choice of document.querySelectorAll("[data-counter]")) {
    const known = state?.counters.find((c) => c.name === choice.dataset.counter);
    const who = !known?.open ? "trống" : known.mine ? "của bạn" : known.officer || "đang mở";
    choice.classList.toggle("taken", Boolean(known?.open && !known.mine));
    choice.classList.toggle("mine", Boolean(known?.mine));
    choice.querySelector("small").textContent = who;
    choice.setAttribute("aria-label", `Quầy ${choice.dataset.counter}, ${who}`);
  }
}

function chooseCounter(name) {
  const known = state?.counters.find((c) => c.name === name);
  if (known?.mine) { by("choose").close(); return; }
  if (known?.open) { askTakeOver(known); return; }
  takeCounter(name, false);
}

function askTakeOver(known) {
  wanted = known.name;
  const busy = known.number ? `, đang có số ${known.number}` : "";
  const silent = known.alive ? "" : " Máy đó đã im lặng hơn một phút.";
  text("take-over-text", `Quầy ${known.name} đang do ${known.officer || "máy khác"} giữ${busy}.${silent} Nhận quầy về máy này?`);
  by("take-over").hidden = false;
  by("choose").classList.add("asking");
  by("take-over-yes").focus();
}
by("take-over-yes").onclick = () => takeCounter(wanted, true);
by("take-over-no").onclick = () => openChoose();

async function takeCounter(name, takeOver) {
  counter = name;
  by("choose").close();
  const answer = await act(`Mở quầy ${name}`, "open", takeOver ? { take_over: true } : {});
  if (!answer) openChoose("Chưa mở được quầy. Hãy chọn lại.");
}
by("close-counter").onclick = async () => {
  by("choose").close();
  await act("Đóng quầy", "close");
};

const choices = [...document.querySelectorAll("[data-counter]")];
for (const choice of choices) choice.onclick = () => chooseCounter(choice.dataset.counter);
by("choose").addEventListener("keydown", (press) => {
  if (!by("take-over").hidden) return;
  const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[press.key];
  const at = choices.indexOf(document.activeElement);
  if (step) {
    press.preventDefault();
    choices[(at + step + choices.length) % choices.length].focus();
  } else if (choices.some((c) => c.dataset.counter === press.key)) {
    press.preventDefault();
    chooseCounter(press.key);
  }
});

// --- transfer ---

let places = null;

async function openTransfer() {
  const here = current();
  if (!here || flight) return;
  text("transfer-number", here.number);
  by("transfer-dialog").querySelector("form").reset();
  places = null;
  drawTargets();
  openDialog("transfer-dialog", "target");
  places = await listFor("transfer-dialog", "targets", "Chưa lấy được danh sách nơi nhận. Hãy thử lại.");
  drawTargets();
}

const option = (value, label) => { const node = el("option", "", label); node.value = value; return node; };

function drawTargets() {
  const kind = chosen("kind"), here = current();
  by("target-service").hidden = kind === "service";
  if (!places) { by("target").replaceChildren(option("", "Đang lấy danh sách nơi nhận…")); return; }
  const lists = {
    service: () => places.services.filter((s) => s.id !== here?.service_id).map((s) => option(s.id, `${s.name} (${s.series})`)),
    counter: () => places.counters.filter((c) => c.name !== counter).map((c) => option(c.name, `Quầy ${c.name} · ${c.open ? c.officer || "đang mở" : "đang đóng"}`)),
    officer: () => places.people.map((p) => option(p.name, p.counter ? `${p.shown} · quầy ${p.counter}` : `${p.shown} · chưa mở quầy`)),
  };
  by("target").replaceChildren(...lists[kind]());
  by("target").selectedIndex = 0;
  drawServices();
}

function drawServices() {
  if (!places) return;
  const able = chosen("kind") === "counter" && places.counters.find((c) => c.name === by("target").value)?.skills;
  const fitting = places.services.filter((s) => !able || able.includes(s.id));
  by("with-service").replaceChildren(...fitting.map((s) => option(s.id, s.name)));
  by("with-service").value = fitting.some((s) => s.id === current()?.service_id) ? current().service_id : fitting[0]?.id ?? "";
}
for (const radio of document.querySelectorAll('input[name="kind"]')) radio.onchange = drawTargets;
by("target").onchange = drawServices;
by("target").onkeydown = (press) => { if (press.key === "Enter") { press.preventDefault(); by("transfer-dialog").querySelector("form").requestSubmit(); } };

onSent("transfer-dialog", () => {
  const here = current(), kind = chosen("kind"), target = by("target").value;
  if (!here || !target) return;
  const body = { ticket: here.ticket, position: chosen("position"), service: kind === "service" ? target : by("with-service").value };
  if (kind === "counter") body.to_counter = target;
  if (kind === "officer") body.to_officer = target;
  act(`Chuyển ${here.number}`, "transfer", body);
});

// --- a chosen number ---

let numbers = null, hits = [], marked = 0, entered = false;

async function openPick() {
  if (!counter || flight) return;
  numbers = null;
  entered = false;
  by("wanted").value = "";
  search();
  openDialog("pick-dialog", "wanted");
  const line = await listFor("pick-dialog", "line", "Chưa lấy được hàng chờ. Hãy thử lại.");
  if (!line || !by("pick-dialog").open) return;
  const aside = (list, what) => list.map((n) => ({ ...n, what, mine: true }));
  numbers = [...line.numbers, ...aside(state.held, "đang giữ"), ...aside(state.missed, "vắng mặt")];
  search();
  if (entered && !by("pick-call").disabled) by("pick-call").click();
}

const bare = (number) => number.toUpperCase().replace(/[^A-ZĐ0-9]/g, "");

function search() {
  const asked = bare(by("wanted").value);
  const fits = (n) => !asked || bare(n.number).includes(asked) || String(Number(n.number.split("-")[1])) === asked;
  hits = (numbers ?? []).filter(fits);
  const exact = hits.findIndex((n) => bare(n.number) === asked || String(Number(n.number.split("-")[1])) === asked);
  marked = Math.max(0, exact);
  drawHits();
}

function drawHits() {
  by("found").replaceChildren(...hits.slice(0, 100).map((hit, n) => {
    const state_ = hit.what ?? `chờ ${since(hit.at)}`;
    const row = el("li", hit.mine ? "" : "other", el("b", "", hit.number), el("span", "", hit.service), el("small", "", [hit.urgent ? "ưu tiên" : "", state_].filter(Boolean).join(" · ")));
    row.id = `hit-${n}`;
    row.setAttribute("role", "option");
    row.setAttribute("aria-selected", String(n === marked));
    row.onclick = () => { marked = n; drawHits(); by("wanted").focus(); };
    return row;
  }));
  const any = hits.length > 0;
  by("wanted").setAttribute("aria-activedescendant", any ? `hit-${marked}` : "");
  by(`hit-${marked}`)?.scrollIntoView({ block: "nearest" });
  by("pick-call").disabled = !any || Boolean(current() || state.paused);
  by("pick-print").disabled = !any || hits[marked].what === "vắng mặt";
  text("pick-hint", !numbers ? "Đang lấy hàng chờ…" : current() ? `Quầy đang có số ${current().number}: hoàn thành hoặc giữ số đó rồi mới gọi số khác.` : state.paused ? "Quầy đang tạm nghỉ: mở lại rồi mới gọi." : any ? `${hits.length} số` : "Không có số nào như vậy đang chờ.");
}
by("wanted").oninput = search;
by("pick-dialog").addEventListener("keydown", (press) => {
  const step = { ArrowDown: 1, ArrowUp: -1 }[press.key];
  if (step && hits.length) {
    press.preventDefault();
    marked = Math.min(Math.max(0, marked + step), Math.min(hits.length, 100) - 1);
    drawHits();
  } else if (press.key === "F2") {
    press.preventDefault();
    by("pick-print").click();
  } else if (press.key === "Enter") {
    entered = true; // counts when the line has come
  }
});
by("pick-print").onclick = () => {
  const hit = hits[marked];
  by("pick-dialog").close();
  reprint(hit);
};
onSent("pick-dialog", () => { if (hits[marked] && !by("pick-call").disabled) callChosen(hits[marked]); });

// --- pause, note, group, help ---

function openPause() {
  if (!counter || flight) return;
  by("other-reason").value = "";
  openDialog("pause-dialog");
  by("pause-dialog").querySelector("[data-reason]").focus();
}
const pauseFor = (reason) => { by("pause-dialog").close(); act("Tạm nghỉ", "pause", { reason }); };
for (const preset of document.querySelectorAll("[data-reason]")) preset.onclick = () => pauseFor(preset.dataset.reason);
by("pause-dialog").addEventListener("keydown", (press) => {
  if (press.target === by("other-reason")) return;
  const preset = document.querySelectorAll("[data-reason]")[Number(press.key) - 1];
  if (preset) { press.preventDefault(); preset.click(); }
});
onSent("pause-dialog", () => pauseFor(by("other-reason").value.trim() || document.querySelector("[data-reason]").dataset.reason));

function openNote(field) {
  const here = current();
  if (!here || flight) return;
  text("note-number", here.number);
  by("reference-field").value = here.reference;
  by("note-field").value = here.note;
  openDialog("note-dialog", field);
}
by("note-field").onkeydown = (press) => { if (press.key === "Enter" && press.ctrlKey) by("note-dialog").querySelector("form").requestSubmit(); };
onSent("note-dialog", () => {
  const here = current();
  if (here) act("Lưu ghi chú", "note", { ticket: here.ticket, note: by("note-field").value, reference: by("reference-field").value });
});

function openGroup() {
  const here = current();
  if (!here || flight) return;
  const radio = [...document.querySelectorAll('input[name="group"]')].find((r) => r.value === here.group);
  if (radio) radio.checked = true;
  openDialog("group-dialog");
  radio?.focus();
}
onSent("group-dialog", () => {
  const here = current();
  if (here) act("Xác nhận diện ưu tiên", "group", { ticket: here.ticket, group: chosen("group") });
});

// --- the own password ---

by("who").onclick = () => {
  by("password-dialog").querySelector("form").reset();
  by("password-problem").hidden = true;
  openDialog("password-dialog", "old-password");
};
by("password-dialog").querySelector("form").addEventListener("submit", async (sent) => {
  sent.preventDefault();
  let problem = "Mất kết nối, mật khẩu có thể chưa đổi. Hãy thử lại.";
  try {
    const body = JSON.stringify({ old: by("old-password").value, new: by("new-password").value });
    const answer = await fetch(`${base}/password`, { method: "POST", headers: { "x-csrf-token": csrf }, body });
    if (answer.ok || answer.status === 401) { toSignIn(); return; }
    problem = (await answer.json()).title;
  } catch { /* told below */ }
  text("password-problem", problem);
  by("password-problem").hidden = false;
});

by("help").onclick = () => openDialog("help-dialog");
