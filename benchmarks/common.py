"""How every script in this folder reports: tables in ``results/NAME.json``, beside machine, versions and revision.

::

    table = Table("stages", "One hop, by stage", {"stage": "", "p50 ms": ".3f"}, [["STFT", 0.021]])
    save("hop", [table], seconds=60)        # benchmarks/results/hop.json
    print(table.markdown())

``report.py`` turns all of ``results/`` into RESULTS.md and into the marked places of README.md. Where the environment
variable RTKARAOKE_RESULTS names another folder, both use that one instead.

With ``--quick`` a script does in seconds what it does otherwise, and proves nothing but that it runs; its results go to
a temporary folder::

    options = parse(parser, seconds=2.0)    # with --quick the default of --seconds is 2
"""

import argparse
import json
import os
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rtkaraoke.bench.report import Cell, Table, measured_now, measured_on

__all__ = ["FOLDER", "RESULTS", "VARIABLE", "Cell", "Table", "load", "measured_on", "parse", "results_folder", "save"]

FOLDER = Path(__file__).resolve().parent
RESULTS = FOLDER / "results"
VARIABLE = "RTKARAOKE_RESULTS"


def results_folder() -> Path:
    """Where results are written to and read from: the folder that RTKARAOKE_RESULTS names, or ``results/`` here."""
    named = os.environ.get(VARIABLE)
    return Path(named) if named else RESULTS


def parse(parser: argparse.ArgumentParser, **quick: Any) -> argparse.Namespace:
    """The options of the command line, and ``--quick``, by which ``quick`` become the defaults of those it names."""
    parser.add_argument("--quick", action="store_true", help="a miniature, whose results go to a temporary folder")
    if parser.parse_known_args()[0].quick:
        parser.set_defaults(**quick)
        if not os.environ.get(VARIABLE):
            os.environ[VARIABLE] = tempfile.mkdtemp(prefix="rtkaraoke-quick-")
    return parser.parse_args()


def save(name: str, tables: Sequence[Table], *, results: Path | None = None, **parameters: Any) -> Path:
    """Write ``results/NAME.json`` and return its path. ``parameters`` says how it was measured."""
    results = results or results_folder()
    results.mkdir(parents=True, exist_ok=True)
    path = results / f"{name}.json"
    content = {
        "name": name,
        **measured_now(),
        "parameters": parameters,
        "tables": [asdict(table) for table in tables],
    }
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def load(path: Path) -> tuple[dict[str, Any], list[Table]]:
    """A result file's content and its tables."""
    content = json.loads(path.read_text(encoding="utf-8"))
    return content, [Table(**table) for table in content["tables"]]
