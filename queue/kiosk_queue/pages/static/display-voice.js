// Announcements: one after the other, each in full, in the order of the calls; nothing ever cuts another.

import { clock } from "./display-line.js";

const STALE_MS = 60000; // who was called longer ago is shown in the list, not announced
const SILENT_MS = 5000, SILENT_BUSY_MS = 2500; // how long a call without sound is shown before the next
const BETWEEN_MS = 400;
const LOAD_MS = 10000, STALL_MS = 5000; // a server or a loudspeaker that gives nothing for so long
const MOST = 40;

const audio = document.getElementById("voice");
const button = document.getElementById("sound");
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

export class Announcements {
  constructor({ sound, onStart, onEnd }) {
    Object.assign(this, { sound, onStart, onEnd, quiet: false, volume: 1, heard: -1, pending: [], current: null, ready: false });
    if (sound) offerSound();
  }

  get busy() { return this.current !== null || this.pending.length > 0; }

  // A call announced already is not again, even if the line tells of it twice.
  add(call) {
    if (call.seq <= this.heard) return;
    this.heard = call.seq;
    const known = this.pending.find((waiting) => waiting.number === call.number);
    if (known && known.counter === call.counter) {
      known.at = call.at; // called again before its turn: said once, and fresh again
      return;
    }
    this.pending = this.pending.filter((waiting) => waiting !== known);
    this.pending.push(call);
    if (this.pending.length > MOST) this.pending.shift();
    this.go();
  }

  // With a state comes the server's clock, without which nobody knows what is stale.
  follow(state) {
    if (state.seq < this.heard) this.heard = state.seq; // another database
    this.quiet = state.quiet;
    this.ready = true;
    this.go();
  }

  go() {
    if (this.ready && this.current === null && this.pending.length) this.run();
  }

  async run() {
    while (this.pending.length) {
      const call = this.pending.shift();
      if (clock.now() - Date.parse(call.at) > STALE_MS) continue;
      this.current = call;
      this.onStart(call);
      const spoken = this.sound && !this.quiet && call.voice && (await play(call.voice, this.volume));
      if (!spoken) await sleep(this.pending.length > 2 ? SILENT_BUSY_MS : SILENT_MS);
      this.onEnd(call, Boolean(spoken));
      if (spoken) await sleep(BETWEEN_MS);
    }
    this.current = null;
    this.onEnd(null, false);
  }
}

// Whether it was heard to the end. The one <audio> element of the page plays everything.
function play(address, volume) {
  return new Promise((done) => {
    const wired = new AbortController();
    let moved = performance.now(), place = -1, patience = LOAD_MS;
    const watch = setInterval(() => {
      if (audio.currentTime !== place) {
        if (place >= 0) patience = STALL_MS;
        place = audio.currentTime;
        moved = performance.now();
      } else if (performance.now() - moved > patience) finish(false);
    }, 250);
    function finish(heard) {
      wired.abort();
      clearInterval(watch);
      if (!heard) audio.pause();
      done(heard);
    }
    audio.addEventListener("ended", () => finish(true), { signal: wired.signal });
    audio.addEventListener("error", () => finish(false), { signal: wired.signal });
    audio.src = address;
    audio.volume = volume;
    audio.play().then(() => { button.hidden = true; }, (refusal) => {
      if (refusal.name === "NotAllowedError") button.hidden = false;
      finish(false);
    });
  });
}

// Browsers that were not started with the autoplay flag need one press before they may make a sound.
function offerSound() {
  const probe = new AudioContext();
  button.hidden = probe.state === "running";
  probe.close();
  button.onclick = () => { button.hidden = true; };
}
