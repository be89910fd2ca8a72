"""Measure everything anew, one script after the other, and write RESULTS.md and the tables of the documents.

    python benchmarks/run.py [--only hop quality ...] [--quick]

On a quiet machine with two cores it takes less than half an hour. Needs what the scripts need: the extra ``bench``,
`jackd` with `jack_iodelay`, PortAudio, and the data folder (RTKARAOKE_DATA). A script that fails is named at the end,
and the results that it had are kept. Runs of their own, which take longer, are named as well and not started.

``--quick`` runs the miniatures of all of them (but that of the papers, which a test runs) in less than two minutes, and
leaves results, report and documents in a temporary folder.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from common import FOLDER, VARIABLE, Table

SCRIPTS = (  #: in this order: the shorter ones, whose failures are seen soon, first
    "networks",
    "peers",
    "plugins",
    "rooms",
    "schedule",
    "slow_network",
    "stability",
    "render",
    "search",
    "quality",
    "worst_case",
    "hop",
    "loopback",
)
OF_THEIR_OWN = {"night": "21 minutes", "soak": "31 minutes", "papers": "45 minutes"}  #: and how long they take
QUICK = (*SCRIPTS, "night", "soak")
REPORT = "report"


class Done(NamedTuple):
    """One script's run."""

    script: str
    seconds: float
    exit_code: int


def run(script: str, arguments: Sequence[str], folder: Path, environment: Mapping[str, str]) -> Done:
    """Run ``folder/SCRIPT.py`` to its end, whatever that is; it prints where this program does."""
    print(f"\n== {script}", flush=True)
    command = [sys.executable, str(folder / f"{script}.py"), *arguments]
    started = time.monotonic()
    exit_code = subprocess.run(command, env=environment, check=False).returncode
    return Done(script, time.monotonic() - started, exit_code)


def run_all(scripts: Sequence[str], folder: Path, *, quick: bool = False) -> list[Done]:
    """Run the scripts of ``folder`` in their order, and the report at last, even where some have failed."""
    environment = dict(os.environ)
    if quick:
        environment[VARIABLE] = environment.get(VARIABLE) or tempfile.mkdtemp(prefix="rtkaraoke-quick-")
        print(f"miniatures, which prove nothing but that everything runs; results: {environment[VARIABLE]}")
    done = [run(script, ["--quick"] if quick else [], folder, environment) for script in scripts]
    return [*done, run(REPORT, [], folder, environment)]


def summary(done: Sequence[Done]) -> str:
    """What ran, how long, and what failed."""
    table = Table("run", "", {"script": "", "s": ".0f", "exit code": ""}, done)
    failed = [each.script for each in done if each.exit_code]
    total = f"{sum(each.seconds for each in done) / 60:.1f} minutes in all"
    return f"{table.markdown()}\n\n{total}, {'failed: ' + ', '.join(failed) if failed else 'nothing failed'}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=QUICK, metavar="NAME", help="these alone, and the report")
    parser.add_argument("--quick", action="store_true", help="miniatures, into a temporary folder")
    options = parser.parse_args()
    scripts = options.only or (QUICK if options.quick else SCRIPTS)
    done = run_all(scripts, FOLDER, quick=options.quick)
    print(f"\n{summary(done)}")
    for script, duration in OF_THEIR_OWN.items():
        if script not in scripts:
            print(f"not among them: python benchmarks/{script}.py, a run of its own of {duration}")
    if any(each.exit_code for each in done):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
