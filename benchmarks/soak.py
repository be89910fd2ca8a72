"""Half an hour of live sound beside two busy processes, every sample accounted for.

    python benchmarks/soak.py [--seconds 1800] [--prefills 512 ...] [--model live] [--hogs 2] [--name soak] [--quick]

Needs `jackd` and PortAudio, and no sound card. The same as ``rtkaraoke bench soak``, kept in ``results/NAME.json``.
"""

import argparse
import sys

from common import parse, save

from rtkaraoke.bench.index_signal import Accounts
from rtkaraoke.bench.soak import soak
from rtkaraoke.bench.soak_report import soak_report
from rtkaraoke.masks.models import DEFAULT_MODEL


def progress(done_s: float, accounts: Accounts) -> None:
    if sys.stderr.isatty() or int(done_s) % 60 == 0:
        flaws = f"silent {accounts.silent}, lost {accounts.lost}, displaced {accounts.displaced}"
        print(f"{done_s:5.0f} s  {flaws}", file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=1800.0)
    parser.add_argument("--prefills", nargs="+", type=int, default=[512])
    parser.add_argument("--period", type=int, default=128)
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--provider", default="cpu")
    parser.add_argument("--hogs", type=int, default=2)
    parser.add_argument("--name", default="soak", help="of the result file")
    options = parse(parser, seconds=1.0, hogs=0)

    results = {}
    for prefill in options.prefills:
        results[prefill] = result = soak(
            seconds=options.seconds,
            period=options.period,
            prefill=prefill,
            model=options.model,
            provider=options.provider,
            hogs=options.hogs,
            progress=progress,
        )
        print(f"prefill {prefill}: {result.came_back}", file=sys.stderr)
    about = {"period": options.period, "model": options.model, "hogs": options.hogs}
    report = soak_report(results, about)
    for note in report.notes:
        print(note, file=sys.stderr)
    for table in report.tables:
        print(f"\n{table.title}\n\n{table.markdown()}")
    print(f"\nwrote {save(options.name, report.tables, seconds=options.seconds, hogs=options.hogs)}")


if __name__ == "__main__":
    main()
