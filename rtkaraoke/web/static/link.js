// The WebSocket: commands out, state in, and a clock that runs with the sound.

import { byId, toast } from "./dom.js";

const RETRY_MS = [300, 1000, 2000, 5000];
const JUMP_S = 0.2; // a clock further off than this is set, a nearer one is led
const LEAD = 0.12;

export class Link {
  constructor(view) {
    this.view = view;
    this.role = "guest";
    this.me = "";
    this.state = null;
    this.rtt_ms = 0;
    this.frame_ms = 0;
    this.clock = { entry: 0, base_s: 0, at_ms: performance.now(), rate: 0, length_s: NaN };
    this.handlers = {};
    this.waiting = new Map();
    this.number = 0;
    this.failures = 0;
    this.trips = [];
    this.open();
    setInterval(() => this.ping(), 4000);
    setInterval(() => this.measureFrames(), 8000);
    setTimeout(() => this.measureFrames(), 800);
  }

  on(kind, handler) {
    (this.handlers[kind] ??= []).push(handler);
    return this;
  }

  emit(kind, message) {
    for (const handler of this.handlers[kind] ?? []) handler(message);
  }

  open() {
    this.socket = new WebSocket(`ws://${location.host}/live`);
    this.socket.onmessage = (event) => this.receive(JSON.parse(event.data));
    this.socket.onopen = () => {
      this.failures = 0;
      this.show(true);
      for (let i = 0; i < 3; i++) setTimeout(() => this.ping(), 300 * i);
    };
    this.socket.onclose = () => {
      this.show(false);
      this.askWhy();
      for (const wait of this.waiting.values()) wait.reject(new Error("the connection was lost"));
      this.waiting.clear();
      const wait = RETRY_MS[Math.min(this.failures++, RETRY_MS.length - 1)];
      setTimeout(() => this.open(), wait);
    };
  }

  // A browser does not tell why a WebSocket was refused; a plain request does.
  async askWhy() {
    if (this.failures < 1) return;
    try {
      const answer = await fetch("/api/state");
      byId("offline").textContent = answer.status === 401 ? await answer.text() : "Connection lost, trying again …";
    } catch {
      // the server is away: it will be tried again
    }
  }

  show(online) {
    const bar = byId("offline");
    if (bar) bar.hidden = online;
    document.documentElement.dataset.online = online;
    this.emit("online", online);
  }

  receive(message) {
    switch (message.kind) {
      case "hello":
        this.role = message.role;
        this.me = message.me;
        break;
      case "pong":
        this.trips.push(performance.now() - message.at);
        if (this.trips.length > 8) this.trips.shift();
        this.rtt_ms = Math.min(...this.trips);
        return;
      case "state":
        this.state = message;
        break;
      case "pulse":
        this.setClock(message.clock);
        break;
      case "done": {
        const wait = this.waiting.get(message.n);
        this.waiting.delete(message.n);
        if (message.error) wait?.reject(new Error(message.error));
        else wait?.resolve(message.result);
        return;
      }
      case "error":
        toast(message.text);
        return;
    }
    this.emit(message.kind, message);
  }

  // What is heard now: what was heard when the engine looked, plus how old that is, plus half the way there and back.
  setClock(clock) {
    const now = performance.now();
    const heard_s = clock.heard_s + clock.rate * (clock.age_s + this.rtt_ms / 2000);
    const error = heard_s - this.heard(now);
    const jump = clock.entry !== this.clock.entry || clock.rate !== this.clock.rate || Math.abs(error) > JUMP_S;
    const base_s = jump ? heard_s : this.heard(now) + LEAD * error;
    this.clock = { ...clock, base_s, at_ms: now };
  }

  heard(now = performance.now()) {
    return this.clock.base_s + (this.clock.rate * (now - this.clock.at_ms)) / 1000;
  }

  ask(command) {
    return new Promise((resolve, reject) => {
      if (this.socket.readyState !== WebSocket.OPEN) {
        reject(new Error("no connection to the night: trying again"));
        return;
      }
      const n = ++this.number;
      this.waiting.set(n, { resolve, reject });
      this.socket.send(JSON.stringify({ ...command, n }));
    });
  }

  // Ask, and say what is wrong.
  async tell(command) {
    try {
      await this.ask(command);
      return true;
    } catch (error) {
      toast(error.message);
      return false;
    }
  }

  ping() {
    if (this.socket.readyState === WebSocket.OPEN && document.visibilityState === "visible")
      this.socket.send(JSON.stringify({ do: "ping", at: performance.now() }));
  }

  measureFrames() {
    if (document.visibilityState !== "visible" || this.socket.readyState !== WebSocket.OPEN) return;
    const times = [];
    const look = (now) => {
      times.push(now);
      if (times.length <= 20) requestAnimationFrame(look);
      else {
        const gaps = times.slice(1).map((at, i) => at - times[i]).sort((a, b) => a - b);
        this.frame_ms = gaps[gaps.length >> 1];
        if (this.socket.readyState === WebSocket.OPEN)
          this.socket.send(JSON.stringify({ do: "report", view: this.view, rtt_ms: Math.min(this.rtt_ms, 60000), frame_ms: Math.min(this.frame_ms, 10000) }));
      }
    };
    requestAnimationFrame(look);
  }
}

export async function get(path) {
  const answer = await fetch(path, { credentials: "same-origin" });
  if (!answer.ok) throw new Error((await answer.text()).slice(0, 300) || answer.statusText);
  return answer.json();
}
