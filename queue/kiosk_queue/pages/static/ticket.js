// The phone page of a ticket: asks every few seconds, shakes the phone when the number is called.
"use strict";

const OVER = ["completed", "no_show", "expired"];
const EVERY_MS = 4000;

async function refresh() {
  let state = null;
  try {
    const answer = await fetch(`${location.pathname}/state`, { signal: AbortSignal.timeout(6000) });
    if (answer.ok) state = await answer.json();
  } catch { /* shown below */ }
  document.getElementById("lost").hidden = state !== null;
  document.getElementById("fresh").hidden = state === null;
  if (state !== null) show(state);
  if (!OVER.includes(document.body.dataset.state)) setTimeout(refresh, EVERY_MS);
}

function show(state) {
  const called = state.state === "called" && document.body.dataset.state !== "called";
  if (called && navigator.userActivation?.hasBeenActive) navigator.vibrate?.([400, 200, 400]);
  document.body.dataset.state = state.state;
  document.getElementById("ahead").textContent = state.ahead;
  document.getElementById("counter").textContent = state.counter ?? "";
}

setTimeout(refresh, EVERY_MS);
document.addEventListener("visibilitychange", () => { if (!document.hidden) location.reload(); });
