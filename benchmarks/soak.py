"""Minutes of live sound beside two busy processes, every sample accounted for.

    python benchmarks/soak.py [--seconds 600] [--prefills 512 256] [--model live] [--hogs 2]

Needs `jackd` and PortAudio, and no sound card. Writes ``results/soak.json``.
"""

import argparse
import sys

from common import Cell, Table, save

from rtkaraoke.bench.index_signal import Accounts
from rtkaraoke.bench.soak import Soak, soak
from rtkaraoke.masks.models import DEFAULT_MODEL

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


def row(prefill: int, result: Soak) -> list[Cell]:
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
        xruns["underruns"] + xruns["overruns"],
        max(count for name, count in xruns.items() if name.startswith("device")),
        status.hops["hops"],
        status.hops["late"],
        status.load["p50"],
        status.load["p99.9"],
        status.step_ms.get("p99"),
        result.growth_mb,
    ]


SUMMARY = {
    "prefill": "prefill",
    "minutes": "minutes",
    "ms": "latency ms",
    "declared": "declared",
    "measured": "measured",
    "silent": "silent samples",
    "late": "late masks",
}  #: heading in the long table -> in the short one


def summary(rows: list[list[Cell]]) -> Table:
    """What the README shows of it."""
    places = [list(COLUMNS).index(name) for name in SUMMARY]
    columns = {heading: COLUMNS[name] for name, heading in SUMMARY.items()}
    return Table("summary", "In short", columns, [[row[place] for place in places] for row in rows])


def progress(done_s: float, accounts: Accounts) -> None:
    if sys.stderr.isatty() or int(done_s) % 60 == 0:
        flaws = f"silent {accounts.silent}, lost {accounts.lost}, displaced {accounts.displaced}"
        print(f"{done_s:5.0f} s  {flaws}", file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--prefills", nargs="+", type=int, default=[512, 256])
    parser.add_argument("--period", type=int, default=128)
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--provider", default="cpu")
    parser.add_argument("--hogs", type=int, default=2)
    parser.add_argument("--name", default="soak", help="of the result file")
    options = parser.parse_args()

    rows: list[list[Cell]] = []
    for prefill in options.prefills:
        result = soak(
            seconds=options.seconds,
            period=options.period,
            prefill=prefill,
            model=options.model,
            provider=options.provider,
            hogs=options.hogs,
            progress=progress,
        )
        print(f"prefill {prefill}: {result.came_back}", file=sys.stderr)
        if not result.sent.flawless:
            print(f"the second client itself failed, so these figures are void: {result.sent}", file=sys.stderr)
        rows.append(row(prefill, result))
    table = Table(
        "soak",
        f"Live beside {options.hogs} busy processes",
        COLUMNS,
        rows,
        f"JACK dummy at 44.1 kHz, period {options.period}, network {options.model}, real-time priority "
        f"{'granted' if result.status.realtime else 'refused'}. In samples: *declared* and *measured* latency; "
        "*displaced*: at any other latency; *silent, lost, repeated, altered*: what became of the samples, counted "
        "from outside. *xruns* are the program's, *server xruns* JACK's own. *late*: masks that missed their hop; "
        "*load*: share of the time for which the worker was busy, waiting for the processor included; *grew*: the "
        "engine process, from 5 s after the start to the end.",
    )
    print(table.markdown())
    print(f"\nwrote {save(options.name, [summary(rows), table], seconds=options.seconds, hogs=options.hogs)}")


if __name__ == "__main__":
    main()
