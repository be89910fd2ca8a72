// Elements from data. Text goes in as text, never as markup: names and tags come from strangers.

export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "class") element.className = value;
    else if (name in element && name !== "list" && !name.startsWith("aria")) element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export const byId = (id) => document.getElementById(id);

// A stranger's text: its writing direction is its own and ends where it ends.
export const text = (value, className = "") => h("bdi", { class: className, dir: "auto" }, String(value ?? ""));

export function fill(element, ...children) {
  element.replaceChildren(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
}

export function time(seconds) {
  if (!Number.isFinite(seconds)) return "–:––";
  const whole = Math.max(0, Math.floor(seconds));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

export function cover(song) {
  const letter = [...(song.artist || song.title || "♪").trim()][0] ?? "♪";
  if (!song.cover) return h("span", { class: "cover", "aria-hidden": "true" }, letter.toUpperCase());
  return h("span", { class: "cover", "aria-hidden": "true" }, h("img", { src: `/api/cover/${song.id}`, alt: "", loading: "lazy" }));
}

export function songLines(song) {
  return h("span", { class: "grow" },
    h("span", { class: "song-title" }, text(song.title)),
    h("span", { class: "song-artist" }, text(song.artist || "unknown"), ` · ${time(song.length_s)}`));
}

let toastTimer = 0;
export function toast(message) {
  const place = byId("toast");
  place.textContent = message;
  place.classList.add("shown");
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => place.classList.remove("shown"), 4500);
}

// Keep what the user is typing into or has opened when a list is drawn anew.
export function keepFocus(draw) {
  const focused = document.activeElement?.id;
  draw();
  if (focused && document.activeElement?.id !== focused) byId(focused)?.focus();
}

export function debounce(wait, action) {
  let timer = 0;
  return (...values) => {
    clearTimeout(timer);
    timer = setTimeout(() => action(...values), wait);
  };
}

// At most one call in `wait` ms, and always the last one: for sliders.
export function throttle(wait, action) {
  let timer = 0, latest = null;
  const run = () => {
    timer = 0;
    if (latest === null) return;
    const values = latest;
    latest = null;
    action(...values);
    timer = setTimeout(run, wait);
  };
  return (...values) => {
    latest = values;
    if (!timer) run();
  };
}
