"""A deck in the engine's process, told what to do from outside it."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import soundfile

from rtkaraoke.live.process import LiveSession
from rtkaraoke.live.settings import LiveSettings
from rtkaraoke.transport import Deck
from tests.support import ticking
from tests.support.engines import passthrough
from tests.support.transport import until

SETTINGS = LiveSettings(channels_in=(), prefill=8192, block=1024, realtime=False, fade_in_ms=0.0)


def test_songs_are_loaded_played_and_changed_from_outside(tmp_path: Path) -> None:
    song = tmp_path / "song.wav"
    soundfile.write(song, np.full((60 * ticking.RATE, 2), 0.25), ticking.RATE)
    session = LiveSession(
        replace(SETTINGS), passthrough, source_factory=Deck, backend=ticking.TickingBackend(tmp_path / "card")
    )
    seen: list[dict[str, float]] = []

    def source() -> dict[str, float]:
        seen.append(dict(session.status().source))
        return seen[-1]

    def load(serial: int, path: Path, **fields: float) -> None:
        session.command("load", 0.0, json.dumps({"path": str(path), "serial": serial, **fields}))

    try:
        session.start()
        load(1, song)
        session.command("next", 0.0)
        until(lambda: source().get("serial") == 1 and source()["position_s"] > 0.3)
        load(2, song, key=2)
        until(lambda: source()["loaded"] == 2)
        session.command("tempo", 80.0)
        until(lambda: source()["tempo"] == 80)
        load(3, tmp_path / "none.wav")
        until(lambda: source()["failed"] == 3)
        until(lambda: source()["heard_s"] > 0.5)
        session.command("seek", 40.0)
        until(lambda: source()["heard_s"] > 40.0)
        texts: list[str] = []
        until(lambda: texts.extend(event.text for event in session.events()) or any("none.wav" in t for t in texts))
        session.command("sing", 1.0)
        until(lambda: texts.extend(event.text for event in session.events()) or any("'sing'" in t for t in texts))
    finally:
        session.stop()
    # What leaves the card is what was read the latency before.
    behind = [entry["position_s"] - entry["heard_s"] for entry in seen if 0.5 < entry["heard_s"] < 30]
    assert min(behind) > 0
    assert max(entry["serial"] for entry in seen) == 1
