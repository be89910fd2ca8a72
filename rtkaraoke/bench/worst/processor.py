"""The processor itself: hops after a sleep, hops without a pause for a minute, and time that the host took away."""

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rtkaraoke.bench.hop import Stopwatch, Timing, feeding
from rtkaraoke.live.host import POLL_S
from rtkaraoke.masks.protocol import MaskNetwork

CPU = Path("/sys/devices/system/cpu/cpu0")
THERMAL = Path("/sys/class/thermal")
STAT = Path("/proc/stat")
STEAL = 8  #: which field of a line of /proc/stat
MAX_HOPS_PER_S = 20_000


@dataclass(frozen=True, slots=True)
class Rest:
    """Hops that each came after so many ms without work, slept through in one piece or polled as the worker polls."""

    rest_ms: float
    polled: bool
    timing: Timing


def after_rest(
    network: MaskNetwork, rests_ms: Sequence[float], seconds: float, n_hops: int, sample_rate: int = 44_100
) -> list[Rest]:
    """Time hops that come after a rest.

    Parameters
    ----------
    network : MaskNetwork
    rests_ms : sequence of float
        Slept through in one piece; 0 is back to back. Each that is longer than the poll is polled as well.
    seconds : float
        For each of them at most, when hops took no time.
    n_hops : int
        For each of them at most.
    sample_rate : int
        In Hz.
    """
    found = []
    with feeding(network, sample_rate) as feed:
        for rest_ms in rests_ms:
            rest_s = 1e-3 * rest_ms
            n = max(1, min(n_hops, round(seconds / rest_s) if rest_ms else n_hops))
            for polled in (False, True) if rest_s > POLL_S else (False,):
                watch = Stopwatch(n, 1)
                for _ in range(n + 1):
                    _rest(rest_s, polled)
                    watch.run(feed.run)
                found.append(Rest(rest_ms, polled, watch.timing()))
    return found


def _rest(seconds: float, polled: bool) -> None:
    if not polled:
        if seconds:
            time.sleep(seconds)
        return
    ends = time.perf_counter() + seconds
    while time.perf_counter() < ends:
        time.sleep(POLL_S)


@dataclass(frozen=True, slots=True)
class Window:
    """A part of a long run; ``temperature_c`` at its end where the machine tells."""

    ends_s: float
    timing: Timing
    temperature_c: float | None


@dataclass(frozen=True, slots=True)
class Drift:
    """Hops without a pause. ``stolen`` is the share of all cores' time that the host gave to others, where told."""

    windows: list[Window]
    stolen: float | None

    @property
    def longest_wait_ms(self) -> float:
        """The longest that the thread was kept from its core within one hop: wall time less its own."""
        return max(float((each.timing.wall_ms - each.timing.cpu_ms).max()) for each in self.windows)


def drift(network: MaskNetwork, n_windows: int, window_s: float, sample_rate: int = 44_100) -> Drift:
    """Run hops back to back for ``n_windows`` times ``window_s`` seconds: several times what live sound asks for."""
    windows = []
    before, started = stolen_ticks(), time.perf_counter()
    with feeding(network, sample_rate) as feed:
        for number in range(n_windows):
            watch = Stopwatch(round(MAX_HOPS_PER_S * window_s) + 1, 0)
            ends = started + (number + 1) * window_s
            for _ in range(round(MAX_HOPS_PER_S * window_s) + 1):
                watch.run(feed.run)
                if time.perf_counter() >= ends:
                    break
            windows.append(Window((number + 1) * window_s, watch.timing(), temperature_c()))
    after, elapsed_s = stolen_ticks(), time.perf_counter() - started
    if before is None or after is None:
        return Drift(windows, None)
    return Drift(windows, (after - before) / os.sysconf("SC_CLK_TCK") / elapsed_s / (os.cpu_count() or 1))


def stolen_ticks() -> int | None:
    """Time of all cores that the host of a virtual machine gave to others, in clock ticks since it was started."""
    line = _text(STAT).partition("\n")[0].split()
    return int(line[STEAL]) if len(line) > STEAL else None


def temperature_c() -> float | None:
    """The hottest sensor of the machine in degrees Celsius; None where it shows none."""
    readings = [_text(path) for path in sorted(THERMAL.glob("thermal_zone*/temp"))]
    values = [int(text) / 1000 for text in readings if text.lstrip("-").isdigit()]
    return max(values, default=None)


def clock() -> dict[str, str]:
    """How the first core chooses its clock and its sleep states, as far as the machine shows."""
    sleep_states = [
        f"{_text(path / 'name')} ({latency} us)"
        for path in sorted((CPU / "cpuidle").glob("state*"))
        if (latency := _text(path / "latency"))
    ]
    shown = {
        "governor": _text(CPU / "cpufreq/scaling_governor"),
        "clock now": _mhz(_text(CPU / "cpufreq/scaling_cur_freq")),
        "highest clock": _mhz(_text(CPU / "cpufreq/cpuinfo_max_freq")),
        "sleep states, and how long waking takes": ", ".join(sleep_states),
        "temperature": "" if (hottest := temperature_c()) is None else f"{hottest:.0f} °C",
    }
    return {name: text or "not shown by this machine" for name, text in shown.items()}


def _mhz(khz: str) -> str:
    return f"{int(khz) / 1000:.0f} MHz" if khz.isdigit() else ""


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        return ""


def percentiles(values: NDArray[np.float64]) -> list[float]:
    """p50, p99 and the greatest."""
    return [float(value) for value in np.percentile(values, [50, 99, 100])]
