"""Quality beside latency: what each mode costs in milliseconds, and what it gives in decibels."""

from collections.abc import Mapping, Sequence
from typing import Any

from rtkaraoke.bench.report import Cell, Curve, Figure, Report, Table
from rtkaraoke.evaluate import report as evaluation
from rtkaraoke.evaluate.baselines import ORACLES
from rtkaraoke.evaluate.report import FIGURES
from rtkaraoke.masks.centre import CentreNetwork
from rtkaraoke.masks.models import load_model
from rtkaraoke.masks.protocol import ModelInfo

CURVES = ("voice_sdr", "music_sdr")
NONE = "offline"
NOTE = (
    "*Algorithm*: two hops and the network's look-ahead. *Stream*: with it, a prefill of {prefill} and a period of "
    "{period} samples at {rate} Hz, from the converter in to the converter out. *Offline*: the method sees the whole "
    "song at once. "
)


def latencies_ms(methods: Sequence[str], models: Mapping[str, ModelInfo]) -> dict[str, float | None]:
    """The algorithmic latency of each method in ms; None for what is no live method, such as the oracles."""
    found: dict[str, float | None] = {}
    for name in methods:
        if name in models:
            found[name] = models[name].geometry.latency_ms
        elif name == "centre":
            found[name] = CentreNetwork.info.geometry.latency_ms
        else:
            found[name] = 0.0 if name == "nothing" else None
    return found


def model_infos(names: Sequence[str]) -> dict[str, ModelInfo]:
    """What the networks say of themselves, by the name that an evaluation gives them."""
    infos = [load_model(name, "cpu").info for name in names]
    return {info.name: info for info in infos}


def quality_report(
    found: evaluation.Report,
    models: Mapping[str, ModelInfo],
    parameters: dict[str, Any],
    *,
    prefill: int = 512,
    period: int = 128,
    rate: int = 44_100,
) -> Report:
    """The table of an evaluation beside the latencies, and the curve of SDR over milliseconds.

    Parameters
    ----------
    found : rtkaraoke.evaluate.report.Report
    models : mapping
        The evaluated networks.
    parameters : dict
        How it was measured.
    prefill, period, rate : int
        Of the stream whose latency is shown, in samples and Hz.
    """
    delays = latencies_ms(found.methods, models)
    rest_ms = 1e3 * (prefill + period) / rate
    shown = list(found.figures)
    columns = {"method": "", "algorithm ms": ".1f", "stream ms": ".1f"}
    columns |= {f"{FIGURES[name].heading} dB": "" for name in shown}
    rows: list[list[Cell]] = []
    figures: dict[str, Figure] = {}
    for method in found.methods:
        delay = delays[method]
        cells: list[Cell] = [method, NONE if delay is None else delay, None if delay is None else delay + rest_ms]
        if delay is not None and method not in ORACLES:
            figures[f"quality.{method}.algorithm_ms"] = Figure(delay)
        for name in shown:
            figure = found.figure(method, name)
            cells.append(None if figure is None else str(figure))
            if figure is not None:
                better = "higher" if FIGURES[name].higher_is_better else "lower"
                key = f"quality.{method}.{name}_db"
                figures[key] = Figure(figure.value, figure.low, figure.high, better)  # type: ignore[arg-type]
        rows.append(cells)
    charts = []
    for name in CURVES:
        points = {
            method: (delay + rest_ms, figure.value, figure.low, figure.high)
            for method, delay in delays.items()
            if delay is not None and (figure := found.figure(method, name)) is not None
        }
        if points:
            unit = f"{FIGURES[name].heading}, dB"
            charts.append(
                Curve(f"{FIGURES[name].heading} over latency", "ms from converter to converter", unit, points)
            )
    note = NOTE.format(prefill=prefill, period=period, rate=rate) + evaluation.EXPLANATION
    table = Table("quality", found.title(), columns, rows, note)
    notes = [*(str(comparison) for comparison in found.comparisons()), *found.notes]
    return Report("quality", "Quality and latency", parameters, figures, [table], [*charts], notes)
