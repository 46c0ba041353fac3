"use strict";

const byId = (id) => document.getElementById(id);
const all = (selector) => document.querySelectorAll(selector);
let state = {};

/* Actions */

async function act(path, parameters) {
  try {
    const answer = await fetch(`/api/${path}`, { method: "POST", body: JSON.stringify(parameters) });
    const result = await answer.json();
    if (!answer.ok) throw new Error(result.error);
    show({ ...state, [path.split("/")[0]]: result });
  } catch (error) {
    complain(error.message);
  }
}

/* What is chosen beforehand goes along with the action. */
function chosen(path) {
  const choices = [...all("select[data-with]")].filter((one) => one.dataset.with === path && one.value);
  return Object.fromEntries(choices.map((one) => [one.name, one.value]));
}

function complain(message) {
  const toast = byId("toast");
  toast.textContent = message;
  toast.hidden = false;
  clearTimeout(complain.timer);
  complain.timer = setTimeout(() => { toast.hidden = true; }, 6000);
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  if (button.dataset.watch) {
    const there = "active" in button.dataset;
    const parameter = button.dataset.parameter;
    act(there ? button.dataset.on : button.dataset.off, parameter ? { [parameter]: !there } : {});
  } else if (button.dataset.act) {
    act(button.dataset.act, { ...JSON.parse(button.dataset.parameters), ...chosen(button.dataset.act) });
  }
});

document.addEventListener("submit", (event) => {
  event.preventDefault();
  const form = event.target;
  const input = form.querySelector("input");
  act(form.dataset.act, { [input.name]: input.inputMode === "numeric" ? Number(input.value) : input.value });
});

/* Cards and papers can also be dragged: each draggable names the drop zone it fits. */

document.addEventListener("dragstart", (event) => {
  const thing = event.target.closest?.("[data-drag]");
  if (thing) event.dataTransfer.setData(`text/${thing.dataset.drag}`, thing.dataset.name);
});

for (const zone of all("[data-drop]")) {
  const type = `text/${zone.dataset.drop}`;
  const fits = (event) => event.dataTransfer.types.includes(type);
  zone.addEventListener("dragover", (event) => {
    if (!fits(event)) return;
    event.preventDefault();
    zone.dataset.over = "";
  });
  zone.addEventListener("dragleave", () => delete zone.dataset.over);
  zone.addEventListener("drop", (event) => {
    delete zone.dataset.over;
    if (!fits(event)) return;
    event.preventDefault();
    act(zone.dataset.act, { [zone.dataset.drop]: event.dataTransfer.getData(type), ...chosen(zone.dataset.act) });
  });
}

/* State */

const summaries = {
  card: (s) => {
    if (!s.card) return ["idle", "no card"];
    return s.quirk ? ["warn", `card on the reader: ${s.quirk.replaceAll("_", " ")}`] : ["good", "card on the reader"];
  },
  scanner: (s) => (!s.plugged ? ["bad", "unplugged"] : ["good", "ready"]),
  camera: (s) => {
    if (!s.plugged) return ["bad", "unplugged"];
    if (s.stalled) return ["bad", "picture frozen"];
    if (s.blurred) return ["warn", "out of focus"];
    if (s.conditions.length) return ["warn", s.conditions.join(", ").replaceAll("_", " ")];
    if (s.cut_off) return ["warn", "paper cut off"];
    return s.paper ? ["good", "paper on the desk"] : ["idle", "desk empty"];
  },
  printer: (s) => {
    if (s.cover === "open") return ["bad", "cover open"];
    if (s.jam) return ["bad", "paper jam"];
    if (s.paper === "out") return ["bad", "out of paper"];
    if (s.error) return ["warn", "cutter error, waits for the kiosk"];
    if (!s.online) return ["bad", "off or hung"];
    return s.paper === "low" ? ["warn", "paper low"] : ["good", "ready"];
  },
};

function cable(s) {
  if (!s.connected) return ["bad", "nothing passes"];
  if (s.losing_reply) return ["warn", "next reply gets lost"];
  return ["good", `${s.bytes.toLocaleString("en")} bytes`];
}

function show(next) {
  state = next;
  for (const button of all("[data-watch]")) showFault(button);
  for (const output of all("[data-summary]")) showSummary(output);
  for (const pre of all("[data-state]")) pre.textContent = JSON.stringify(state[pre.dataset.state], null, 1);
  for (const box of all("[data-cable]")) box.toggleAttribute("data-cut", !state[box.dataset.cable].connected);
  if (state.card) showCard(state.card);
  if (state.camera) showDesk(state.camera);
  if (state.printer) showSlips(state.printer.papers ?? []);
}

function showFault(button) {
  const [name, key] = button.dataset.watch.split("/");
  button.toggleAttribute("data-active", JSON.parse(button.dataset.when).includes(state[name]?.[key]));
}

function showSummary(output) {
  const name = output.dataset.summary;
  const [mood, text] = (summaries[name] ?? (name.startsWith("wire-") ? cable : () => ["idle", ""]))(state[name]);
  output.dataset.mood = mood;
  if (output.textContent !== text) output.textContent = text;
}

function showCard({ card }) {
  const place = byId("on-reader");
  if ((place.dataset.card ?? "") === (card ?? "")) return;
  const laid = card && [...all(".cards .id-card")].find((one) => one.dataset.name === card);
  place.dataset.card = card ?? "";
  place.replaceChildren(...(laid ? [laid.cloneNode(true)] : []));
  place.firstElementChild?.removeAttribute("draggable");
  byId("reader").toggleAttribute("data-occupied", Boolean(card));
  for (const one of all(".cards li")) one.toggleAttribute("data-in-use", one.dataset.name === card);
}

function showDesk(camera) {
  const lying = camera.paper?.replace(/^card-(front|back)-/, "card-");
  for (const paper of all(".papers li")) paper.toggleAttribute("data-in-use", paper.dataset.name === lying);
}

function showSlips(names) {
  const strip = byId("strip");
  const newest = names.slice(-12).reverse();
  if (strip.dataset.names === newest.join()) return;
  strip.dataset.names = newest.join();
  strip.replaceChildren(...newest.map(slip));
  byId("no-slips").hidden = newest.length > 0;
}

function slip(name) {
  const item = document.createElement("li");
  const link = document.createElement("a");
  const picture = document.createElement("img");
  link.href = picture.src = `/papers/${encodeURIComponent(name)}`;
  link.target = "_blank";
  link.title = "Open this slip in full size";
  picture.alt = `Slip ${name}`;
  link.append(picture);
  item.append(link);
  return item;
}

/* What the camera sees: the next picture is asked for once the last has come. */

const view = byId("view");
if (view) {
  const look = () => {
    if (document.hidden) setTimeout(look, 1000);
    else view.src = `/camera.jpg?${Date.now()}`;
  };
  const seen = (picture) => {
    byId("blind").hidden = picture;
    view.style.visibility = picture ? "visible" : "hidden";
    setTimeout(look, 500);
  };
  view.addEventListener("load", () => seen(true));
  view.addEventListener("error", () => seen(false));
  look();
}

/* Live */

const live = byId("live");
const stream = new EventSource("/events");
stream.addEventListener("open", () => {
  live.dataset.mood = "good";
  live.textContent = "live";
});
stream.addEventListener("error", () => {
  live.dataset.mood = "bad";
  live.textContent = "dock does not answer";
});
stream.addEventListener("message", (event) => show(JSON.parse(event.data)));
