// The phone: find a song, put it into the queue, set it up for oneself.

import { byId, cover, debounce, fill, h, keepFocus, songLines, text, throttle, time, toast } from "./dom.js";
import { Link, get } from "./link.js";
import { tune } from "./tune.js";

const link = new Link("sing");
const name = byId("name"), search = byId("search");
const opened = new Set();

name.value = localStorage.getItem("name") ?? "";
name.addEventListener("input", () => localStorage.setItem("name", name.value.trim()));

// Tabs, by finger and by arrow keys.
const tabs = [byId("tab-songs"), byId("tab-queue")];
function select(tab) {
  for (const each of tabs) {
    const chosen = each === tab;
    each.setAttribute("aria-selected", chosen);
    each.tabIndex = chosen ? 0 : -1;
    byId(each.getAttribute("aria-controls")).hidden = !chosen;
  }
}
tabs.forEach((tab, i) => {
  tab.addEventListener("click", () => select(tab));
  tab.addEventListener("keydown", (event) => {
    if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
    const other = tabs[1 - i];
    select(other);
    other.focus();
  });
});

// Search as one types.
let asked = 0;
async function find() {
  const query = search.value.trim();
  const mine = ++asked;
  try {
    const { songs } = await get(`/api/search?q=${encodeURIComponent(query)}`);
    if (mine !== asked) return; // an answer that was overtaken
    fill(byId("results"), songs.length ? songs.map(result) : h("li", { class: "empty" }, query ? "No song like that here." : "No songs in this folder yet."));
    byId("found").textContent = songs.length === 1 ? "1 song" : `${songs.length} songs`;
  } catch (error) {
    toast(error.message);
  }
}
search.addEventListener("input", debounce(120, find));

function result(song) {
  return h("li", { class: "song" }, cover(song), songLines(song),
    h("button", { type: "button", class: "main round add", "aria-label": `Sing ${song.title} by ${song.artist}`, onclick: () => add(song) }, "+"));
}

async function add(song) {
  const singer = name.value.trim();
  if (!singer) {
    toast("First your name: it is shown when it is your turn.");
    name.focus();
    return;
  }
  if (await link.tell({ do: "add", song: song.id, singer })) toast(`${song.title}: in the queue for ${singer}`);
}

// The queue, and what is sung now.
const change = throttle(120, (entry, fields) => link.tell({ do: "change", entry, ...fields }));

function mine(entry) {
  return link.role === "host" || entry.owner === link.me;
}

function drawNow() {
  const now = link.state.now;
  const card = byId("now");
  card.hidden = !now;
  if (!now) return;
  const own = now.owner === link.me;
  fill(card,
    h("p", { class: "eyebrow" }, own ? "You are on" : "Now singing"),
    h("div", { class: "song" }, cover(now.song), h("span", { class: "grow" },
      h("span", { class: "song-title" }, text(now.song.title)),
      h("span", { class: "song-artist" }, text(now.singer), h("span", { class: "number", id: "clock" }))),
      own && h("button", { type: "button", class: "tiny", onclick: () => link.tell({ do: "skip" }) }, "End")),
    own && tune(now, (fields) => change(now.entry, fields), "now"),
    h("div", { class: "progress", "aria-hidden": "true" }, h("i", { id: "done" })));
}

function drawQueue() {
  const queue = link.state.queue;
  byId("tab-queue").textContent = queue.length ? `Queue (${queue.length})` : "Queue";
  fill(byId("entries"), queue.length ? queue.map(line) : h("li", { class: "empty" }, "Nobody is waiting. Your turn?"));
}

function line(entry, place) {
  const own = mine(entry);
  const details = own && h("details", {
    open: opened.has(entry.entry),
    ontoggle: (event) => (event.target.open ? opened.add(entry.entry) : opened.delete(entry.entry)),
  }, h("summary", {}, "Key, tempo, voice"), tune(entry, (fields) => change(entry.entry, fields), "queue"));
  return h("li", {},
    h("div", { class: "song" }, h("span", { class: "place", "aria-hidden": "true" }, String(place + 1)), cover(entry.song),
      h("span", { class: "grow" },
        h("span", { class: "song-title" }, text(entry.song.title)),
        h("span", { class: "song-artist" }, h("span", { class: entry.owner === link.me ? "chip mine" : "chip" }, text(entry.singer)), " ", text(entry.song.artist))),
      own && h("button", { type: "button", class: "quiet round", "aria-label": `Remove ${entry.song.title}`, onclick: () => link.tell({ do: "remove", entry: entry.entry }) }, "✕")),
    details);
}

// A control that is being moved is not drawn anew under the finger.
function busy() {
  const focused = document.activeElement;
  return focused?.type === "range" && focused.matches(":active");
}

link.on("state", () => {
  if (busy()) return;
  keepFocus(() => {
    drawNow();
    drawQueue();
  });
});
setInterval(() => {
  const clock = byId("clock"), done = byId("done");
  if (!clock || !done) return;
  const heard_s = link.heard(), length_s = link.clock.length_s;
  clock.textContent = ` · ${time(heard_s)}${length_s ? ` / ${time(length_s)}` : ""}`;
  done.style.transform = `scaleX(${length_s ? Math.min(1, Math.max(0, heard_s / length_s)) : 0})`;
}, 250);
find();
window.link = link; // for tests and the curious
