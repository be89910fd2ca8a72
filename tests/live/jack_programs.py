"""Programs for test_jack.py, each in a process of its own: PortAudio must begin after the server and end before it.

``python -m tests.live.jack_programs NAME [ARGUMENT ...]`` prints its findings as JSON.
"""

import json
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import numpy as np

from rtkaraoke.engine import music_engine
from rtkaraoke.live.process import LiveSession
from rtkaraoke.live.settings import LiveSettings
from rtkaraoke.masks.centre import CentreNetwork
from tests.support import engines
from tests.support.fake_live import offline
from tests.support.loopback import Loopback, decodable, mark

RATE = 44_100
JACK = {"input": "loopback", "output": "loopback", "channels_out": (3, 4), "fade_in_ms": 0.0}


def _server_kept_time(status, signal, recorded):
    """Whether JACK itself lost nothing: this machine's fault is not the program's."""
    at = mark(recorded)
    whole = np.array_equal(recorded[at : at + len(signal), :2], signal)
    return whole and not any(count for name, count in status.xruns.items() if name.startswith("device"))


def exact(factory, prefill):
    """The output heard against render of the recorded input."""
    with tempfile.TemporaryDirectory() as folder:
        record = Path(folder) / "in.f32"
        settings = LiveSettings(prefill=int(prefill), record=record, realtime=False, **JACK)
        signal = decodable(3 * RATE // 2)
        with LiveSession(settings, getattr(engines, factory)) as session:
            session.start()
            recorded = Loopback(signal, 2 * RATE).finish()
            started = time.monotonic()
            session.stop()
            stop_s = time.monotonic() - started
            status = session.status()
        fed = np.fromfile(record, np.float32).reshape(-1, 2)
        decisions = record.with_suffix(".decisions").read_bytes()
        engine = music_engine(CentreNetwork(), replay=decisions) if factory == "slow" else getattr(engines, factory)()
        expected = offline(engine, fed)
        own = status.latency - engine.latency  # `expected` has the engine's latency in it
        start, shift = mark(fed), mark(recorded) - mark(fed) + own
        expected = expected[start : start + len(signal)]
        heard = recorded[start + shift : start + shift + len(expected), 2:]
        expected = expected[: len(heard)]
        return {
            "kept_time": _server_kept_time(status, signal, recorded),
            "input_equal": bool(np.array_equal(fed[start : start + len(signal)], signal)),
            "wrong": int((heard != expected).any(axis=1).sum()),
            "compared": len(heard),
            "quiet": float(np.abs(expected).max()),
            "late": status.hops.get("late", 0),
            "xruns": status.xruns,
            "terms": status.latency_terms,
            "stop_s": stop_s,
        }


def impulse(prefill):
    """Where an impulse comes back."""
    settings = LiveSettings(prefill=int(prefill), **JACK)
    signal = np.zeros((RATE // 2, 2), np.float32)
    signal[[1000, 9000, 17_000]] = 0.75
    with LiveSession(settings, partial(engines.centre, "bypass")) as session:
        status = session.start()
        recorded = Loopback(signal, RATE).finish()
    sent, back = np.flatnonzero(recorded[:, 0] == 0.75), np.flatnonzero(recorded[:, 2] == 0.75)
    return {
        "measured": (back - sent).tolist() if len(back) == len(sent) else [len(back)],
        "declared": status.latency,
        "realtime": status.realtime,
        "latency_ms": status.latency_ms,
    }


def microphone(prefill):
    """Where an impulse into a microphone comes back, while music of a source goes through the shipped network."""
    settings = LiveSettings(prefill=int(prefill), mic_in=(1,), **(JACK | {"channels_in": ()}))
    signal = np.zeros((RATE // 2, 2), np.float32)
    signal[[1000, 9000, 17_000], 0] = 0.75
    with LiveSession(settings, engines.night, source_factory=engines.Hum) as session:
        status = session.start()
        recorded = Loopback(signal, RATE).finish()
        later = session.status()
    sent, back = np.flatnonzero(recorded[:, 0] == 0.75), np.flatnonzero(recorded[:, 2] > 0.5)
    return {
        "measured": (back - sent).tolist() if len(back) == len(sent) else [len(back)],
        "music": float(np.abs(recorded[RATE // 2 :, 2]).max()),
        "music_latency": status.latency,
        "mic_latency": status.mic_latency,
        "hops": later.hops["hops"] - later.hops["late"],
        "realtime": status.realtime,
        "layout": [part.name for part in session.layout()],
        "heard_s": later.source["heard_s"],
        "levels": later.buses["mic1"],
    }


def stall(prefill):
    """A worker held up for 0.3 s: what was lost, as counted within and as heard outside."""
    settings = LiveSettings(prefill=int(prefill), realtime=False, **JACK)
    signal = decodable(2 * RATE)
    with LiveSession(settings, engines.stalling) as session:
        status = session.start()
        loopback = Loopback(signal, 5 * RATE // 2)
        while loopback.n_recorded < RATE:
            time.sleep(0.01)
        before = session.status().xruns
        session.set("stalling", "level", -1.0)
        recorded = loopback.finish()
        time.sleep(0.3)
        status = session.status()
    at = mark(recorded) + status.latency
    heard = recorded[at : at + len(signal), 2:]
    wrong = (heard != signal[: len(heard)]).any(axis=1)
    return {
        "kept_time": _server_kept_time(status, signal, recorded) and not before["underruns"],
        "wrong": int(wrong.sum()),
        "silent_heard": int((~heard[wrong].any(axis=1)).sum()),
        "wrong_at_the_end": int(wrong[-RATE // 4 :].sum()),
        "xruns": status.xruns,
    }


def two_clocks(prefill):
    """Two streams with the drift corrector between them; a mark's way through it."""
    settings = LiveSettings(prefill=int(prefill), two_clocks=True, **JACK)
    click = np.zeros((3 * RATE // 2, 2), np.float32)
    click[-RATE // 2] = 0.75
    with LiveSession(settings, engines.passthrough) as session:
        session.start()
        recorded = Loopback(click, 3 * RATE // 2).finish()
        status = session.status()
    return {
        "measured": int(np.argmax(np.abs(recorded[:, 2]))) - int(np.argmax(recorded[:, 0])),
        "declared": status.latency,
        "terms": status.latency_terms,
        "drift_ppm": status.drift_ppm,
        "xruns": status.xruns,
    }


def song(path):
    """A file played to an output without an input."""
    from rtkaraoke.transport import Song

    settings = LiveSettings(output="loopback", channels_in=(), channels_out=(3, 4), prefill=4096, realtime=False)
    with LiveSession(settings, engines.passthrough, source_factory=partial(Song, path)) as session:
        session.command("pause", 1.0)
        session.start()
        session.command("pause", 1.0)
        loopback = Loopback(np.zeros((16, 2), np.float32), 2 * RATE)
        session.command("pause", 0.0)
        recorded = loopback.finish()
        status = session.status()
    return {"heard": int((recorded[:, 2] != 0).sum()), "peak": float(recorded.max()), "xruns": status.xruns}


def messages():
    """What a user reads when a device cannot do what is asked."""
    from rtkaraoke.errors import LiveError
    from rtkaraoke.live import devices

    found = {}
    for name, settings in {
        "unknown": LiveSettings(input="kazoo"),
        "index": LiveSettings(output=99),
        "rate": LiveSettings(sample_rate=12_345),
        "channels": LiveSettings(input="loopback", channels_in=(1, 9)),
        "fine": LiveSettings(**JACK),
    }.items():
        try:
            found[name] = devices.choose(settings).sample_rate
        except LiveError as error:
            found[name] = str(error)
    return found


if __name__ == "__main__":
    print(json.dumps(globals()[sys.argv[1]](*sys.argv[2:])))
