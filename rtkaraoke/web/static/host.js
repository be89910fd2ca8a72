// The host's desk: transport, queue, voice, latency, and a strip for each bus from what its plugins declare.

import { byId, cover, fill, h, keepFocus, songLines, text, throttle, time, toast } from "./dom.js";
import { Link, get } from "./link.js";
import { Desk } from "./desk.js";
import { tune } from "./tune.js";
import { VoiceView } from "./voice.js";

const link = new Link("host");
const desk = new Desk(link);
const view = new VoiceView();
const TONES = 6;
let asking = false; // for the layout

function showDesk() {
  const host = link.role === "host";
  byId("pin-form").hidden = host;
  byId("desk").hidden = !host;
  if (!host) byId("pin").focus();
  else if (!desk.ready && !asking) drawDesk();
}

async function drawDesk() {
  asking = true;
  try {
    desk.draw(await get("/api/layout"));
  } catch (error) {
    toast(error.message);
  } finally {
    asking = false;
  }
}

byId("pin-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const answer = await fetch("/api/host", { method: "POST", body: JSON.stringify({ pin: byId("pin").value.trim() }) });
  byId("pin").value = "";
  if (answer.ok) location.reload();
  else toast(await answer.text());
});

// Transport
const seek = byId("seek");
let seeking = false;
seek.addEventListener("input", () => { seeking = true; });
seek.addEventListener("change", async () => {
  await link.tell({ do: "seek", to_s: Number(seek.value) });
  seeking = false;
});
byId("pause").addEventListener("click", () => link.tell({ do: "pause", on: !link.state.paused }));
byId("skip").addEventListener("click", () => link.tell({ do: "skip" }));
byId("mute").addEventListener("click", () => link.tell({ do: "mute", on: !link.state.muted }));
byId("rescan").addEventListener("click", async () => { if (await link.tell({ do: "rescan" })) toast("Looking for songs …"); });
byId("record").addEventListener("click", () => link.tell({ do: "record", on: !link.state.recording.on, apart: byId("record-apart").checked }));
const crossfade = byId("crossfade");
crossfade.addEventListener("input", () => { byId("crossfade-value").textContent = `${Number(crossfade.value).toFixed(1)} s`; });
crossfade.addEventListener("change", () => link.tell({ do: "settings", crossfade_s: Number(crossfade.value) }));
byId("autoplay").addEventListener("change", (event) => link.tell({ do: "settings", autoplay: event.target.checked }));
byId("midi-find").addEventListener("click", () => link.tell({ do: "midi_ports" }));
byId("midi-port").addEventListener("change", (event) => link.tell({ do: "midi_open", port: event.target.value }));

const change = throttle(120, (entry, fields) => link.tell({ do: "change", entry, ...fields }));

function press(button, on, words) {
  button.setAttribute("aria-pressed", on);
  button.textContent = words;
}

function drawState() {
  const { now, queue, settings, recording } = link.state;
  byId("state").textContent = link.state.status;
  fill(byId("now"), now
    ? h("div", { class: "song" }, cover(now.song), songLines(now.song), h("span", { class: "chip" }, text(now.singer)))
    : h("p", { class: "empty" }, "Nothing plays. What is queued begins by itself."));
  press(byId("pause"), link.state.paused, link.state.paused ? "Go on" : "Pause");
  press(byId("mute"), link.state.muted, link.state.muted ? "Unmute" : "Mute all");
  press(byId("record"), recording.on, recording.on ? "Stop recording" : "Record");
  byId("record-apart").disabled = recording.on;
  byId("skip").disabled = byId("pause").disabled = seek.disabled = !now;
  if (!byId("now-tune").contains(document.activeElement)) fill(byId("now-tune"), now && tune(now, (fields) => change(now.entry, fields), "now"));
  fill(byId("entries"), queue.length ? queue.map(line) : h("li", { class: "empty" }, "The queue is empty."));
  if (document.activeElement !== crossfade) {
    crossfade.value = settings.crossfade_s;
    byId("crossfade-value").textContent = `${settings.crossfade_s.toFixed(1)} s`;
  }
  byId("autoplay").checked = settings.autoplay;
  drawMidi(link.state.midi);
  if (link.state.messages.length) {
    fill(byId("log"), link.state.messages.map((message) => h("li", {}, h("span", { class: "soft number" }, `${message.at} `), text(message.text))));
  }
}

