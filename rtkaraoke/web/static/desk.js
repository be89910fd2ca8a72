// Faders, switches and meters for every bus, from the parameters that its plugins declare.

import { byId, fill, h, throttle } from "./dom.js";

const LOWEST_DB = -60;

const title = (name) => name.replace(/^.*\./, "").replaceAll("_", " ");
const isSwitch = (parameter) => parameter.choices.length === 2 && parameter.choices[0] === "off";

function show(parameter, value) {
  if (parameter.choices.length) return parameter.choices[Math.round(value)] ?? "";
  if (parameter.unit === "dB" && value <= -90) return "−∞ dB";
  const span = parameter.maximum - parameter.minimum;
  const digits = span > 200 ? 0 : span > 20 ? 1 : 2;
  return `${value.toFixed(digits).replace("-", "−")}${parameter.unit ? ` ${parameter.unit}` : ""}`;
}

// Frequencies and times are heard by ratio: their sliders move by ratio, where the range allows it.
function scale(parameter) {
  const { minimum, maximum, unit } = parameter;
  if (["Hz", "ms", "s"].includes(unit) && minimum > 0 && maximum / minimum >= 50) {
    const ratio = Math.log(maximum / minimum);
    return { from: (value) => Math.log(value / minimum) / ratio, to: (place) => minimum * Math.exp(place * ratio) };
  }
  const span = maximum - minimum || 1;
  return { from: (value) => (value - minimum) / span, to: (place) => minimum + place * span };
}

export class Desk {
  constructor(link) {
    this.link = link;
    this.ready = false;
    this.controls = new Map();
    this.bars = new Map();
    this.latest = {};
  }

  draw(layout) {
    this.ready = true;
    this.controls.clear();
    this.bars.clear();
    fill(byId("voice-controls"), layout.voice.map((part) => this.plugin(part, true)));
    fill(byId("buses"), layout.buses.map((bus) => this.bus(bus)));
    this.values(this.latest);
  }

  bus(bus) {
    const bars = h("div", { class: "meters", role: "img", "aria-label": `Level of ${bus.name}` });
    this.bars.set(bus.name, bars);
    return h("section", { class: "card strip", "aria-label": `Bus ${bus.name}` },
      h("header", {}, h("h2", {}, title(bus.name)), h("span", { class: "chip" }, bus.latency ? `${bus.latency} samples` : "no delay")),
      bars,
      bus.parts.map((part) => this.plugin(part, part.kind === "strip" || part.name === bus.name)));
  }

  plugin(part, open) {
    const presets = Object.keys(part.presets);
    const controls = h("div", { class: "strip", role: "group", "aria-label": title(part.name) },
      open && part.kind === "duck" && h("h3", {}, "Duck: less of it while somebody sings"),
      presets.length > 0 && h("label", { class: "row small" }, "Preset ",
        h("select", { "aria-label": `Preset of ${part.name}`, onchange: (event) => event.target.value && this.link.tell({ do: "preset", plugin: part.name, name: event.target.value }) },
          h("option", { value: "" }, "choose"), presets.map((name) => h("option", { value: name }, name)))),
      part.actions.includes("calibrate") && h("button", { type: "button", class: "tiny", onclick: () => this.link.tell({ do: "calibrate" }) }, "Calibrate: music on, nobody sings"),
      part.parameters.map((parameter) => this.parameter(part, parameter)));
    if (open) return controls;
    return h("details", { class: "plugin" },
      h("summary", {}, title(part.name), part.latency > 0 && h("span", { class: "chip" }, `${part.latency} samples`)), controls);
  }

  parameter(part, parameter) {
    const key = `${part.name}.${parameter.name}`, id = `p-${key}`;
    const send = throttle(50, (value) => this.link.tell({ do: "set", plugin: part.name, parameter: parameter.name, value }));
    const learn = h("button", { type: "button", class: "learn quiet", "aria-label": `Learn a MIDI controller for ${key}`, "aria-pressed": "false", "data-key": key, onclick: () => this.link.tell({ do: "midi_learn", plugin: part.name, parameter: parameter.name }) }, "MIDI");
    const help = parameter.description || undefined;
    if (isSwitch(parameter)) {
      const button = h("button", { type: "button", class: "tiny", id, "aria-pressed": "false", onclick: () => send(button.getAttribute("aria-pressed") === "true" ? 0 : 1) });
      this.controls.set(key, (value) => {
        button.setAttribute("aria-pressed", value >= 0.5);
        button.textContent = show(parameter, value);
      });
      return h("div", { class: "param switch", title: help }, h("label", { for: id }, title(parameter.name)), h("span", {}, button), learn);
    }
    if (parameter.choices.length) {
      const select = h("select", { id, onchange: () => send(Number(select.value)) }, parameter.choices.map((name, i) => h("option", { value: i }, name)));
      this.controls.set(key, (value) => { select.value = Math.round(value); });
      return h("div", { class: "param switch", title: help }, h("label", { for: id }, title(parameter.name)), select, learn);
    }
    const { from, to } = scale(parameter);
    const shown = h("output", { for: id });
    const slider = h("input", {
      type: "range", id, min: 0, max: 1, step: 0.005,
      oninput: () => {
        const value = to(Number(slider.value));
        shown.textContent = show(parameter, value);
        slider.setAttribute("aria-valuetext", shown.textContent);
        send(Math.min(parameter.maximum, Math.max(parameter.minimum, value)));
      },
    });
    this.controls.set(key, (value) => {
      if (slider.matches(":active")) return;
      slider.value = from(value);
      shown.textContent = show(parameter, value);
      slider.setAttribute("aria-valuetext", shown.textContent);
    });
    return h("div", { class: "param", title: help }, h("label", { for: id }, title(parameter.name)), slider, shown, learn);
  }

  values(values) {
    this.latest = values;
    for (const [key, value] of Object.entries(values)) this.controls.get(key)?.(value);
  }

  showLearning(learning) {
    for (const button of document.querySelectorAll("button.learn")) {
      button.setAttribute("aria-pressed", button.dataset.key === learning);
      button.textContent = button.dataset.key === learning ? "move it" : "MIDI";
    }
  }

  meters(meters) {
    for (const [bus, levels] of Object.entries(meters)) {
      const bars = this.bars.get(bus);
      if (!bars) continue;
      while (bars.children.length < levels.length) bars.append(h("div", { class: "meter" }, h("i", { class: "rms" }), h("i", {})));
      levels.forEach(([peak_db, rms_db], i) => {
        const [rms, peak] = bars.children[i].children;
        const place = (db) => `scaleX(${Math.min(1, Math.max(0, 1 - db / LOWEST_DB)).toFixed(3)})`;
        rms.style.transform = place(peak_db);
        peak.style.transform = place(rms_db);
        peak.classList.toggle("hot", peak_db > -0.5);
      });
    }
  }
}
