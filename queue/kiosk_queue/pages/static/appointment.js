// Comforts of the appointment pages, which work without: one press sends once, the chosen day is in sight.
"use strict";

for (const form of document.forms) {
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = "1";
  });
}
addEventListener("pageshow", () => { for (const form of document.forms) delete form.dataset.sent; });
const days = document.getElementById("days"), chosen = days?.querySelector("[aria-current]");
if (chosen) days.scrollLeft = chosen.parentElement.offsetLeft - days.offsetLeft - 8;
