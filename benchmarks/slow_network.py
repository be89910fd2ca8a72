"""A network made slow on purpose, live: what is late is counted, and the latency does not move.

    python benchmarks/slow_network.py [--seconds 10] [--prefill 256] [--quick]

Steps of 0.25, 1 and 4 hops, and one stall of 300 ms, with every sample accounted for as in ``soak.py``. Needs `jackd`
and PortAudio. Writes ``results/slow_network.json``.
"""

import argparse

from common import Cell, Table, parse, save

from rtkaraoke.bench.soak import soak

COLUMNS = {
    "network": "",
    "declared": "",
    "measured": "",
    "flaws": "",
    "hops": "",
    "late": "",
    "not seen": "",
    "held": "",
    "fallback": "",
    "load p99.9": ".0%",
}
CASES: dict[str, tuple[float, int | None]] = {
    "0.25 hops a step": (0.25, None),
    "1 hop a step": (1.0, None),
    "4 hops a step": (4.0, None),
    "one stall of 300 ms": (0.0, 800),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--prefill", type=int, default=256)
    parser.add_argument("--model", default="centre")
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES))
    options = parse(parser, seconds=2.0, cases=["1 hop a step"])
    rows: list[list[Cell]] = []
    for name in options.cases:
        step_hops, stall_after = CASES[name]
        result = soak(
            seconds=options.seconds,
            prefill=options.prefill,
            model=options.model,
            hogs=0,
            step_hops=step_hops,
            stall_after=stall_after,
        )
        accounts, hops = result.came_back, result.status.hops
        rows.append(
            [
                name,
                result.status.latency,
                result.latency,
                accounts.flawed,
                *(hops[key] for key in ("hops", "late", "skipped", "held", "fallback")),
                result.status.load["p99.9"],
            ]
        )
    table = Table(
        "slow network",
        "A slow network, live",
        COLUMNS,
        rows,
        f"JACK dummy at 44.1 kHz, period 128, prefill {options.prefill}, network {options.model} slowed down. Latency "
        "in samples; *flaws*: samples displaced, silent, lost, repeated or altered, counted from outside; *late*: "
        "hops whose mask missed its time, *not seen* by the network at all, *held*: bridged by the last mask, "
        "*fallback*: hops on the way to the fallback, in it or on the way back.",
    )
    print(table.markdown())
    print(f"\nwrote {save('slow_network', [table], seconds=options.seconds)}")


if __name__ == "__main__":
    main()
