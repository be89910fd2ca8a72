"""A night without a sound card: a session that plays songs by a clock that the test moves on."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from rtkaraoke.karaoke.library import Library
from rtkaraoke.karaoke.memory import Memory
from rtkaraoke.karaoke.night import Night
from rtkaraoke.karaoke.queue import Queue
from rtkaraoke.live.telemetry import LiveEvent, LiveStatus
from rtkaraoke.plugins.protocol import Parameter, PluginInfo

ON_OFF = ("off", "on")
LEVEL = Parameter("level", "dB", -90.0, 12.0, 0.0)
LAYOUT = (
    PluginInfo(
        "music",
        "vocal_remover",
        "vocal_remover",
        512,
        (Parameter("vocals", "dB", -90.0, 0.0, -90.0), Parameter("solo", "", 0, 1, 0, "the voice alone", ON_OFF)),
        {},
    ),
    PluginInfo("music", "music", "strip", 0, (LEVEL, Parameter("mute", "", 0, 1, 0, "", ON_OFF)), {}),
    PluginInfo(
        "music", "duck", "duck", 0, (Parameter("on", "", 0, 1, 1, "", ON_OFF), Parameter("calibrate", "", 0, 1, 0)), {}
    ),
    PluginInfo(
        "mic1",
        "mic1.echo",
        "echo",
        0,
        (Parameter("time", "ms", 20.0, 2000.0, 300.0), Parameter("wet", "dB", -90.0, 0.0, -90.0)),
        {"slap": {"time": 90.0, "wet": -12.0}},
    ),
    PluginInfo("mic1", "mic1", "strip", 0, (LEVEL,), {}),
    PluginInfo("master", "limiter", "limiter", 0, (Parameter("ceiling", "dB", -12.0, 0.0, -1.0),), {}),
)  # fmt: skip


class FakeSession:
    """A live session whose deck plays ``length_s`` of every song; :meth:`play` lets time go by."""

    def __init__(self, length_s: float = 100.0) -> None:
        self.length_s = length_s
        self.now_s = 1000.0
        self.commands: list[tuple[str, float, str]] = []
        self.recorded: list[tuple[Path | None, bool]] = []
        self.broken: set[str] = set()  # names of files that cannot be loaded
        self.source = {"serial": 0.0, "loaded": 0.0, "failed": 0.0, "paused": 0.0, "ended": 0.0, "position_s": 0.0}
        self.values = {f"{info.name}.{each.name}": each.default for info in LAYOUT for each in info.parameters}
        self.state: Any = "running"
        self.muted = False
        self._follow_s = -1.0
        self._events: list[LiveEvent] = []

    def clock(self) -> float:
        return self.now_s

    def set(self, plugin: str, parameter: str, value: float) -> None:
        self.values[f"{plugin}.{parameter}"] = value

    def mute(self, muted: bool) -> None:
        self.muted = muted

    def record(self, path: Path | None, *, apart: bool = False) -> None:
        self.recorded.append((path, apart))

    def layout(self) -> tuple[PluginInfo, ...]:
        return LAYOUT

    def tell(self, text: str) -> None:
        self._events.append(LiveEvent("notice", text))

    def events(self) -> list[LiveEvent]:
        events, self._events = self._events, []
        return events

    def status(self) -> LiveStatus:
        return replace(
            LiveStatus(), state=self.state, sample_rate=44_100, period=128, parameters=dict(self.values),
            source=dict(self.source, heard_s=self.source["position_s"], length_s=self.length_s),
            muted=self.muted, latency_terms={"vocal_remover": 512, "prefill": 256}, output_peak_db=(-6.0, -7.0),
            output_rms_db=(-18.0, -19.0), buses={"mic1": {"peak_db": -20.0, "rms_db": -30.0}},
            voice={"found_db": -20.0, "removed_db": -20.0}, time_ns=round(1e9 * self.now_s),
        )  # fmt: skip

    def command(self, name: str, value: float = 0.0, text: str = "") -> None:
        self.commands.append((name, value, text))
        source = self.source
        if name == "load":
            wanted = json.loads(text) if text else {"serial": 0, "path": ""}
            broken = Path(wanted["path"]).name in self.broken
            source["failed" if broken else "loaded"] = float(wanted["serial"])
            self.loaded = wanted
        elif name == "next":
            self._begin()
        elif name == "stop":
            source |= {"serial": 0.0, "position_s": 0.0, "ended": 0.0}
        elif name == "pause":
            source["paused"] = value
        elif name == "seek":
            source["position_s"] = value
        elif name == "follow":
            self._follow_s = value
        elif name in ("key", "tempo"):
            source[name] = value

    def play(self, seconds: float) -> None:
        self.now_s += seconds
        source = self.source
        if not source["serial"] or source["paused"]:
            return
        source["position_s"] = min(self.length_s, source["position_s"] + seconds)
        source["ended"] = float(source["position_s"] >= self.length_s)
        if source["loaded"] and self._follow_s >= 0 and source["position_s"] >= self.length_s - self._follow_s:
            self._begin()

    def restart(self) -> None:
        """Another engine process: an empty deck."""
        self.source |= {"serial": 0.0, "loaded": 0.0, "position_s": 0.0, "ended": 0.0}

    def _begin(self) -> None:
        loaded = self.loaded
        self.source |= {
            "serial": float(loaded["serial"]), "loaded": 0.0, "position_s": 0.0, "ended": 0.0,
            "key": loaded["key"], "tempo": loaded["tempo"],
        }  # fmt: skip


def make_songs(folder: Path, names: Sequence[str], seconds: float) -> None:
    """Sound files ``ARTIST - TITLE.wav``, each a little longer than the one before."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(names):
        n_samples = round(8000 * seconds * (1 + 0.07 * number))
        soundfile.write(folder / f"{name}.wav", np.full((n_samples, 1), 0.1, np.float32), 8000, subtype="PCM_U8")


class Evening:
    """A night over a folder of songs, on a fake session."""

    def __init__(
        self, folder: Path, names: Sequence[str] = ("Ann - One", "Bob - Two", "Cid - Three"), seconds: float = 0.2
    ) -> None:
        self.folder = folder
        make_songs(folder / "songs", names, seconds)
        self.open()

    def open(self, session: FakeSession | None = None, guest_url: str = "") -> None:
        database = self.folder / "night.sqlite"
        self.session = session or FakeSession()
        self.library = Library(self.folder / "songs", database)
        self.library.scan()
        self.queue = Queue(database)
        self.memory = Memory(database)
        self.night = Night(
            self.library,
            self.queue,
            self.memory,
            self.session,
            recordings=self.folder / "recordings",
            midi_path=self.folder / "midi.json",
            guest_url=guest_url,
            clock=self.session.clock,
        )

    def close(self) -> None:
        for part in (self.night, self.memory, self.queue, self.library):
            part.close()

    def song(self, title: str) -> str:
        return next(song["id"] for song in self.night.search(title))

    def play(self, seconds: float, step: float = 0.5) -> None:
        """Let time go by, with the night looking as it does."""
        for _ in range(round(seconds / step)):
            self.session.play(step)
            self.night.tick()

    @property
    def now(self) -> str:
        playing = self.night.state()["now"]
        return playing["song"]["title"] if playing else ""

    @property
    def waiting(self) -> list[str]:
        return [entry["song"]["title"] for entry in self.night.state()["queue"]]
