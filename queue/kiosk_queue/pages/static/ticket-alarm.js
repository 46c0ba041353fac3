// Tells the holder that the number is called: the phone shakes, three tones sound, the screen stays awake.
"use strict";

const alarm = {
  context: null,
  lock: null,

  // Browsers let a page sound only after a touch.
  async arm() {
    this.context ??= new AudioContext();
    await this.context.resume();
    this.tone(0, 660, .12);
    await this.stayAwake();
  },
  async disarm() {
    await this.context?.close();
    await this.lock?.release();
    this.context = this.lock = null;
  },
  async stayAwake() {
    if (!this.context || !navigator.wakeLock) return;
    try { this.lock = await navigator.wakeLock.request("screen"); } catch { this.lock = null; }
  },
  ring() {
    if (navigator.userActivation?.hasBeenActive) navigator.vibrate?.([500, 200, 500, 200, 800]);
    if (!this.context) return;
    [523, 659, 784, 523, 659, 784].forEach((pitch, n) => this.tone(n * .28, pitch, .26));
  },
  tone(after, pitch, seconds) {
    const start = this.context.currentTime + after;
    const source = this.context.createOscillator(), volume = this.context.createGain();
    source.frequency.value = pitch;
    volume.gain.setValueAtTime(.0001, start);
    volume.gain.exponentialRampToValueAtTime(.5, start + .03);
    volume.gain.exponentialRampToValueAtTime(.0001, start + seconds);
    source.connect(volume).connect(this.context.destination);
    source.start(start);
    source.stop(start + seconds);
  },
};
