"""The report of :mod:`rtkaraoke.bench.soak`: what was lost in so long a time, and what that means for an hour."""

from collections.abc import Mapping
from typing import Any

from rtkaraoke.bench.index_signal import Accounts
from rtkaraoke.bench.report import Cell, Figure, Report, Stack, Table, Timeline
from rtkaraoke.bench.soak import Soak
from rtkaraoke.bench.statistics import per_hour, share

COLUMNS = {
    "prefill": "",
    "minutes": ".1f",
    "declared": "",
    "measured": "",
    "ms": ".1f",
    "displaced": "",
    "silent": "",
    "lost": "",
    "repeated": "",
    "altered": "",
    "xruns": "",
    "server xruns": "",
    "hops": "",
    "late": "",
    "load p50": ".0%",
    "load p99.9": ".0%",
    "network p99 ms": ".2f",
    "grew MB": "+.1f",
}
SUMMARY = {
    "prefill": "prefill",
    "minutes": "minutes",
    "ms": "latency ms",
    "declared": "declared",
    "measured": "measured",
    "silent": "silent samples",
    "lost": "lost samples",
    "late": "late masks",
}  #: heading in the long table -> in the short one
MISSES = {
    "prefill": "",
    "missed": "",
    "count": "",
    "of": "",
    "per hour": ".1f",
    "at least": ".1f",
    "at most": ".1f",
    "share, at most": ".2e",
}
MISSES_NOTE = (
    "The ends of the 95 % interval (Poisson, exact). Where nothing was missed, *at most* is one-sided: fewer than 3 in "
    "the time that was measured, so a longer run promises more. *Xruns*: our rings ran dry or full; *late "
    "masks*: those that missed their hop, which is bridged."
)

STALLS = {
    "prefill": "",
    "longest stall of a core": "",
    "seconds": "",
    "with flawed samples": "",
    "with late masks": "",
    "flawed samples": "",
    "late masks": "",
}
STALL_ROWS = {
    "under 1 ms": (0.0, 1.0),
    "1 to 3 ms": (1.0, 3.0),
    "3 to 6 ms": (3.0, 6.0),
    "6 to 12 ms": (6.0, 12.0),
    "12 ms or more": (12.0, float("inf")),
}
STALLS_NOTE = (
    "A watchdog on each core, at a real-time priority above the sound server's, slept for a millisecond again and "
    "again; a *stall* is how much later it woke: for so long this core ran neither the server nor the engine. Every "
    "second is in the row of the longest stall since half a second before it. What stands in the first row is the "
    "program's own, or the server's; what stands further down goes with a machine that stood still."
)


def row(prefill: int, result: Soak) -> list[Cell]:
    """One run in the long table."""
    status, accounts, xruns = result.status, result.came_back, result.status.xruns
    return [
        prefill,
        result.seconds / 60,
        status.latency,
        result.latency,
        status.latency_ms,
        accounts.displaced,
        accounts.silent,
        accounts.lost,
        accounts.repeated,
        accounts.altered,
        _xruns(result),
        max(count for name, count in xruns.items() if name.startswith("device")),
        status.hops["hops"],
        status.hops["late"],
        status.load["p50"],
        status.load["p99.9"],
        status.step_ms.get("p99"),
        result.growth_mb,
    ]


def summary(rows: list[list[Cell]]) -> Table:
    """What a README shows of it."""
    places = [list(COLUMNS).index(name) for name in SUMMARY]
    columns = {heading: COLUMNS[name] for name, heading in SUMMARY.items()}
    return Table("summary", "In short", columns, [[row[place] for place in places] for row in rows])


