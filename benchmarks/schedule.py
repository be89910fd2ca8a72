"""How late the worker wakes: real-time and normal priority, process and thread, beside four kinds of load.

    python benchmarks/schedule.py [--seconds 6] [--hogs 2] [--name schedule] [--quick]

Needs the permission for real-time priority. The same as ``rtkaraoke bench schedule``, kept in ``results/NAME.json``;
``docs/realtime.md`` shows its tables.
"""

import argparse
import sys


def main() -> None:
    # Here, since every process that is watched imports this file too, and shall have no more to start than in use.
    from common import save

    from rtkaraoke.bench.load import LOADS
    from rtkaraoke.bench.schedule import schedule

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=6.0, help="of each of 24 combinations")
    parser.add_argument("--hogs", type=int, default=2, help="busy processes of a kind")
    parser.add_argument("--name", default="schedule", help="of the result file")
    parser.add_argument("--quick", action="store_true", help="two loads, a fifth of a second each, nothing is written")
    options = parser.parse_args()
    seconds, loads = (0.2, LOADS[:2]) if options.quick else (options.seconds, LOADS)

    def progress(done: int, total: int, name: str) -> None:
        print(f"{done + 1}/{total} {name}", file=sys.stderr, flush=True)

    report = schedule(seconds, loads, options.hogs, progress)
    for table in report.tables:
        print(f"\n{table.title}\n\n{table.markdown()}")
    print("", *report.notes, sep="\n")
    if not options.quick:
        print(f"\nwrote {save(options.name, report.tables, seconds=seconds, hogs=options.hogs)}")


if __name__ == "__main__":
    main()
