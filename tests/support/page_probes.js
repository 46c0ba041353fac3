// What is wrong with the page as it stands: functions that each return a list, empty when all is well.
({
  // Buttons that are not on the screen, but for those in parts that scroll.
  outside() {
    const within = (b) => b.left >= 0 && b.top >= 0 && b.right <= innerWidth && b.bottom <= innerHeight;
    const root = document.querySelector("dialog[open]") ?? document.body;
    return [...root.querySelectorAll("button")]
      .filter((n) => n.checkVisibility() && !n.closest(".side, .scroll") && !within(n.getBoundingClientRect()))
      .map((n) => n.textContent.trim());
  },
  // Text that does not fit its place.
  spilling() {
    return [...document.querySelectorAll("button, .number, .figures p, dialog, html")]
      .filter((n) => n.checkVisibility() && n.scrollWidth > n.clientWidth + 1).map((n) => n.textContent.trim().slice(0, 60));
  },
});
