// Key, tempo and the record's voice: the three things that a singer sets for a song.

import { h } from "./dom.js";

const SILENT_DB = -90;

export const percent = (db) => (db <= -60 ? 0 : Math.round(100 * 10 ** (db / 20)));
export const decibels = (value) => (value <= 0 ? SILENT_DB : Math.round(200 * Math.log10(value / 100)) / 10);
const keyName = (key) => (key === 0 ? "original" : `${key > 0 ? "+" : "−"}${Math.abs(key)}`);

function stepper(name, id, value, { minimum, maximum, step, show, change }) {
  const shown = h("output", { class: "number", id: `${id}-value` }, show(value));
  const move = (by) => {
    value = Math.min(maximum, Math.max(minimum, value + by));
    shown.textContent = show(value);
    change(value);
  };
  return h("div", { class: "line", role: "group", "aria-label": name },
    h("span", { class: "small soft" }, name),
    h("span", { class: "stepper" },
      h("button", { type: "button", class: "round", id: `${id}-down`, "aria-label": `${name} down`, onclick: () => move(-step) }, "−"),
      shown,
      h("button", { type: "button", class: "round", id: `${id}-up`, "aria-label": `${name} up`, onclick: () => move(step) }, "+")));
}

// Controls for `entry`; `change({key})` and so on is called with what moved.
export function tune(entry, change, prefix = "tune") {
  const id = `${prefix}-${entry.entry}`;
  const shown = h("output", { class: "number small", for: `${id}-voice` }, `${percent(entry.vocals)} %`);
  return h("div", { class: "tune" },
    stepper("Key", `${id}-key`, entry.key, { minimum: -6, maximum: 6, step: 1, show: keyName, change: (key) => change({ key }) }),
    stepper("Tempo", `${id}-tempo`, entry.tempo, { minimum: 70, maximum: 130, step: 5, show: (tempo) => `${tempo} %`, change: (tempo) => change({ tempo }) }),
    h("label", { class: "line" },
      h("span", { class: "small soft" }, "Voice ", shown),
      h("input", {
        type: "range", class: "voice", id: `${id}-voice`, min: 0, max: 100, step: 1, value: percent(entry.vocals),
        "aria-label": "Voice of the record, percent",
        oninput: (event) => {
          shown.textContent = `${event.target.value} %`;
          change({ vocals: decibels(Number(event.target.value)) });
        },
      })));
}
