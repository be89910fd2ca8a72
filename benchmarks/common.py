"""How every script in this folder reports: tables in ``results/NAME.json``, beside machine, versions and revision.

::

    table = Table("stages", "One hop, by stage", {"stage": "", "p50 ms": ".3f"}, [["STFT", 0.021]])
    save("hop", [table], seconds=60)        # benchmarks/results/hop.json
    print(table.markdown())

``report.py`` turns all of ``results/`` into RESULTS.md and into the marked places of README.md.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rtkaraoke.bench.report import Cell, Table, measured_now, measured_on

__all__ = ["FOLDER", "RESULTS", "Cell", "Table", "load", "measured_on", "save"]

FOLDER = Path(__file__).resolve().parent
RESULTS = FOLDER / "results"


def save(name: str, tables: Sequence[Table], *, results: Path = RESULTS, **parameters: Any) -> Path:
    """Write ``results/NAME.json`` and return its path. ``parameters`` says how it was measured."""
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
