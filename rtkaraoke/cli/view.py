"""What a person sees while sound runs: one status in, one picture of the terminal, or one line, out."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.columns import Columns
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from rtkaraoke.live.telemetry import LiveStatus

METER_FLOOR_DB = -60.0
REMOVED_DB = -90.0  #: a vocal level this low is none
VOCALS_FLOOR_DB = -36.0  #: the left end of the vocal level's bar
ZONES_DB = ((-12.0, "green"), (-3.0, "yellow"), (0.0, "red"))  #: a meter's colours, each up to a level
TERM_COLOURS = ("cyan", "blue", "magenta", "green", "yellow", "red", "white")
LOAD_WARNING, LOAD_ALARM = 0.5, 0.8  #: shares of the hop
COUNTERS = ("late", "held", "fallback")
WIDEST = 100  #: columns; beyond that bars only get longer, not better

Part = tuple[float, str]  #: where a colour ends, as a share of the bar, and the colour


@dataclass(frozen=True, slots=True)
class Frame:
    """What the view shows beside the :class:`~rtkaraoke.live.telemetry.LiveStatus`."""

    title: str
    source: str  #: where the sound comes from, and where it goes: shown until the status names the devices
    output: str
    network: str
    elapsed_s: float
    keys: Sequence[tuple[str, str]] = ()
    messages: Sequence[str] = ()


class Bar:
    """A line as wide as there is room, in colours that follow each other, with a mark on it."""

    def __init__(self, parts: Sequence[Part], mark: Part | None = None) -> None:
        self._parts = parts
        self._mark = mark

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Text]:
        """Draw in half columns."""
        width = options.max_width
        text, done = Text(no_wrap=True, end=""), 0
        for share, colour in self._parts:
            halves = round(2 * width * min(max(share, 0.0), 1.0))
            text.append("━" * (halves // 2 - done), style=colour)
            done = max(done, halves // 2)
            if halves % 2 and (share, colour) == self._parts[-1] and done < width:
                text.append("╸", style=colour)
                done += 1
        text.append("━" * (width - done), style="bright_black")
        if self._mark is not None and self._mark[0] > 0:
            at = min(width - 1, int(self._mark[0] * width))
            text = Text.assemble(text[:at], ("┃", self._mark[1]), text[at + 1 :], no_wrap=True, end="")
        yield text


class _AtMost:
    """Something no wider than ``width`` columns."""

    def __init__(self, inside: RenderableType, width: int) -> None:
        self._inside = inside
        self._width = width

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """As it is, in less room."""
        yield from console.render(self._inside, options.update_width(min(options.max_width, self._width)))


def picture(status: "LiveStatus", frame: Frame) -> RenderableType:
    """The whole view, good at 80 columns."""
    rows = Table.grid(padding=(0, 1), expand=True)
    rows.add_column(width=7, style="bold")
    rows.add_column(ratio=1)
    rows.add_column(width=18, justify="right", no_wrap=True)
    if "position_s" in status.source:
        rows.add_row("song", _position(status.source), _position_text(status.source))
        rows.add_row()
    if status.input_peak_db:
        _add_meters(rows, "in", status.input_peak_db, status.input_rms_db)
    _add_meters(rows, "out", status.output_peak_db, status.output_rms_db)
    rows.add_row()
    vocals = parameter(status, "vocals", REMOVED_DB)
    rows.add_row("vocals", Bar([(1 - vocals / VOCALS_FLOOR_DB, "magenta")]), vocals_text(vocals))
    rows.add_row("", _switches(status), Text(f"strength {parameter(status, 'strength', 1.0):.2f}", style="dim"))
    thresholds = [f"{name} {value:.2f}" for name in ("alpha", "theta") if (value := parameter(status, name, 0.0)) > 0]
    if thresholds:
        rows.add_row("", "", Text("\n".join(thresholds), style="dim"))
    rows.add_row()
    rows.add_row("latency", _latency_bar(status), _latency_text(status))
    rows.add_row("", _latency_terms(status))
    p99, worst = (status.load.get(key, 0.0) for key in ("p99", "max"))
    rows.add_row("hop", Bar([(p99, _load_colour(p99))], (worst, _load_colour(worst))), _load_text(status.load))
    rows.add_row("", _step_text(status), Text("p50 / p99 / max", style="dim"))
    rows.add_row("lost", _lost(status), Text(f"{status.hops.get('hops', 0)} hops", style="dim"))
    head = Text.assemble((f" rtkaraoke {frame.title} ", "bold"), (f"{_place(status, frame)} ", "dim"))
    real_time = "" if status.realtime else " · no real time"
    where = f"{frame.network} on {status.provider}" if status.provider else frame.network
    foot = Text(f" {where}{real_time} · {clock(frame.elapsed_s)} ", style="dim")
    return Group(
        _AtMost(Panel(rows, title=head, title_align="left", subtitle=foot, subtitle_align="right"), WIDEST),
        *(Padding(Text(message, style="yellow"), (0, 1)) for message in frame.messages),
        _keys(frame.keys),
    )


def plain_line(status: "LiveStatus", frame: Frame) -> str:
    """The same in one line, for logs and pipes."""
    parts = [f"{clock(frame.elapsed_s)} {status.state}"]
    if "position_s" in status.source:
        parts.append(_position_text(status.source).plain)
    parts += [
        *(f"{name} {_level_text(max(peaks)).strip()}" for name, peaks in _levels(status) if peaks),
        f"vocals {vocals_text(parameter(status, 'vocals', REMOVED_DB))}",
        f"latency {status.latency_ms:.1f} ms",
        f"hop p99 {100 * status.load.get('p99', 0.0):.0f} %",
        _lost(status).plain,
        *(name for name, on in _switch_states(status) if on),
    ]
    return " | ".join(parts)


def parameter(status: "LiveStatus", name: str, default: float) -> float:
    """A parameter of the vocal remover."""
    return status.parameters.get(f"vocal_remover.{name}", default)


def clock(seconds: float) -> str:
    """``1:23`` or ``1:02:03``."""
    minutes, rest = divmod(max(0, int(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def vocals_text(level_db: float) -> str:
    """A vocal level for people."""
    return "removed" if level_db <= REMOVED_DB else "untouched" if level_db >= 0 else f"{level_db:.0f} dB"


def _place(status: "LiveStatus", frame: Frame) -> str:
    source, output = status.input or frame.source, status.output or frame.output
    parts = [source if source == output else f"{source} → {output}"]
    if status.sample_rate:
        parts.append(f"{status.sample_rate / 1000:g} kHz")
    if status.state != "running":
        parts.append(status.state)
    return " · ".join(parts)


def _levels(status: "LiveStatus") -> list[tuple[str, tuple[float, ...]]]:
    return [("in", status.input_peak_db), ("out", status.output_peak_db)]


def _add_meters(rows: Table, name: str, peaks: Sequence[float], powers: Sequence[float]) -> None:
    """A meter per channel: the RMS as a line, the peak as a mark on it."""
    for channel, (peak, rms) in enumerate(zip(peaks, powers, strict=True)):
        level = _meter_share(rms)
        parts = [(min(level, _meter_share(limit)), colour) for limit, colour in ZONES_DB]
        parts = [part for index, part in enumerate(parts) if not index or part[0] > parts[index - 1][0]]
        colour = next((colour for limit, colour in ZONES_DB if peak <= limit), "red")
        text = Text(_level_text(peak), style="red" if colour == "red" else "")
        rows.add_row("" if channel else name, Bar(parts, (_meter_share(peak), colour)), text)


def _level_text(level_db: float) -> str:
    return f"{level_db:.1f} dB" if level_db > METER_FLOOR_DB else "silent"


def _meter_share(level_db: float) -> float:
    return 1 - max(min(level_db, 0.0), METER_FLOOR_DB) / METER_FLOOR_DB


def _switch_states(status: "LiveStatus") -> list[tuple[str, bool]]:
    return [
        ("bypass", parameter(status, "bypass", 0.0) >= 0.5),
        ("solo", parameter(status, "solo", 0.0) >= 0.5),
        ("mute", status.muted),
        ("pause", bool(status.source.get("paused", 0.0))),
    ]


def _switches(status: "LiveStatus") -> Text:
    text = Text()
    for name, on in _switch_states(status):
        if name != "pause" or status.source:
            text.append(f" {name} ", style="reverse bold yellow" if on else "bright_black").append(" ")
    return text


def _position(source: Mapping[str, float]) -> Bar:
    length_s = source.get("length_s", 0.0)
    return Bar([(source["position_s"] / length_s if length_s else 0.0, "cyan")])


def _position_text(source: Mapping[str, float]) -> Text:
    length_s = source.get("length_s", 0.0)
    return Text(clock(source["position_s"]) + (f" / {clock(length_s)}" if length_s else ""))


def _terms_ms(status: "LiveStatus") -> dict[str, float]:
    return {name: 1e3 * n / status.sample_rate for name, n in status.latency_terms.items() if n and status.sample_rate}


def _latency_bar(status: "LiveStatus") -> Bar:
    whole = max(status.latency_budget_ms or 0.0, status.latency_ms) or 1.0
    parts, end = [], 0.0
    for (_, term_ms), colour in zip(_terms_ms(status).items(), TERM_COLOURS * 3, strict=False):
        end += term_ms / whole
        parts.append((end, colour))
    return Bar(parts)


def _latency_text(status: "LiveStatus") -> str:
    budget = status.latency_budget_ms
    return f"{status.latency_ms:.1f}" + (f" of {budget:g} ms" if budget else " ms")


def _latency_terms(status: "LiveStatus") -> Columns:
    return Columns(
        [
            Text.assemble(("■ ", colour), (f"{name.removeprefix('vocal_').replace('_', ' ')} {term_ms:.1f}", "dim"))
            for (name, term_ms), colour in zip(_terms_ms(status).items(), TERM_COLOURS * 3, strict=False)
        ],
        padding=(0, 2),
    )


def _load_colour(share: float) -> str:
    return "green" if share < LOAD_WARNING else "yellow" if share < LOAD_ALARM else "red"


def _load_text(load: Mapping[str, float]) -> Text:
    shares = (f"{100 * load.get(key, 0.0):.0f}" for key in ("p50", "p99", "max"))
    return Text(" / ".join(shares) + " %")


def _step_text(status: "LiveStatus") -> Text:
    step = status.step_ms
    if not step:
        return Text()
    return Text(
        f"network {step.get('p50', 0.0):.1f} / {step.get('p99', 0.0):.1f} / {step.get('max', 0.0):.1f} ms", "dim"
    )


def _lost(status: "LiveStatus") -> Text:
    events = sum(n for name, n in status.xruns.items() if name not in ("lost_input", "silent_output"))
    contained = [(name.replace(".late", " late"), n) for name, n in status.hops.items() if n and name.endswith(".late")]
    counts = [*((name, status.hops.get(name, 0)) for name in COUNTERS), *contained, ("xruns", events)]
    text = Text()
    for name, count in counts:
        text.append(f"{name} {count}", style="bold yellow" if count else "dim").append("  ")
    text.rstrip()
    return text


def _keys(keys: Sequence[tuple[str, str]]) -> Text:
    text = Text(" ")
    for key, what in keys:
        text.append(key, style="bold").append("\N{NO-BREAK SPACE}")
        text.append(what.replace(" ", "\N{NO-BREAK SPACE}"), style="dim").append("  ")
    return text
