// What every supervisor page needs: requests with their key, messages, dialogs, times.
"use strict";

const ANSWER_MS = 10000, TRIES = 4, RETRY_MS = 1200;
const base = document.body.dataset.base, csrf = document.body.dataset.csrf;
const toSignIn = () => location.assign(`${base}/sign-in?to=supervisor`);
const newKey = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, "0")).join("");
const pause = (ms) => new Promise((done) => setTimeout(done, ms));

// A look; throws with what the server said.
async function look(path) {
  const answer = await fetch(`${base}/supervisor/api/${path}`);
  if (answer.status === 401) toSignIn();
  const data = await answer.json();
  if (!answer.ok) throw new Error(data.title ?? String(answer.status));
  return data;
}

// A deed, asked again with the same key while nobody answers. { ok, data }; what was refused is told unless `quiet`.
async function send(path, body, { quiet = false, patience = ANSWER_MS } = {}) {
  const key = newKey();
  for (let n = 1; ; n += 1) {
    try {
      const answer = await fetch(`${base}/supervisor/api/${path}`, {
        method: "POST",
        headers: { "content-type": "application/json", "x-csrf-token": csrf, "idempotency-key": key },
        body: JSON.stringify(body),
        signal: AbortSignal.timeout(patience),
      });
      if (answer.status === 401) toSignIn();
      if (answer.status < 500 && answer.status !== 408) {
        const data = await answer.json();
        if (!answer.ok && !quiet) toast(data.title ?? "Máy chủ không nhận.");
        return { ok: answer.ok, data };
      }
    } catch { /* asked again */ }
    if (n === TRIES) { toast("Mất kết nối với máy chủ, chưa biết đã làm hay chưa. Hãy tải lại trang."); return { ok: false, data: {} }; }
    await pause(RETRY_MS);
  }
}

let toastTimer;
function toast(message) {
  text("toast", message);
  by("toast").hidden = false;
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => { by("toast").hidden = true; }, 7000);
}

// Opens a dialog; true once its main button was pressed.
function ask(id) {
  const dialog = by(id);
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((done) => { dialog.onclose = () => done(dialog.returnValue === "yes"); });
}
for (const button of document.querySelectorAll("dialog [data-close]")) button.onclick = () => button.closest("dialog").close();

by("sign-out").onclick = async () => {
  const answer = await fetch(`${base}/sign-out`, { method: "POST", headers: { "x-csrf-token": csrf } }).catch(() => null);
  if (answer?.ok || answer?.status === 401) toSignIn();
  else toast(answer ? (await answer.json()).title : "Chưa đăng xuất được: mất kết nối.");
};

const minutes = (value) => (value === null ? "–" : `${String(value).replace(".", ",")} phút`);
const percent = (share) => (share === null ? "–" : `${Math.round(share * 100)} %`);
const decimal = (value) => (value === null ? "–" : String(value).replace(".", ","));
function lasted(iso) {
  const seconds = Math.max(0, Math.floor((clock.now() - Date.parse(iso)) / 1000));
  const hours = Math.floor(seconds / 3600), left = Math.floor((seconds % 3600) / 60);
  return hours ? `${hours} giờ ${left} phút` : seconds >= 60 ? `${left} phút` : `${seconds} giây`;
}
function button(label, onclick, className = "small") {
  const node = el("button", className, label);
  node.type = "button";
  node.onclick = onclick;
  return node;
}
function cells(row, ...values) {
  for (const value of values) row.append(value instanceof HTMLTableCellElement ? value : el("td", "", value ?? ""));
  return row;
}
function heading(...children) {
  const node = el("th", "", ...children);
  node.scope = "row";
  return node;
}
const num = (value) => el("td", "num", String(value));
