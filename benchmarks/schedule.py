"""How late the worker wakes: real-time and normal priority, process and thread, beside four kinds of load.

    python benchmarks/schedule.py [--seconds 6] [--hogs 2] [--loads idle ...] [--name schedule] [--quick]

Needs the permission for real-time priority. The same as ``rtkaraoke bench schedule``, kept in ``results/NAME.json``;
``docs/realtime.md`` shows its tables.
"""

import argparse
import sys


def main() -> None:
    # Here, since every process that is watched imports this file too, and shall have no more to start than in use.
    from common import parse, save

    from rtkaraoke.bench.load import LOADS
    from rtkaraoke.bench.schedule import schedule

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=6.0, help="of each of 24 combinations")
    parser.add_argument("--hogs", type=int, default=2, help="busy processes of a kind")
    parser.add_argument("--name", default="schedule", help="of the result file")
    parser.add_argument("--loads", nargs="+", default=LOADS, choices=LOADS)
    options = parse(parser, seconds=0.2, loads=LOADS[:2])

    def progress(done: int, total: int, name: str) -> None:
        print(f"{done + 1}/{total} {name}", file=sys.stderr, flush=True)

    report = schedule(options.seconds, options.loads, options.hogs, progress)
    for table in report.tables:
        print(f"\n{table.title}\n\n{table.markdown()}")
    print("", *report.notes, sep="\n")
    print(f"\nwrote {save(options.name, report.tables, seconds=options.seconds, hogs=options.hogs)}")


if __name__ == "__main__":
    main()
