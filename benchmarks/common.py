"""How every script in this folder reports: tables in ``results/NAME.json``, beside machine, versions and revision.

::

    table = Table("stages", "One hop, by stage", {"stage": "", "p50 ms": ".3f"}, [["STFT", 0.021]])
    save("hop", [table], seconds=60)        # benchmarks/results/hop.json
    print(table.markdown())

``report.py`` turns all of ``results/`` into RESULTS.md and into the marked places of README.md.
"""

import datetime as dt
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rtkaraoke.bench.machine import describe_machine, describe_revision, describe_versions

FOLDER = Path(__file__).resolve().parent
RESULTS = FOLDER / "results"

Cell = str | float | int | None


@dataclass
class Table:
    """Figures for people and programs.

    ``columns`` maps each heading to a format for its numbers (``".2f"``; ``""`` for text and integers).
    A None is shown as a dash.
    """

    key: str
    title: str
    columns: dict[str, str]
    rows: Sequence[Sequence[Cell]]
    note: str = ""

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(f"table {self.key!r}: {len(row)} cells for {len(self.columns)} columns in {row}")

    def markdown(self) -> str:
        """The table alone, without title and note."""
        formats = list(self.columns.values())
        lines = [list(self.columns), [":--" if not spec else "--:" for spec in formats]]
        lines += [[_text(cell, spec) for cell, spec in zip(row, formats, strict=True)] for row in self.rows]
        return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _text(cell: Cell, spec: str) -> str:
    if cell is None:
        return "–"
    return format(cell, spec) if isinstance(cell, int | float) and not isinstance(cell, bool) else str(cell)


def save(name: str, tables: Sequence[Table], *, results: Path = RESULTS, **parameters: Any) -> Path:
    """Write ``results/NAME.json`` and return its path. ``parameters`` says how it was measured."""
    results.mkdir(parents=True, exist_ok=True)
    path = results / f"{name}.json"
    content = {
        "name": name,
        "date": dt.datetime.now(dt.UTC).date().isoformat(),
        "revision": describe_revision(FOLDER.parent),
        "machine": describe_machine(),
        "versions": describe_versions(),
        "parameters": parameters,
        "tables": [asdict(table) for table in tables],
    }
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def load(path: Path) -> tuple[dict[str, Any], list[Table]]:
    """A result file's content and its tables."""
    content = json.loads(path.read_text(encoding="utf-8"))
    return content, [Table(**table) for table in content["tables"]]


def measured_on(content: dict[str, Any]) -> str:
    """One line: when, on what, with which versions."""
    machine = ", ".join(
        value if key in ("cpu", "gpu", "system") else f"{key} {value}" for key, value in content["machine"].items()
    )
    versions = ", ".join(f"{name} {version}" for name, version in content["versions"].items())
    return f"{content['date']}, revision {content['revision']} · {machine} · {versions}"