function line(entry, place) {
  const move = (to) => link.tell({ do: "move", entry: entry.entry, place: to });
  return h("li", { class: "song" }, h("span", { class: "place", "aria-hidden": "true" }, String(place + 1)),
    h("span", { class: "grow" }, h("span", { class: "song-title" }, text(entry.song.title)),
      h("span", { class: "song-artist" }, h("span", { class: "chip" }, text(entry.singer)))),
    h("button", { type: "button", class: "quiet round", id: `up-${entry.entry}`, "aria-label": `${entry.song.title} earlier`, disabled: place === 0, onclick: () => move(place - 1) }, "↑"),
    h("button", { type: "button", class: "quiet round", id: `down-${entry.entry}`, "aria-label": `${entry.song.title} later`, disabled: place === link.state.queue.length - 1, onclick: () => move(place + 1) }, "↓"),
    h("button", { type: "button", class: "quiet round", "aria-label": `Remove ${entry.song.title}`, onclick: () => link.tell({ do: "remove", entry: entry.entry }) }, "✕"));
}

function drawMidi(midi) {
  const select = byId("midi-port");
  if (document.activeElement !== select) {
    fill(select, h("option", { value: "" }, midi.ports.length ? "no controller" : "press Find"), midi.ports.map((port) => h("option", { value: port }, port)));
    select.value = midi.port;
  }
  byId("midi-state").textContent = midi.learning ? `Move the control for ${midi.learning}.` : midi.port ? "Press MIDI beside a parameter, then move a control." : "";
  fill(byId("midi-bindings"), midi.bindings.map((binding) => h("li", { class: "row" },
    h("span", { class: "grow" }, `${binding.control} → ${binding.plugin} ${binding.parameter}`),
    h("button", { type: "button", class: "tiny", "aria-label": `Forget ${binding.control}`, onclick: () => link.tell({ do: "midi_forget", plugin: binding.plugin, parameter: binding.parameter }) }, "Forget"))));
  desk.showLearning(midi.learning);
}

function rows(place, lines) {
  fill(byId(place), lines.map(([name, value, tone]) => h("tr", {}, h("th", { scope: "row" }, tone !== undefined && h("i", { class: `tone${tone % TONES}` }), name), h("td", {}, value))));
}

const count = (found) => Object.values(found).reduce((sum, each) => sum + each, 0);
let slow = 0;

function drawPulse(pulse) {
  desk.meters(pulse.meters);
  view.add(pulse.voice);
  if (slow++ % 10) return; // twice a second is enough for what is read, not watched
  const { engine, clock } = pulse;
  const { on, name } = link.state.recording;
  byId("record-state").textContent = on ? `${name}: ${time(engine.recorded_s)}` : "Not recording.";
  const terms = Object.entries(engine.latency_terms_ms);
  const total = terms.reduce((sum, [, ms]) => sum + ms, 0);
  byId("latency").textContent = total ? total.toFixed(1) : "–";
  byId("budget").textContent = engine.budget_ms ? `of ${engine.budget_ms.toFixed(0)} ms` : "without a budget";
  const stack = byId("latency-stack");
  const whole = Math.max(total, engine.budget_ms || 0) || 1;
  if (stack.children.length !== terms.length) fill(stack, terms.map((_, i) => h("i", { class: `tone${i % TONES}` })));
  terms.forEach(([, ms], i) => { stack.children[i].style.width = `${(100 * ms) / whole}%`; });
  rows("latency-terms", terms.map(([name, ms], i) => [name, `${ms.toFixed(1)} ms`, i]));
  const lost = count(engine.xruns);
  const plugins = Object.entries(engine.late_plugins);
  rows("health", [
    ["State", engine.state],
    ["Output", engine.output || "–"],
    ["Rate and period", `${engine.sample_rate} Hz · ${engine.period}`],
    ["Xruns", lost ? Object.entries(engine.xruns).filter(([, n]) => n).map(([name, n]) => `${name.replaceAll("_", " ")} ${n}`).join(", ") : "0"],
    ["Late masks", `${engine.late} of ${engine.hops}`],
    ...(plugins.length ? [["Late plugins", plugins.map(([name, n]) => `${name} ${n}`).join(", ")]] : []),
    ["Load, 99 %", `${Math.round(100 * engine.load)} %`],
    ["Real-time priority", engine.realtime ? "granted" : "refused"],
    ["Network runs on", engine.provider || "–"],
  ]);
  rows("browsers", pulse.browsers.map((each) => [each.view, `+${(each.rtt_ms / 2 + each.frame_ms).toFixed(0)} ms (${(each.rtt_ms / 2).toFixed(1)} + ${each.frame_ms.toFixed(1)})`]));
  if (!seeking && Number.isFinite(clock.length_s)) {
    seek.max = clock.length_s || 1;
    seek.value = link.heard();
    seek.setAttribute("aria-valuetext", `${time(link.heard())} of ${time(clock.length_s)}`);
  }
}

link.on("hello", showDesk);
link.on("state", () => { if (link.role === "host") keepFocus(drawState); });
link.on("values", (message) => desk.values(message.values));
link.on("pulse", (pulse) => { if (pulse.engine) drawPulse(pulse); });
window.link = link;
window.desk = desk; // for tests and the curious
