"""Two reports side by side, and which of their differences are more than noise.

A figure's 95 % interval gives its standard error (half the width over 1.96, each side on its own); a difference
counts when it is larger than 1.96 times the errors of both together. Figures without an interval, such as a
maximum, are shown and not judged.
"""

from collections.abc import Mapping
from typing import Any

from rtkaraoke.bench.report import Cell, Figure, Report, Table
from rtkaraoke.errors import RtkaraokeError

COLUMNS = {
    "figure": "",
    "before": ".4g",
    "after": ".4g",
    "difference": "+.4g",
    "noise ±": ".4g",
    "change": "+.1%",
    "": "",
}
NOTE = (
    "*Noise*: what the difference may be by chance, at 95 %, from both intervals. Many figures are compared: one in "
    "twenty may be called better or worse by chance alone, and more where the machine was busier in one of the runs."
)
WORDS = {True: "better", False: "worse"}


def compare(
    before: Mapping[str, Any], after: Mapping[str, Any], names: tuple[str, str] = ("before", "after")
) -> Report:
    """Compare two reports' JSON.

    Parameters
    ----------
    before, after : mapping
        As :func:`rtkaraoke.bench.report.load` gives them.
    names : tuple of str
        Of their files, for the reader.

    Raises
    ------
    RtkaraokeError
        When they are of different benchmarks, or have no figure in common.
    """
    if before["name"] != after["name"]:
        raise RtkaraokeError(
            f"{names[0]} is of `bench {before['name']}`, {names[1]} of `bench {after['name']}`: compare two of one kind"
        )
    common = [name for name in before["figures"] if name in after["figures"]]
    if not common:
        raise RtkaraokeError(
            f"{names[0]} and {names[1]} have no figure in common: measure the same networks, rates and blocks"
        )
    rows: list[tuple[int, list[Cell]]] = []
    figures: dict[str, Figure] = {}
    n_judged = {"better": 0, "worse": 0, "other": 0}
    for name in common:
        first, second = before["figures"][name], after["figures"][name]
        difference = second["value"] - first["value"]
        noise = _noise(first, second, difference)
        verdict = _verdict(difference, noise, first["better"])
        if verdict in n_judged:
            n_judged[verdict] += 1
        change = difference / first["value"] if first["value"] else None
        rank = {"worse": 0, "better": 1, "other": 2}.get(verdict, 3)
        rows.append((rank, [name, first["value"], second["value"], difference, noise, change, verdict]))
    figures["compare.worse_count"] = Figure(n_judged["worse"])
    figures["compare.better_count"] = Figure(n_judged["better"], better="higher")
    notes = [_summary(n_judged, len(common))]
    notes += [f"only in {names[0]}: {name}" for name in before["figures"] if name not in after["figures"]]
    notes += [f"only in {names[1]}: {name}" for name in after["figures"] if name not in before["figures"]]
    for what in ("machine", "versions", "parameters"):
        if before[what] != after[what]:
            notes.append(f"the {what} differ: {_differences(before[what], after[what])}")
    table = Table("compare", f"{names[0]} and {names[1]}", COLUMNS, [row for _, row in sorted(rows, key=_rank)], NOTE)
    about = {
        "before": names[0],
        "before_revision": before["revision"],
        "after": names[1],
        "after_revision": after["revision"],
        "benchmark": before["name"],
    }
    return Report("compare", f"Two runs of bench {before['name']}", about, figures, [table], [], notes)


def _rank(row: tuple[int, list[Cell]]) -> int:
    return row[0]


def _noise(first: Mapping[str, Any], second: Mapping[str, Any], difference: float) -> float | None:
    """Half the width of the difference's interval, on the side that faces 0."""
    if any(figure["low"] is None or figure["high"] is None for figure in (first, second)):
        return None
    upper, lower = (first, second) if difference < 0 else (second, first)
    return ((upper["value"] - upper["low"]) ** 2 + (lower["high"] - lower["value"]) ** 2) ** 0.5


def _verdict(difference: float, noise: float | None, better: str) -> str:
    if noise is None:
        return "not judged" if difference else "the same"
    if abs(difference) <= noise:
        return "the same"
    if not better:
        return "other"
    return WORDS[(difference > 0) == (better == "higher")]


def _summary(n_judged: Mapping[str, int], n_common: int) -> str:
    return (
        f"Of {n_common} figures {n_judged['worse']} are worse and {n_judged['better']} better by more than their noise"
        + (f", {n_judged['other']} are other" if n_judged["other"] else "")
        + "."
    )


def _differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    names = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    return "; ".join(f"{name} {before.get(name, '-')} → {after.get(name, '-')}" for name in names)
