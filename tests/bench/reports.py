"""One small report of every benchmark, of made-up measurements."""

import numpy as np

from rtkaraoke.bench import schedule
from rtkaraoke.bench.compare import compare
from rtkaraoke.bench.hop import BACK_TO_BACK, PACED, HopTimings, Timing
from rtkaraoke.bench.hop_report import Case, _assemble
from rtkaraoke.bench.index_signal import Accounts, encode
from rtkaraoke.bench.loopback import loopback_report
from rtkaraoke.bench.quality import quality_report
from rtkaraoke.bench.report import Report
from rtkaraoke.bench.rooms import RoomTimings
from rtkaraoke.bench.smallest import Trial, devices_report
from rtkaraoke.bench.soak import Second, Soak
from rtkaraoke.bench.soak_report import soak_report
from rtkaraoke.dsp.probe import CalibrationError
from rtkaraoke.evaluate import report as evaluation
from rtkaraoke.live.calibrate import RoundTrip
from rtkaraoke.live.telemetry import LiveStatus
from rtkaraoke.masks.centre import CentreNetwork

TERMS = {"vocal_remover": 512, "limiter": 0, "prefill": 512, "device out": 128, "device in": 0}
NASTY = '<script>alert("x")</script> & "quoted"'  # a name of a device, a song or a file may be anything


def status(**values: object) -> LiveStatus:
    xruns = {"lost_input": 0, "silent_output": 0, "overruns": 0, "underruns": 0, "device_output_underflows": 0}
    defaults = {
        "state": "running", "sample_rate": 44_100, "period": 128, "latency_terms": TERMS, "n_samples": 441_000,
        "load": {"p50": 0.2, "p99": 0.3, "p99.9": 0.4, "max": 0.5}, "step_ms": {"p99": 1.2}, "realtime": True,
        "hops": {"hops": 1722, "late": 0, "skipped": 0, "held": 0, "fallback": 0}, "xruns": xruns,
        "input": NASTY, "output": "Card",
    }  # fmt: skip
    return LiveStatus(**{**defaults, **values, "xruns": xruns | dict(values.get("xruns", {}))})


def hop(seed: int = 0, scale: float = 1.0) -> Report:
    random = np.random.default_rng(seed)

    def timing(typical_ms: float) -> Timing:
        wall = scale * typical_ms * np.exp(0.2 * random.normal(size=5000))
        wall[::500] *= 30
        return Timing(wall, 0.9 * wall)

    stages = {name: timing(0.2) for name in ("copy, mix, limit, meter", "window + FFT", "inference")}
    whole = {BACK_TO_BACK: timing(1.0), PACED: timing(1.2)}
    cases = [Case(NASTY, "cpu", rate, HopTimings(5.8, 0, stages, whole, 1.0, 1e-3)) for rate in (44_100, 48_000)]
    served = [RoomTimings(NASTY, "cpu", 44_100, n, 5.8, timing(0.3 * n), timing(0.4 * n)) for n in (1, 4)]
    return _assemble(cases, 5000, ["a *note* with `code`"], 44_100, served)


def soak() -> Report:
    accounts, sent = Accounts(), Accounts()
    accounts.add(encode(0, 10_000))
    sent.add(encode(0, 10_000))
    history = tuple(
        Second(float(number), 37 if number == 700 else 0, number % 300 == 5, 230.0, 7.0 if number == 700 else 0.4)
        for number in range(1800)
    )
    good = Soak(1800, accounts, sent, status(), 230.0, 0.1, history)
    bad = Soak(1800, accounts, Accounts(), status(xruns={"underruns": 3}), 230.0, 0.1, history)
    return soak_report({512: good, 256: bad}, {"period": 128, "model": "live", "hogs": 2, "seconds": 1800})


def loopback() -> Report:
    good = RoundTrip(1153.3, 0.02, -1.5, -1, 45.0, 44_100, 128, TERMS, ((1153.3,), (1153.28,)), "in", "out")
    return loopback_report({1: good, 2: CalibrationError("hum", "only hum comes in")}, {"runs": 5, "level_db": -12.0})


def trials() -> list[Trial]:
    late = status(latency_terms=TERMS | {"prefill": 256}, xruns={"underruns": 4, "silent_output": 300})
    long = status(latency_terms=TERMS | {"prefill": 1024})
    return [Trial(256, 1024, 60.0, long), Trial(128, 512, 60.0, status()), Trial(64, 256, 60.0, late)]


def quality() -> Report:
    random = np.random.default_rng(0)
    methods = ("nothing", "centre", "oracle-ratio")
    results = [
        evaluation.SongResult(
            method, f"song {song}", 7.0, {"voice_sdr": 3.0 * place + random.normal(), "music_sdr": 8.0 + place}
        )
        for place, method in enumerate(methods)
        for song in range(5)
    ]
    found = evaluation.Report(NASTY, "folder", "all", methods, (), tuple(results))
    return quality_report(found, {"centre": CentreNetwork.info}, {"dataset": NASTY})


def wake_ups() -> Report:
    random = np.random.default_rng(0)
    cases = [
        schedule.Case(load, wanted, place, 5.0, np.exp(random.normal(-3, 1, 2000)))
        for load in ("idle", "cpu")
        for wanted in schedule.PRIORITIES
        for place in schedule.PLACES
    ]
    return schedule._assemble(cases, {"seconds": 5.0})


def every() -> dict[str, Report]:
    before, after = hop().to_dict(), hop(1, 1.2).to_dict()
    return {
        "hop": hop(),
        "schedule": wake_ups(),
        "soak": soak(),
        "loopback": loopback(),
        "devices": devices_report(trials(), {"devices": NASTY, "seconds": 60.0}),
        "quality": quality(),
        "compare": compare(before, after, ("before.json", "after.json")),
    }
