"""The report of :mod:`rtkaraoke.live.calibrate`: the round trip to each of several input channels."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from rtkaraoke.bench.report import Cell, Figure, Report, Stack, Table
from rtkaraoke.dsp.probe import CalibrationError
from rtkaraoke.engine import Engine
from rtkaraoke.live import devices, measured
from rtkaraoke.live.calibrate import RoundTrip, measure
from rtkaraoke.live.settings import LiveSettings

COLUMNS = {
    "input channel": "",
    "round trip, samples": ".3f",
    "±": ".3f",
    "ms": ".3f",
    "device part, samples": ".3f",
    "as declared": "",
    "not declared": "+z.3f",
    "level dB": "+z.1f",
    "polarity": "",
    "clearness dB": ".0f",
}
NOTE = (
    "*Round trip*: from what the engine is fed to what the card has recorded of it, with the half width of its 95 % "
    "interval over the runs. *Device part*: without prefill and engine, which is what other programs call round trip. "
    "*As declared*: the sum of all terms by the program's and the driver's word. *Clearness*: of the answer above the "
    "noise of the correlation; below 20 dB none is given."
)
Found = dict[int, RoundTrip | CalibrationError]


def loopback(
    settings: LiveSettings,
    inputs: Sequence[int],
    *,
    engine_factory: Callable[[], Engine] | None = None,
    progress: Callable[[int, int, str], None] | None = None,
    **options: Any,
) -> Found:
    """Measure the way from the first output channel to each of the ``inputs``, one after the other.

    Parameters
    ----------
    settings : LiveSettings
        ``channels_in`` are set by this function, to each of ``inputs`` and as many others as there are outputs.
    inputs : sequence of int
        Channels, counted from 1.
    engine_factory : callable, optional
        See :func:`~rtkaraoke.live.calibrate.measure`, which takes the further ``options`` as well.
    progress : callable, optional
        Gets runs done, runs in all, and a name.

    Returns
    -------
    dict
        Of each input channel, the figure or why there is none.

    Raises
    ------
    LiveError
        When the devices cannot be had.
    """
    found: Found = {}
    n_runs = options.get("n_runs", 5)
    for place, channel in enumerate(inputs):

        def advance(run: int, _of: int, place: int = place, channel: int = channel) -> None:
            if progress is not None:
                progress(place * n_runs + run, n_runs * len(inputs), f"channel {channel}")

        others = [number for number in range(1, len(settings.channels_out) + 1) if number != channel]
        channels = (channel, *others[: len(settings.channels_out) - 1])
        try:
            found[channel] = measure(
                replace(settings, channels_in=channels), engine_factory=engine_factory, progress=advance, **options
            )
        except CalibrationError as error:
            found[channel] = error
    return found


def save(settings: LiveSettings, found: Found) -> str:
    """Keep the figures for streams that are opened later; returns where. Only of measurements without an engine."""
    choice = devices.choose(settings)
    path = ""
    for channel, result in found.items():
        if isinstance(result, RoundTrip):
            pair = measured.Pair(
                choice.input_name, choice.output_name, choice.host_api, result.sample_rate, settings.block
            )
            declared = result.terms["device in"] + result.terms["device out"]
            path = str(measured.save(pair, measured.Measured(channel, result.device, result.half_width, declared)))
    return path


def loopback_report(found: Found, parameters: dict[str, Any]) -> Report:
    """Figures, table and the latency by term of what was found."""
    figures: dict[str, Figure] = {}
    rows: list[list[Cell]] = []
    bars: dict[str, dict[str, float]] = {}
    notes = []
    for channel, result in found.items():
        if isinstance(result, CalibrationError):
            notes.append(f"channel {channel}: no figure ({result.kind}): {result}")
            continue
        key = f"loopback.{channel}"
        figures |= {
            f"{key}.round_trip_samples": _interval(result.delay, result.half_width),
            f"{key}.round_trip_ms": _interval(result.delay_ms, 1e3 * result.half_width / result.sample_rate),
            f"{key}.device_samples": _interval(result.device, result.half_width),
            f"{key}.declared_samples": Figure(result.declared),
            f"{key}.level_db": Figure(result.gain_db, better=""),
            f"{key}.polarity_count": Figure(result.polarity, better=""),
        }
        rows.append(
            [
                str(channel),
                result.delay,
                result.half_width,
                result.delay_ms,
                result.device,
                result.declared,
                result.delay - result.declared,
                result.gain_db,
                "kept" if result.polarity > 0 else "inverted",
                result.clearness_db,
            ]
        )
        bars[f"channel {channel}, declared"] = {name: 1e3 * n / result.sample_rate for name, n in result.terms.items()}
        device_ms = 1e3 * result.device / result.sample_rate
        bars[f"channel {channel}, measured"] = {
            name: 1e3 * n / result.sample_rate for name, n in result.terms.items() if not name.startswith("device")
        } | {"device out and in, measured": device_ms}
    tables = [Table("loopback", "Round trip", COLUMNS, rows, NOTE)] if rows else []
    charts = [Stack("Latency by term", "ms", bars)] if bars else []
    return Report("loopback", "Round trip of a device pair", parameters, figures, tables, list(charts), notes)


def _interval(value: float, half_width: float) -> Figure:
    return Figure(value, value - half_width, value + half_width)
