// A calm view of how much voice is taken out: half a minute, drawn a few times a second, smoothed.

import { byId } from "./dom.js";

const POINTS = 120, EVERY = 5, LOWEST_DB = -54;
const height = (db) => Math.max(0, Math.min(1, 1 - db / LOWEST_DB));

function area(levels) {
  const step = 300 / (POINTS - 1);
  const points = levels.map((level, i) => `${(i * step).toFixed(1)} ${(100 - 96 * level).toFixed(1)}`);
  return `M0 100 L${points.join(" L")} L300 100 Z`;
}

// By how much the voice was lowered: what is left of it, against what was found.
function taken(voice) {
  const left = 1 - 10 ** ((voice.removed_db - voice.found_db) / 20);
  if (left < 0.01) return "voice taken out";
  return left > 0.95 ? "voice untouched" : `voice lowered by ${(-20 * Math.log10(left)).toFixed(0)} dB`;
}

export class VoiceView {
  constructor() {
    this.found = new Array(POINTS).fill(0);
    this.removed = new Array(POINTS).fill(0);
    this.now = { found: 0, removed: 0 };
    this.n = 0;
  }

  add(voice) {
    if (!voice) return;
    for (const name of ["found", "removed"]) this.now[name] += 0.12 * (height(voice[`${name}_db`]) - this.now[name]);
    if (++this.n % EVERY) return;
    for (const name of ["found", "removed"]) {
      this[name].push(this.now[name]);
      this[name].shift();
      byId(`voice-${name}`).setAttribute("d", area(this[name]));
    }
    if (this.n % (4 * EVERY)) return;
    byId("voice-now").textContent = this.now.found < 0.08 ? "no voice in the music" : taken(voice);
    byId("voice-singing").textContent = voice.calibrating ? "measuring: do not sing" : voice.singing ? "a singer is heard" : "";
  }
}
