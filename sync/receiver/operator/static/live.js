// The page fetches itself anew every ten seconds. What changed is changed in place: focus, selection, typed text,
// open details and a Vietnamese syllable being composed stay as they are.
"use strict";

const EVERY_MS = 10000, LATEST_MS = 8000;
let active = true;

for (const deed of ["keydown", "pointerdown", "wheel", "touchstart"]) {
  addEventListener(deed, () => { active = true; }, { passive: true });
}
const printer = document.getElementById("print");
if (printer) printer.addEventListener("click", () => print());

function same(one, other) {
  return one.nodeType === other.nodeType && one.nodeName === other.nodeName && (one.id || "") === (other.id || "");
}

function takeAttributes(old, fresh) {
  for (const { name, value } of fresh.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  for (const { name } of [...old.attributes]) {
    const users = name === "open" && old.nodeName === "DETAILS";
    if (!fresh.hasAttribute(name) && !users) old.removeAttribute(name);
  }
}

// Makes the children of `old` those of `fresh`. Where places change, what has the focus stays and the rest moves.
function takeChildren(old, fresh) {
  let place = old.firstChild;
  for (const wanted of [...fresh.childNodes]) {
    let found = place;
    while (found && !same(found, wanted)) found = found.nextSibling;
    if (!found) {
      old.insertBefore(document.importNode(wanted, true), place);
      continue;
    }
    if (found !== place && !found.contains(document.activeElement)) old.insertBefore(found, place);
    else while (place !== found) { const later = place.nextSibling; old.append(place); place = later; }
    if (found === place) place = place.nextSibling;
    take(found, wanted);
  }
  while (place) { const gone = place; place = place.nextSibling; gone.remove(); }
}

function take(old, fresh) {
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.data !== fresh.data) old.data = fresh.data;
    return;
  }
  if (["INPUT", "TEXTAREA", "SELECT"].includes(old.nodeName)) return;
  takeAttributes(old, fresh);
  takeChildren(old, fresh);
}

function say(problem) {
  const lost = document.getElementById("lost");
  if (lost.textContent !== problem) lost.textContent = problem;
  lost.hidden = !problem;
  document.body.classList.toggle("lost", Boolean(problem));
}

async function refresh() {
  const given = { "X-Live": active ? "active" : "idle" };
  active = false;
  try {
    const answer = await fetch(document.body.dataset.live + location.search, { headers: given, signal: AbortSignal.timeout(LATEST_MS) });
    if (answer.status === 401) return say("Phiên làm việc đã hết. Hãy tải lại trang để đăng nhập.");
    if (!answer.ok) throw new Error(String(answer.status));
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const part of ["nav", "main", "#line"]) takeChildren(document.querySelector(part), fresh.querySelector(part));
    say("");
  } catch {
    const since = document.querySelector("#line time").textContent;
    say(`Không cập nhật được từ ${since}: số liệu dưới đây đã cũ. Đang thử lại.`);
  }
  setTimeout(refresh, EVERY_MS);
}

if (document.body.dataset.live) setTimeout(refresh, EVERY_MS);
