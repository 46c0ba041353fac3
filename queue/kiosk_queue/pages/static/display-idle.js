// What the hall shows when nobody is called, and the line of text at the bottom. Built anew only when the settings change.

import { by, el, english } from "./display-calls.js";

const WEEKDAYS = ["Thứ Hai", "Thứ Ba", "Thứ Tư", "Thứ Năm", "Thứ Sáu", "Thứ Bảy", "Chủ Nhật"];
const WEEKDAYS_EN = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
const PIXELS_A_SECOND = 90; // of a screen 1920 wide

const STEPS = [
  ["Lấy số tại kiosk và giữ phiếu", "Take a number at the kiosk and keep your slip"],
  ["Chờ số của mình hiện lên và được đọc trên loa", "Wait until your number is shown and announced"],
  ["Đến đúng quầy ghi cạnh số của mình", "Go to the counter shown beside your number"],
];
const PAPERS = [
  ["Thẻ Căn cước hoặc tài khoản VNeID", "Your ID card or VNeID account"],
  ["Bản chính giấy tờ để đối chiếu", "The originals of your documents"],
  ["Kết quả cũ hoặc giấy hẹn, nếu có", "Earlier results or your appointment slip, if any"],
  ["Giấy ủy quyền, nếu nộp thay người khác", "An authorisation, if you act for somebody else"],
];
const TICKER = [
  { vi: "Vui lòng giữ phiếu đến khi được gọi số", en: "Please keep your slip until your number is called" },
  { vi: "Quét mã QR trên phiếu để theo dõi lượt chờ bằng điện thoại", en: "Scan the code on your slip to follow the queue on your phone" },
  { vi: "Người cao tuổi, người khuyết tật, phụ nữ mang thai và người có công được ưu tiên: hãy chọn nhóm ưu tiên khi lấy số", en: "Elderly, disabled and pregnant citizens are served with priority" },
  { vi: "Cần giúp đỡ, hãy bấm «Gọi cán bộ hỗ trợ» trên kiosk", en: "Need help? Press “Call staff” on the kiosk" },
];

export function buildTicker(texts) {
  const spans = (texts.ticker.length ? texts.ticker : TICKER).flatMap(({ vi, en }) =>
    en && en !== vi ? [el("span", "", vi), english(en, "span")] : [el("span", "", vi)]);
  by("ticker").replaceChildren(...spans);
  const seconds = by("ticker").scrollWidth / (PIXELS_A_SECOND * (innerWidth / 1920));
  by("ticker").style.setProperty("--run", `${Math.round(Math.max(20, seconds))}s`);
}

export class Slides {
  constructor() {
    this.slides = [];
    this.at = 0;
  }

  build(texts) {
    const slides = [welcome(), listOf("Ba bước tại trung tâm", "Three steps", STEPS), listOf("Giấy tờ nên mang theo", "What to bring", PAPERS, "✓")];
    if (texts.hours.length) slides.push(hours(texts));
    slides.push(...texts.idle.map(({ vi, en }) => el("div", "slide text", el("h2", "", vi), ...(en && en !== vi ? [english(en)] : []))));
    this.slides = slides;
    this.dots = slides.map(() => el("b"));
    by("idle").replaceChildren(...slides, el("div", "dots", ...this.dots));
    this.at = -1;
    this.turn();
  }

  turn() {
    if (!this.slides.length) return;
    this.at = (this.at + 1) % this.slides.length;
    for (const nodes of [this.slides, this.dots]) nodes.forEach((node, n) => node.classList.toggle("shown", n === this.at));
  }
}

function welcome() {
  const mark = el("img");
  mark.src = "/static/mark.svg";
  mark.alt = "";
  return el("div", "slide welcome", mark, el("h2", "", "Kính chào quý công dân"),
    el("p", "how", "Mời lấy số tại kiosk và chờ gọi số trên màn hình này"),
    english("Please take a number at the kiosk and wait for your call", "p", "how en"));
}

function listOf(vi, en, items, sign) {
  const rows = items.map(([text, translated], n) => el("li", "", el("i", "", sign || String(n + 1)), el("div", "", text, english(translated, "span"))));
  return el("div", "slide", el("h2", "", vi), english(en), el("ul", "", ...rows));
}

function hours({ hours: windows, weekdays }) {
  const rows = windows.map(([from, until]) => el("p", "", `${from} – ${until}`));
  return el("div", "slide", el("h2", "", "Giờ làm việc"), english("Opening hours"), el("div", "hours", ...rows),
    el("p", "days", days(weekdays, WEEKDAYS)), english(days(weekdays, WEEKDAYS_EN), "p", "how en"));
}

// «Thứ Hai – Thứ Sáu» where the days follow one another, else one by one.
function days(weekdays, names) {
  const sorted = [...weekdays].sort();
  const through = sorted.length > 2 && sorted.at(-1) - sorted[0] === sorted.length - 1;
  return through ? `${names[sorted[0]]} – ${names[sorted.at(-1)]}` : sorted.map((day) => names[day]).join(", ");
}
