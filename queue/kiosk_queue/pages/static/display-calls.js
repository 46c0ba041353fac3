// The call of the moment, the last calls and how many wait. Every list has a fixed number of elements at most.

import { clock } from "./display-line.js";

const INVITING_MS = 120000; // so long a number stays large unless it is at its counter sooner
const FRESH_MS = 5000;
const ROWS = 5, TILES = 4;

export const by = (id) => document.getElementById(id);
export function text(id, value) {
  if (by(id).textContent !== value) by(id).textContent = value;
}
// Elements without markup from data: text is only ever set as text.
export function el(tag, className, ...children) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  node.append(...children);
  return node;
}
export function english(value, tag = "p", className = "en") {
  const node = el(tag, className, value);
  node.lang = "en";
  return node;
}

// The largest size at which a text has room.
function fit(node, room, largest) {
  node.style.fontSize = "";
  if (!room) return;
  const wide = node.scrollWidth;
  if (wide > room) node.style.fontSize = `${Math.floor(largest() * (room / wide))}px`;
}

export class Calls {
  constructor() {
    this.state = null;
    this.announcing = null;
    this.large = "";
    this.page = 0;
    new ResizeObserver(() => this.size()).observe(by("hero"));
  }

  show(state) {
    this.state = state;
    this.draw();
  }

  announce(call) {
    this.announcing = call;
    this.draw();
    if (call) {
      const hero = by("hero");
      hero.classList.remove("fresh");
      void hero.offsetWidth; // restarts the animation
      hero.classList.add("fresh");
    }
  }

  get inviting() { return !by("call").hidden; }

  draw() {
    if (!this.state) return;
    const recent = (call) => clock.now() - Date.parse(call.at) < INVITING_MS;
    const first = this.announcing || this.state.calls.find((call) => call.called && recent(call)) || null;
    by("call").hidden = !first;
    by("idle").hidden = Boolean(first);
    by("speaker").toggleAttribute("hidden", !this.announcing || !this.announcing.voice);
    if (first) this.enlarge(first);
    this.list(first);
    this.tiles();
  }

  enlarge(call) {
    const key = `${call.number} ${call.counter}`;
    if (key === this.large) return;
    this.large = key;
    const at = call.number.lastIndexOf("-");
    by("number").replaceChildren(
      el("span", "series", call.number.slice(0, at)), el("span", "dash", "-"), el("span", "digits", call.number.slice(at + 1)));
    text("counter", call.counter);
    text("to", /^\d/.test(call.counter) ? "đến quầy số" : "đến quầy");
    this.size();
  }

  size() {
    const size = (node) => () => parseFloat(getComputedStyle(node).fontSize);
    const hero = by("hero").clientWidth;
    fit(by("number"), hero * 0.96, size(by("number")));
    fit(by("counter"), hero * 0.5, size(by("counter")));
  }

  list(first) {
    const rest = this.state.calls.filter((call) => !first || call.number !== first.number).slice(0, ROWS);
    by("none").hidden = rest.length > 0;
    by("recent").hidden = rest.length === 0;
    const rows = rest.map((call) => {
      const row = el("li", call.called ? "" : "done", el("span", "", call.number), el("b", call.counter.length > 4 ? "long" : "", call.counter));
      row.classList.toggle("long", call.number.length > 6);
      row.classList.toggle("fresh", call.called && clock.now() - Date.parse(call.at) < FRESH_MS);
      return row;
    });
    replace(by("recent"), rows);
  }

  turn() {
    this.page += 1;
    if (this.state) this.draw();
  }

  tiles() {
    const { waiting, total, open } = this.state;
    this.page %= Math.max(1, Math.ceil(waiting.length / TILES));
    text("total", String(total));
    const shown = waiting.slice(this.page * TILES, (this.page + 1) * TILES);
    replace(by("lines"), shown.map(({ name, count }) => {
      const names = el("div", "", el("p", "", name.vi));
      if (name.en !== name.vi) names.append(english(name.en));
      return el("li", "", names, el("b", "", String(count)));
    }));
    by("lines").hidden = waiting.length === 0;
    by("nobody").hidden = waiting.length > 0;
    text("nobody-vi", open ? "Hiện không có người chờ. Mời lấy số để được phục vụ ngay." : "Ngoài giờ lấy số. Kính mời quý công dân trở lại trong giờ làm việc.");
    text("nobody-en", open ? "Nobody is waiting. Please take a number." : "No numbers are given out now. Please come back in working hours.");
  }
}

// Only when something is different: an animation that runs is not begun anew.
function replace(list, nodes) {
  const signature = nodes.map((node) => node.outerHTML.replace(/ ?fresh/, "")).join("");
  if (list.dataset.signature === signature) return;
  list.dataset.signature = signature;
  list.replaceChildren(...nodes);
}
