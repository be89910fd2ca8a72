"""The contract of a plugin as checks that can be run on any: ``rtkaraoke plugins NAME --test``, and our own tests.

Each check of :data:`CHECKS` takes a factory of plugins and returns what it measured; it raises
:class:`ContractError`, or lets through what the plugin raises, when the contract does not hold.
"""

import math
import tracemalloc
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from rtkaraoke.errors import ContractError
from rtkaraoke.plugins.declaration import check_declaration
from rtkaraoke.plugins.harness import MAX_BLOCK, RATE, TIMED_BLOCK, Change, Create, noise, prepared, run, time_blocks
from rtkaraoke.plugins.protocol import Plugin, presets_of

SAMPLE_RATES = (16_000, 22_050, 32_000, 44_100, 48_000, 88_200, 96_000)
PARTITIONS = (
    (*(1,) * 1500, 4096),
    (64,),
    (128,),
    (441, 1, 300, 7, 2048, 1000),
    (1023, 1025, 33, 4095),
)
N_TIMED = 2000
SILENT = 1e-6  #: -120 dB
IMPULSE_AT = 1000
TONE_HZ = 220
STEP_LIMIT = 1.5  #: a change may step this much more than the sound itself does
_NORMAL = float(np.finfo(np.float32).tiny)


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One check of one plugin: its name, whether the contract holds, and what was measured or is wrong."""

    check: str
    passed: bool
    detail: str


def check_plugin(create: Create, names: Iterable[str] | None = None) -> Iterator[CheckResult]:
    """Run every check, or those of ``names``, on plugins that ``create()`` makes, one result at a time."""
    for name in CHECKS if names is None else names:
        try:
            yield CheckResult(name, True, CHECKS[name](create))
        except ContractError as broken:
            yield CheckResult(name, False, str(broken))
        except Exception as error:  # noqa: BLE001 - foreign code: whatever it raises is a finding
            yield CheckResult(name, False, f"{type(error).__name__}: {error}")


def check_partition(create: Create) -> str:
    """Any partition into blocks gives the same bits, also while parameters move."""
    for sample_rate, n_channels in ((RATE, 2), (16_000, 1), (96_000, 2)):
        with prepared(create, sample_rate, n_channels) as plugin:
            signal = noise(3 * MAX_BLOCK + 4 * plugin.latency, n_channels)
            changes = list(_changes(plugin, signal.shape[1]))
            expected = run(plugin, signal, (MAX_BLOCK,), changes)
        for sizes in PARTITIONS:
            with prepared(create, sample_rate, n_channels) as plugin:
                out = run(plugin, signal, sizes, changes)
            if not np.array_equal(out, expected):
                at = int(np.argmax((out != expected).any(axis=0)))
                named = ", ".join(map(str, sizes[:6]))
                raise ContractError(
                    f"blocks of {named}{', ...' * (len(sizes) > 6)} differ from blocks of {MAX_BLOCK} "
                    f"from sample {at} on ({n_channels} channels, {sample_rate} Hz)"
                )
    return f"{len(PARTITIONS) + 1} partitions alike, bit for bit"


def _changes(plugin: Plugin, n_samples: int) -> Iterator[Change]:
    """Every parameter to its limits, one after the other."""
    values = [(name, value) for name, p in plugin.parameters.items() for value in (p.maximum, p.minimum, p.default)]
    for number, (name, value) in enumerate(values):
        yield (number + 1) * n_samples // (len(values) + 1), name, value


def check_latency(create: Create) -> str:
    """An impulse comes out after the declared latency, to the sample, and nothing before it.

    Where there is a ``bypass``, that way is measured: effects may smear their own.
    """
    found = set()
    for sample_rate in SAMPLE_RATES:
        with prepared(create, sample_rate, 1) as plugin:
            if "bypass" in plugin.parameters:
                plugin.set("bypass", plugin.parameters["bypass"].maximum)
                plugin.reset()
            latency = plugin.latency
            impulse = np.zeros((1, IMPULSE_AT + latency + MAX_BLOCK), np.float32)
            impulse[0, IMPULSE_AT] = 1.0
            out = np.abs(run(plugin, impulse)[0])
            if plugin.latency != latency:
                raise ContractError(f"the latency was {latency} samples and became {plugin.latency}: it must stay")
        at = int(np.argmax(out)) - IMPULSE_AT
        early = float(out[: IMPULSE_AT + latency].max(initial=0.0))
        if at != latency:
            raise ContractError(f"an impulse comes out after {at} samples, declared are {latency} ({sample_rate} Hz)")
        if early > SILENT:
            raise ContractError(f"{early:.2g} comes out before the impulse is due ({sample_rate} Hz)")
        found.add(latency)
    return f"{' to '.join(map(str, sorted({min(found), max(found)})))} samples, as declared"


def check_nonfinite(create: Create) -> str:
    """NaN and Inf in give neither out, and afterwards the sound is as if they had been silence."""
    for n_channels in (1, 2):
        levels = []
        for dirt in (0.0, np.nan):
            with prepared(create, RATE, n_channels) as plugin:
                signal = noise(2 * RATE + plugin.latency, n_channels, 0.1)
                signal[:, 5000:5100] = dirt
                signal[:, 5200:5210] = dirt and np.inf
                signal[0, 5300:5310] = dirt and -np.inf
                out = run(plugin, signal)
            if not np.isfinite(out).all():
                raise ContractError(
                    f"{np.count_nonzero(~np.isfinite(out))} samples are NaN or Inf after NaN and Inf came in"
                )
            levels.append(float(np.sqrt(np.mean(np.square(out[:, -RATE // 2 :], dtype=np.float64)))))
        if not math.isclose(levels[0], levels[1], rel_tol=0.1, abs_tol=SILENT):
            raise ContractError(f"one second after NaN and Inf the level is {levels[1]:.3g} instead of {levels[0]:.3g}")
    return "never out, recovers"


def check_limits(create: Create) -> str:
    """Parameters at their limits, alone and together, and every preset: full scale in, finite numbers out."""
    plugin = create()
    settings: list[dict[str, float]] = []
    for name, parameter in plugin.parameters.items():
        settings += [{name: parameter.minimum}, {name: parameter.maximum}]
    settings += [{name: p.minimum for name, p in plugin.parameters.items()}]
    settings += [{name: p.maximum for name, p in plugin.parameters.items()}]
    settings += [dict(values) for values in presets_of(plugin).values()]
    plugin.close()
    highest = 0.0
    loud = np.sign(noise(RATE // 2))
    for values in settings:
        for sample_rate in (SAMPLE_RATES[0], SAMPLE_RATES[-1]):
            with prepared(create, sample_rate, 2, values) as plugin:
                out = run(plugin, loud, (MAX_BLOCK,))
            if not np.isfinite(out).all():
                raise ContractError(f"NaN or Inf at full scale with {values} ({sample_rate} Hz)")
            highest = max(highest, float(np.abs(out).max()))
    return f"{len(settings)} settings, peak {20 * np.log10(max(highest, SILENT)):+.0f} dB"


def check_silence(create: Create) -> str:
    """Silence stays silence."""
    with prepared(create) as plugin:
        peak = float(np.abs(run(plugin, np.zeros((2, RATE), np.float32))).max())
    if not peak <= SILENT:
        raise ContractError(f"silence in, {20 * np.log10(peak):.0f} dB out")
    return "silent" if peak == 0.0 else f"{20 * np.log10(peak):.0f} dB"


def check_denormals(create: Create) -> str:
    """A tail that dies away ends in zeros, not in denormal numbers, which some processors are slow with."""
    signal = noise(4 * RATE)
    signal[:, RATE // 2 :] = 0.0
    signal[:, 3 * RATE :] = noise(RATE, level=1e-40)
    with prepared(create) as plugin:
        out = np.abs(run(plugin, signal, (MAX_BLOCK,)))
    tail = out[:, : 3 * RATE]
    n_denormal = np.count_nonzero((tail > 0) & (tail < _NORMAL))
    if n_denormal:
        raise ContractError(f"{n_denormal} denormal samples come out of a tail: replace what is nearly nothing by 0")
    if not out[:, 3 * RATE :].max() <= SILENT + tail[:, -RATE // 4 :].max():
        raise ContractError(f"denormal input comes out as {out[:, 3 * RATE :].max():.2g}")
    return "none come out of a tail"


def check_clicks(create: Create) -> str:
    """Every parameter from limit to limit, and preset to preset, while a tone sounds: the largest step is bounded."""
    plugin = create()
    moves = [
        (f"{name} from {start:g} to {end:g}", {name: start}, {name: end})
        for name, p in plugin.parameters.items()
        for start, end in ((p.minimum, p.maximum), (p.maximum, p.minimum))
    ]
    presets = list(presets_of(plugin).items())
    moves += [
        (f"preset {first} to {second}", dict(before), dict(after))
        for (first, before), (second, after) in zip(presets, presets[1:] + presets[:1], strict=True)
    ]
    plugin.close()
    step = 2 * np.pi * TONE_HZ / RATE  # the largest of a tone of amplitude 1
    worst = 0.0
    for what, before, after in moves:
        with prepared(create, RATE, 2, before) as plugin:
            change = RATE + plugin.latency
            # At its peak when the change comes: there a step is seen.
            tone = 0.25 * np.cos(step * (np.arange(2 * change) - RATE))
            signal = np.stack([tone, -0.5 * tone]).astype(np.float32)
            out = run(plugin, signal, (480,), [(change, name, value) for name, value in after.items()])
        steps = np.abs(np.diff(out, axis=1)).max(axis=0)
        peak = float(np.abs(out).max())
        usual = max(float(steps[change // 2 : change - 1].max()), float(steps[-change // 4 :].max()), step * peak)
        largest = float(steps[change - 1 :].max())
        fade = peak / (0.01 * RATE)
        if largest > STEP_LIMIT * usual + fade:
            raise ContractError(f"{what}: a step of {largest:.3g} where the sound itself has {usual:.3g}")
        worst = max(worst, largest / (usual + fade))
    return f"{len(moves)} moves, largest step {worst:.2f} of the tone's own" if moves else "nothing to move"


def check_reset(create: Create) -> str:
    """After a reset the plugin is as new, its parameters apart."""
    with prepared(create) as plugin:
        signal = noise(RATE // 2 + 2 * plugin.latency)
        first = run(plugin, signal)
        plugin.reset()
        again = run(plugin, signal)
    if not np.array_equal(first, again):
        at = int(np.argmax((first != again).any(axis=0)))
        raise ContractError(f"the same sound gives other bits after a reset, from sample {at} on")
    return "as new"


def check_rates(create: Create) -> str:
    """Sample rates from 16 to 96 kHz, mono and stereo; prepared anew each time."""
    plugin = create()
    try:
        for sample_rate in SAMPLE_RATES:
            for n_channels in (1, 2):
                plugin.prepare(sample_rate, n_channels, MAX_BLOCK)
                latency = plugin.latency
                if not isinstance(latency, int) or latency < 0:
                    raise ContractError(f"a latency of {latency!r} at {sample_rate} Hz: wanted samples, 0 or more")
                if not np.isfinite(run(plugin, noise(MAX_BLOCK, n_channels))).all():
                    raise ContractError(f"NaN or Inf at {sample_rate} Hz with {n_channels} channels")
        plugin.reset()
    finally:
        plugin.close()
        plugin.close()  # twice is allowed
    return f"{SAMPLE_RATES[0]} to {SAMPLE_RATES[-1]} Hz, mono and stereo"


def check_allocation(create: Create) -> str:
    """``process`` allocates no array."""
    with prepared(create) as plugin:
        block, out = noise(MAX_BLOCK), np.zeros((2, MAX_BLOCK), np.float32)
        small_block, small_out = noise(TIMED_BLOCK), np.zeros((2, TIMED_BLOCK), np.float32)
        tracemalloc.start()
        try:
            for _ in range(8):
                plugin.process(block, out)
                plugin.process(small_block, small_out)
            tracemalloc.reset_peak()
            before = tracemalloc.get_traced_memory()[0]
            for _ in range(100):
                plugin.process(block, out)
                plugin.process(small_block, small_out)
            most = tracemalloc.get_traced_memory()[1] - before
        finally:
            tracemalloc.stop()
    if most > block.nbytes // 4:
        raise ContractError(f"process takes {most} bytes of memory: allocate in prepare")
    return f"{most} bytes at most"


def check_time(create: Create) -> str:
    """A block takes less than half of the time that it lasts, in processor time of this thread.

    Other programs stretch the wall's time, so of that only the median has to fit at all.
    """
    wall_us, cpu_us = time_blocks(create, N_TIMED)
    lasts_us = 1e6 * TIMED_BLOCK / RATE
    p50, p99 = np.percentile(wall_us, (50, 99))
    said = f"{p50:.1f} µs (p99 {p99:.1f}, max {wall_us.max():.1f}) per stereo block of {TIMED_BLOCK} at {RATE} Hz"
    if cpu_us.mean() > 0.5 * lasts_us or p50 > lasts_us:
        raise ContractError(
            f"{said}, mean processor time {cpu_us.mean():.1f} µs: too much for {lasts_us:.0f} µs of sound"
        )
    return said


CHECKS: dict[str, Callable[[Create], str]] = {
    "declaration": check_declaration,
    "rates": check_rates,
    "partition": check_partition,
    "latency": check_latency,
    "NaN and Inf": check_nonfinite,
    "limits": check_limits,
    "silence": check_silence,
    "denormals": check_denormals,
    "clicks": check_clicks,
    "reset": check_reset,
    "allocation": check_allocation,
    "time": check_time,
}
