// What is wrong with the page as it stands: functions that each return a list, empty when all is well.
({
  // Text whose contrast with what lies under it is below 4.5:1 (7:1 for the element with the id `number`).
  illegible() {
    const parse = (colour) => {
      const parts = colour.match(/[\d.]+/g).map(Number);
      return { rgb: parts.slice(0, 3), alpha: parts[3] ?? 1 };
    };
    const linear = (v) => (v / 255 <= 0.03928 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4);
    const luminance = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
    const under = (node) => {
      const layers = [];
      for (let n = node; n; n = n.parentElement) {
        const { rgb, alpha } = parse(getComputedStyle(n).backgroundColor);
        if (alpha > 0) layers.push([rgb, alpha]);
        if (alpha === 1) break;
      }
      const blend = (below, [rgb, alpha]) => rgb.map((v, i) => v * alpha + below[i] * (1 - alpha));
      return layers.reverse().reduce(blend, [255, 255, 255]);
    };
    const found = [];
    const root = document.querySelector("dialog[open]") ?? document.body;
    const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
      const words = walker.currentNode.textContent.trim(), node = walker.currentNode.parentElement;
      if (!words || !node.checkVisibility() || node.closest(":disabled, .sr, option")) continue;
      const fore = luminance(parse(getComputedStyle(node).color).rgb), back = luminance(under(node));
      const ratio = (Math.max(fore, back) + 0.05) / (Math.min(fore, back) + 0.05);
      if (ratio < (node.id === "number" ? 7 : 4.5)) found.push(`${words.slice(0, 40)}: ${ratio.toFixed(2)}`);
    }
    return found;
  },
  // Controls that a screen reader could not name.
  nameless() {
    const named = (n) => n.ariaLabel || n.labels?.length || n.textContent.trim();
    return [...document.querySelectorAll("button, a, input, select, textarea, [tabindex]")]
      .filter((n) => n.checkVisibility() && !named(n)).map((n) => n.outerHTML.slice(0, 120));
  },
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
