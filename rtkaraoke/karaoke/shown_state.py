"""A night in plain dicts, lists, text and numbers, as a page is told of it. No paths: songs are numbers there."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rtkaraoke.karaoke.entries import Entry
from rtkaraoke.karaoke.store import Song
from rtkaraoke.live.telemetry import LiveStatus
from rtkaraoke.plugins.protocol import PluginInfo

VOICE_KINDS = ("vocal_remover", "duck")  #: parts that are shown with the voice, not with their bus
FLOOR_DB = -120.0


def song(song: Song) -> dict[str, Any]:
    """One line of the library."""
    return {
        "id": song.id,
        "title": song.title,
        "artist": song.artist,
        "length_s": song.length_s,
        "cover": song.has_cover,
        "lyrics": song.lyrics,
    }


def song_of_entry(entry: Entry) -> dict[str, Any]:
    """The same of a song that is not in the library any more."""
    return song(Song(entry.song, entry.title, entry.artist, "", entry.length_s))


def entry(entry: Entry, song: dict[str, Any], owner: str) -> dict[str, Any]:
    """One line of the queue."""
    return {
        "entry": entry.id,
        "song": song,
        "singer": entry.singer.name,
        "owner": owner,
        "key": entry.settings.key,
        "tempo": entry.settings.tempo,
        "vocals": entry.settings.vocals_db,
        "moved": entry.moved,
    }


def layout(parts: Sequence[PluginInfo]) -> dict[str, Any]:
    """The desk: ``voice`` has what is about the voice of the record, ``buses`` everything else by bus."""
    buses: dict[str, list[PluginInfo]] = {}
    for info in parts:
        buses.setdefault(info.bus, []).append(info)
    return {
        "voice": [_part(info) for info in parts if info.kind in VOICE_KINDS],
        "buses": [
            {
                "name": name,
                "latency": sum(info.latency for info in infos),
                "parts": [_part(info) for info in _strip_first(infos) if info.kind not in VOICE_KINDS],
            }
            for name, infos in buses.items()
        ],
    }


def _strip_first(infos: list[PluginInfo]) -> list[PluginInfo]:
    return sorted(infos, key=lambda info: info.name != info.bus)


def _part(info: PluginInfo) -> dict[str, Any]:
    return {
        "name": info.name,
        "kind": info.kind,
        "latency": info.latency,
        "presets": {name: dict(values) for name, values in info.presets.items()},
        "actions": [each.name for each in info.parameters if each.name == "calibrate"],
        "parameters": [
            {
                "name": each.name,
                "unit": each.unit,
                "minimum": each.minimum,
                "maximum": each.maximum,
                "default": each.default,
                "description": each.description,
                "choices": list(each.choices),
            }
            for each in info.parameters
            if each.name != "calibrate"
        ],
    }


def pulse(status: LiveStatus, now_s: float) -> dict[str, Any]:
    """What always moves; ``now_s`` is :func:`time.monotonic`."""
    return {"clock": clock(status, now_s), "meters": meters(status), "voice": voice(status), "engine": engine(status)}


def clock(status: LiveStatus, now_s: float) -> dict[str, Any]:
    """What is heard: second ``heard_s`` of a song, ``age_s`` ago, since then running at ``rate`` (1 = as recorded).

    ``entry`` is the queue's number of the song, 0 for none.
    """
    source = status.source
    entry = int(source.get("serial", 0))
    runs = entry and status.state == "running" and not source.get("paused") and not source.get("ended")
    return {
        "entry": entry,
        "heard_s": source.get("heard_s", source.get("position_s", 0.0)),
        "age_s": max(0.0, now_s - 1e-9 * status.time_ns) if status.time_ns else 0.0,
        "rate": source.get("tempo", 100.0) / 100.0 if runs else 0.0,
        "length_s": source.get("length_s", 0.0),
    }


def meters(status: LiveStatus) -> dict[str, list[list[float]]]:
    """Bus -> ``[[peak_db, rms_db], ...]``, one for each bar."""
    found = {name: [[_db(each["peak_db"]), _db(each["rms_db"])]] for name, each in status.buses.items()}
    pairs = zip(status.output_peak_db, status.output_rms_db, strict=False)
    found["master"] = [[_db(peak_db), _db(rms_db)] for peak_db, rms_db in pairs]
    return found


def voice(status: LiveStatus) -> dict[str, Any] | None:
    """Levels of the voice that was found in the music, and of what was taken out; None where nothing looks for it."""
    if not status.voice:
        return None
    return {
        "found_db": _db(status.voice["found_db"]),
        "removed_db": _db(status.voice["removed_db"]),
        "singing": bool(status.duck.get("singing")),
        "calibrating": bool(status.duck.get("calibrating")),
        "duck_db": _db(status.duck.get("gain_db", 0.0)),
    }


def engine(status: LiveStatus) -> dict[str, Any]:
    """Latency by term, and how well it is kept."""
    per_sample_ms = 1e3 / status.sample_rate if status.sample_rate else 0.0
    return {
        "state": status.state,
        "output": status.output,
        "sample_rate": status.sample_rate,
        "period": status.period,
        "latency_terms_ms": {name: per_sample_ms * n for name, n in status.latency_terms.items()},
        "budget_ms": status.latency_budget_ms,
        "xruns": status.xruns,
        "late": status.hops.get("late", 0),
        "hops": status.hops.get("hops", 0),
        "late_plugins": {name.removesuffix(".late"): n for name, n in status.hops.items() if name.endswith(".late")},
        "load": status.load.get("p99", 0.0),
        "realtime": status.realtime,
        "provider": status.provider,
        "recorded_s": status.recorded_s,
    }


def recording(status: LiveStatus) -> dict[str, Any]:
    """Whether something is recorded, and where: a name without its folder."""
    return {"on": bool(status.recording), "name": Path(status.recording).name if status.recording else ""}


def in_a_word(status: LiveStatus, playing: bool) -> str:
    """The state of the night."""
    if status.state != "running":
        return {"waiting": "no sound card", "failed": "no sound"}.get(status.state, status.state)
    if status.muted:
        return "muted"
    if status.source.get("paused"):
        return "paused"
    return "playing" if playing else "ready"


def _db(value: float) -> float:
    return round(value, 1) if math.isfinite(value) else FLOOR_DB
