// The stage: lyrics in time with what is heard, who sings, who is next.

import { byId, cover, fill, h, text } from "./dom.js";
import { Link, get } from "./link.js";

const AHEAD_S = 0.35; // a line is shown as the present one so long before it begins
const PAUSE_S = 4; // a longer gap shows dots that count down
const still = matchMedia("(prefers-reduced-motion: reduce)");
const link = new Link("stage");
let song = 0, lines = [], at = -2, syllables = [], dotsShown = -1;

byId("full").addEventListener("click", () => document.documentElement.requestFullscreen?.());

async function load(id) {
  song = id;
  lines = [];
  at = -2;
  if (!id) return;
  try {
    const found = await get(`/api/lyrics/${id}`);
    if (song === id) lines = found.timed ? found.lines : spread(found.lines, link.clock.length_s || 240);
  } catch {
    // no lyrics: the stage shows title and singer
  }
}

// A text without times goes by with the song, line by line.
function spread(untimed, length_s) {
  const each_s = length_s / (untimed.length + 1);
  return untimed.map((line, i) => {
    const start_s = each_s * (i + 0.5);
    const syllables = line.syllables.map((syllable) => ({ ...syllable, start_s, end_s: start_s }));
    return { ...line, start_s, end_s: start_s + each_s, syllables };
  });
}

function drawState() {
  const { now, queue, guest } = link.state;
  document.body.classList.toggle("idle", !now);
  fill(byId("top"), now ? [cover(now.song),
    h("div", { class: "grow" }, h("p", { class: "title" }, text(now.song.title)), h("p", { class: "artist" }, text(now.song.artist))),
    h("p", { class: "who" }, h("span", {}, "singing"), text(now.singer))] : []);
  fill(byId("backdrop"), now?.song.cover && h("img", { src: `/api/cover/${now.song.id}`, alt: "" }));
  const next = queue[0];
  fill(byId("next"), next ? [h("span", { class: "soft" }, "Next: "), h("b", {}, text(next.singer)), " · ", text(next.song.title)] : h("span", { class: "soft" }, now ? "Nobody is waiting yet" : ""));
  const qr = byId("qr");
  qr.hidden = !guest.url;
  if (guest.url && !qr.firstChild) fill(qr, h("span", {}, "Scan to sing"), h("img", { src: "/api/qr.svg", alt: `QR code: ${guest.url}` }));
  const id = now?.song.id ?? 0;
  if (id !== song) load(id);
  if (!now) idle(next);
}

function idle(next) {
  fill(byId("lyrics"), h("p", {}, next ? "In a moment" : "Who sings?"), h("p", { class: "far" }, next ? text(next.singer) : "Find a song on your phone"));
  at = -2;
}

// The last line that has begun, or is about to.
function place(heard_s) {
  let low = 0, high = lines.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (lines[middle].start_s - AHEAD_S <= heard_s) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

function paragraph(line, kind) {
  if (!line) return h("p", { class: "far", "aria-hidden": "true" }, "\u00a0");
  return h("p", { class: kind, dir: "auto", "aria-live": kind === "sung-now" ? "polite" : undefined },
    line.syllables.map((syllable) => h("span", { class: "syllable" }, syllable.text)));
}

function drawLines(index) {
  at = index;
  const present = paragraph(lines[index], "sung-now");
  syllables = index >= 0 ? lines[index].syllables.map((syllable, i) => ({ ...syllable, element: present.children[i], shown: -1 })) : [];
  if (index >= 0 && getComputedStyle(present).direction === "rtl") present.setAttribute("data-rtl", "");
  fill(byId("lyrics"), index > 0 && paragraph(lines[index - 1], "far"), index >= 0 ? present : h("div", { class: "dots", id: "dots" }),
    lines[index + 1] && paragraph(lines[index + 1], "near"), lines[index + 2] && paragraph(lines[index + 2], "far"));
  dotsShown = -1;
}

function drawDots(heard_s, index) {
  const next = lines[index + 1];
  const ended_s = index >= 0 ? lines[index].end_s : 0;
  const left_s = next && heard_s > ended_s && next.start_s - ended_s > PAUSE_S ? next.start_s - heard_s : 0;
  const wanted = left_s > 0 ? Math.min(4, Math.ceil(left_s)) : 0;
  if (wanted === dotsShown) return;
  dotsShown = wanted;
  let dots = byId("dots");
  if (!dots && wanted) {
    dots = h("div", { class: "dots", id: "dots" });
    byId("lyrics").children[index > 0 ? 2 : 1]?.before(dots);
  }
  if (dots) fill(dots, Array.from({ length: wanted }, () => h("i")));
}

function frame() {
  requestAnimationFrame(frame);
  if (!link.state?.now) return;
  const heard_s = link.heard() + link.frame_ms / 1000; // what is drawn now is seen with the next picture
  const length_s = link.clock.length_s;
  byId("done").style.transform = `scaleX(${length_s ? Math.min(1, Math.max(0, heard_s / length_s)) : 0})`;
  if (!lines.length) {
    if (at !== -3) {
      at = -3;
      fill(byId("lyrics"), h("p", {}, text(link.state.now.song.title)), h("p", { class: "far" }, text(link.state.now.song.artist)));
    }
    return;
  }
  const index = place(heard_s);
  if (index !== at) drawLines(index);
  for (const syllable of syllables) {
    const length = syllable.end_s - syllable.start_s;
    let part = Math.min(1, Math.max(0, length > 0 ? (heard_s - syllable.start_s) / length : heard_s >= syllable.start_s));
    if (still.matches) part = part > 0 ? 1 : 0;
    if (part !== syllable.shown) {
      syllable.shown = part;
      syllable.element.style.setProperty("--p", `${(100 * part).toFixed(1)}%`);
    }
  }
  drawDots(heard_s, index);
}

link.on("state", drawState);
requestAnimationFrame(frame);
window.link = link;
window.stage = { sung: () => syllables.map(({ text, shown }) => [text, shown]) }; // for tests and the curious
