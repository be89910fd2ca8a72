"""What a benchmark reports: figures for programs, tables for people, charts for the eye, and on what it was measured.

Names of figures end with their unit (``hop.live.cpu.44100.p99_ms``). ``schema.json`` describes the whole.
"""

import datetime as dt
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from rtkaraoke.bench.machine import describe_machine, describe_revision, describe_versions
from rtkaraoke.bench.statistics import Estimate
from rtkaraoke.errors import RtkaraokeError

FORMAT = "rtkaraoke-bench-1"
SCHEMA = Path(__file__).with_name("schema.json")
CHECKOUT = Path(__file__).parents[2]

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

    def texts(self) -> list[list[str]]:
        """The rows as they are shown."""
        formats = list(self.columns.values())
        return [[_text(cell, spec) for cell, spec in zip(row, formats, strict=True)] for row in self.rows]

    def markdown(self) -> str:
        """The table alone, without title and note."""
        rule = [":--" if not spec else "--:" for spec in self.columns.values()]
        return "\n".join("| " + " | ".join(line) + " |" for line in (list(self.columns), rule, *self.texts()))


def _text(cell: Cell, spec: str) -> str:
    if cell is None:
        return "–"
    return format(cell, spec) if isinstance(cell, int | float) and not isinstance(cell, bool) else str(cell)


@dataclass(frozen=True, slots=True)
class Figure:
    """A number, the ends of its 95 % interval where it has one, and which direction is better."""

    value: float
    low: float | None = None
    high: float | None = None
    better: Literal["lower", "higher", ""] = "lower"

    @classmethod
    def of(cls, estimate: Estimate, better: Literal["lower", "higher", ""] = "lower") -> "Figure":
        """From an estimate; one whose ends are NaN has no interval."""
        if math.isnan(estimate.low) or math.isnan(estimate.high):
            return cls(estimate.value, better=better)
        return cls(estimate.value, estimate.low, estimate.high, better)


@dataclass(frozen=True, slots=True)
class Histogram:
    """How often which value came; both axes are logarithmic.

    ``series`` maps a name to the lower edges of its bins and their counts; ``limit`` is a value to be marked.
    """

    title: str
    unit: str
    series: Mapping[str, Sequence[Sequence[float]]]
    limit: float | None = None
    limit_name: str = ""
    kind: Literal["histogram"] = "histogram"


@dataclass(frozen=True, slots=True)
class Timeline:
    """What happened when: ``series`` maps a name to pairs of a time in s and a value."""

    title: str
    unit: str
    series: Mapping[str, Sequence[Sequence[float]]]
    seconds: float
    kind: Literal["timeline"] = "timeline"


@dataclass(frozen=True, slots=True)
class Stack:
    """Sums made of terms, one bar each: ``bars`` maps a name to its terms."""

    title: str
    unit: str
    bars: Mapping[str, Mapping[str, float]]
    kind: Literal["stack"] = "stack"


@dataclass(frozen=True, slots=True)
class Curve:
    """Named points ``(x, y, low, high)`` with the intervals of y, such as quality over latency."""

    title: str
    x_unit: str
    y_unit: str
    points: Mapping[str, Sequence[float]]
    kind: Literal["curve"] = "curve"


Chart = Histogram | Timeline | Stack | Curve


@dataclass
class Report:
    """One run of one benchmark. ``parameters`` says how it was measured; ``notes`` are lines for the reader."""

    name: str
    title: str
    parameters: dict[str, Any] = field(default_factory=dict)
    figures: dict[str, Figure] = field(default_factory=dict)
    tables: list[Table] = field(default_factory=list)
    charts: list[Chart] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """All of it with date, machine, versions and revision, as ``schema.json`` has it."""
        return {
            "format": FORMAT,
            "name": self.name,
            "title": self.title,
            **measured_now(),
            "parameters": self.parameters,
            "figures": {name: asdict(figure) for name, figure in self.figures.items()},
            "tables": [asdict(table) for table in self.tables],
            "charts": [asdict(chart) for chart in self.charts],
            "notes": self.notes,
        }


def measured_now() -> dict[str, Any]:
    """When, on what, and with which versions."""
    return {
        "date": dt.datetime.now(dt.UTC).date().isoformat(),
        "revision": describe_revision(CHECKOUT) if (CHECKOUT / ".git").exists() else "installed",
        "machine": describe_machine(),
        "versions": describe_versions(),
    }


def measured_on(content: Mapping[str, Any]) -> str:
    """One line of what :func:`measured_now` said."""
    machine = ", ".join(
        value if key in ("cpu", "gpu", "system") else f"{key} {value}" for key, value in content["machine"].items()
    )
    versions = ", ".join(f"{name} {version}" for name, version in content["versions"].items())
    return f"{content['date']}, revision {content['revision']} · {machine} · {versions}"


def load(path: Path) -> dict[str, Any]:
    """A report that was written as JSON.

    Raises
    ------
    RtkaraokeError
        When the file is none.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RtkaraokeError(f"{path}: no report: {error}. `rtkaraoke bench ... --json > FILE` writes one") from None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise RtkaraokeError(
            f"{path}: not a report of this program ({FORMAT}): `rtkaraoke bench ... --json > FILE` writes one"
        )
    return content