def soak_report(results: Mapping[int, Soak], parameters: dict[str, Any]) -> Report:
    """Figures, tables, and the time lines of what went wrong.

    Parameters
    ----------
    results : mapping
        The runs by their prefill in samples.
    parameters : dict
        ``period``, ``model`` and ``hogs`` among them.
    """
    figures: dict[str, Figure] = {}
    misses: list[list[Cell]] = []
    stalls: list[list[Cell]] = []
    notes: list[str] = []
    charts: list[Timeline | Stack] = []
    bars: dict[str, dict[str, float]] = {}
    for prefill, result in results.items():
        key, status = f"soak.prefill{prefill}", result.status
        n_hops = status.hops["hops"]
        for name, what, count in (
            ("xruns", "xruns", _xruns(result)),
            ("late_masks", "late masks", status.hops["late"]),
        ):
            hourly = per_hour(count, result.seconds)
            figures[f"{key}.{name}_per_hour"] = Figure.of(hourly)
            misses.append([prefill, what, count, n_hops, *hourly, share(min(count, n_hops), n_hops).high])
        figures |= {
            f"{key}.latency_samples": Figure(result.latency or 0),
            f"{key}.latency_declared_samples": Figure(status.latency),
            f"{key}.flawed_samples_count": Figure(result.came_back.flawed),
            f"{key}.growth_mb": Figure(result.growth_mb),
        }
        if not result.sent.flawless:
            notes.append(
                f"prefill {prefill}: the measuring client itself lost samples, so what is flawed here need not be the "
                f"program's: {_flaws(result.sent)}"
            )
        stalls += _stalls(prefill, result)
        charts += _lines(prefill, result)
        bars[f"prefill {prefill}"] = {name: 1e3 * n / status.sample_rate for name, n in status.latency_terms.items()}
    rows = [row(prefill, result) for prefill, result in results.items()]
    realtime = all(result.status.realtime for result in results.values())
    note = (
        f"JACK dummy at 44.1 kHz, period {parameters['period']}, network {parameters['model']}, real-time priority "
        f"{'granted' if realtime else 'refused'}. In samples: *declared* and *measured* latency; "
        "*displaced*: at any other latency; *silent, lost, repeated, altered*: what became of the samples, counted "
        "from outside. *xruns* are the program's, *server xruns* JACK's own. *late*: masks that missed their hop; "
        "*load*: share of the time for which the worker was busy, waiting for the processor included; *grew*: the "
        "engine process, from 5 s after the start to the end."
    )
    tables = [
        summary(rows),
        Table("misses", "What was missed, in an hour", MISSES, misses, MISSES_NOTE),
        Table("soak", f"Live beside {parameters['hogs']} busy processes", COLUMNS, rows, note),
    ]
    if stalls:
        tables.append(Table("stalls", "What the machine did meanwhile", STALLS, stalls, STALLS_NOTE))
    charts.append(Stack("Latency by term", "ms", bars))
    return Report("soak", "A long live run, every sample accounted for", parameters, figures, tables, [*charts], notes)


def _flaws(accounts: Accounts) -> str:
    """What befell the samples, in words."""
    counts = ("displaced", "silent", "lost", "repeated", "altered")
    return ", ".join(f"{getattr(accounts, name)} {name}" for name in counts) if accounts.started else "none arrived"


def _xruns(result: Soak) -> int:
    return result.status.xruns["underruns"] + result.status.xruns["overruns"]


def _stalls(prefill: int, result: Soak) -> list[list[Cell]]:
    """The seconds by the longest stall in them; none where nobody watched."""
    rows: list[list[Cell]] = []
    for name, (low, high) in STALL_ROWS.items():
        part = [each for each in result.history if each.stall_ms is not None and low <= each.stall_ms < high]
        flawed, late = [each.flawed_samples for each in part], [each.late_hops for each in part]
        rows.append([prefill, name, len(part), sum(map(bool, flawed)), sum(map(bool, late)), sum(flawed), sum(late)])
    return rows if any(each.stall_ms is not None for each in result.history) else []


def _lines(prefill: int, result: Soak) -> list[Timeline | Stack]:
    """When what went wrong; of a long run, in at most some hundreds of steps."""
    history, step = result.history, max(1, -(-len(result.history) // 300))
    flawed, late, memory = [], [], []
    for start in range(0, len(history), step):
        part = history[start : start + step]
        flawed.append([float(start), float(sum(second.flawed_samples for second in part))])
        late.append([float(start), float(sum(second.late_hops for second in part))])
        memory.append([float(start), max(second.memory_mb for second in part)])
    seconds = float(len(history))
    every = "" if step == 1 else f" in {step} s"
    return [
        Timeline(f"Flawed samples, prefill {prefill}", f"samples{every}", {"flawed samples": flawed}, seconds),
        Timeline(f"Late masks, prefill {prefill}", f"masks{every}", {"late masks": late}, seconds),
        Timeline(f"Memory of the engine process, prefill {prefill}", "MB", {"memory": memory}, seconds),
    ]
