"""The charts of a report as inline SVG: no script, no font and no file beside them."""

import math
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

WIDTH, HEIGHT = 760, 300
LEFT, RIGHT, TOP, BOTTOM = 64, 16, 14, 46
ROW = 34  #: height of a bar and its distance to the next
LABEL = 12  #: px
CHARACTER = 6.6  #: px, about


def draw(chart: Mapping[str, Any]) -> str:
    """One chart of a report's JSON as ``<svg>``, with its legend."""
    return _KINDS[chart["kind"]](chart)


def _histogram(chart: Mapping[str, Any]) -> str:
    series = {name: [pair for pair in pairs if pair[1] > 0] for name, pairs in chart["series"].items()}
    edges = [edge for pairs in series.values() for edge, _ in pairs]
    if not edges:
        return _nothing()
    limit = chart["limit"]
    low, high = min(edges), max([*edges, *([limit] if limit else [])]) * 1.15
    most = max(count for pairs in series.values() for _, count in pairs)
    x = _Log(low, high, LEFT, WIDTH - RIGHT)
    y = _Log(0.7, most * 1.4, HEIGHT - BOTTOM, TOP)
    parts = [*_grid_y(y, y.ticks()), *_axis_x(x, x.ticks(), chart["unit"]), _title_y("count")]
    for index, pairs in enumerate(series.values()):
        points = []
        previous: float | None = None
        for edge, count in pairs:
            if previous is not None and edge > previous * 1.01:  # a gap: nothing was counted in between
                points += [(x(previous), y(0.7)), (x(edge), y(0.7))]
            elif previous is None:
                points.append((x(edge), y(0.7)))
            width = edge * 2 ** (1 / 16)
            points += [(x(edge), y(count)), (x(width), y(count))]
            previous = width
        if previous is not None:
            points.append((x(previous), y(0.7)))
        parts.append(_path(points, f"c{index % 8} area"))
    if limit:
        parts += [
            f'<line class="limit" x1="{x(limit):.1f}" x2="{x(limit):.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>',
            _text(x(limit) - 5, TOP + 10, chart["limit_name"], "end"),
        ]
    return _svg(HEIGHT, parts, chart["title"]) + _legend(series)


def _timeline(chart: Mapping[str, Any]) -> str:
    series, seconds = chart["series"], max(chart["seconds"], 1e-9)
    values = [value for pairs in series.values() for _, value in pairs]
    x = _Linear(0, seconds, LEFT, WIDTH - RIGHT)
    y = _Linear(0, max([1.0, *values]) * 1.1, HEIGHT - BOTTOM, TOP)
    parts = [*_grid_y(y, y.ticks()), *_axis_x(x, x.ticks(), "s"), _title_y(chart["unit"])]
    bar = max((WIDTH - RIGHT - LEFT) / seconds / max(len(series), 1), 1.5)
    for index, pairs in enumerate(series.values()):
        parts += [
            f'<rect class="c{index % 8}" x="{x(at) + index * bar:.1f}" y="{y(value):.1f}" width="{bar:.1f}" '
            f'height="{y(0) - y(value):.1f}"/>'
            for at, value in pairs
            if value
        ]
    if not any(values):
        parts.append(_text((LEFT + WIDTH) / 2, HEIGHT / 2, "none", "middle"))
    return _svg(HEIGHT, parts, chart["title"]) + _legend(series)


def _stack(chart: Mapping[str, Any]) -> str:
    bars = chart["bars"]
    names = list(dict.fromkeys(name for terms in bars.values() for name, value in terms.items() if value))
    left = min(16 + CHARACTER * max((len(label) for label in bars), default=0), 300)
    longest = max((sum(terms.values()) for terms in bars.values()), default=0) or 1.0
    height = TOP + ROW * len(bars) + BOTTOM
    x = _Linear(0, longest * 1.12, left, WIDTH - RIGHT)
    parts = _axis_x(x, x.ticks(), chart["unit"], height)
    for row, (label, terms) in enumerate(bars.items()):
        top, at = TOP + ROW * row + 4, 0.0
        most = round((left - 16) / CHARACTER)
        parts.append(_text(left - 8, top + 17, label if len(label) <= most else label[: most - 1] + "…", "end"))
        for name in names:
            value = terms.get(name, 0.0)
            if value <= 0:
                continue
            width = x(at + value) - x(at)
            tip = f"<title>{escape(name)}: {value:.2f} {escape(chart['unit'])}</title>"
            parts.append(
                f'<rect class="c{names.index(name) % 8}" x="{x(at):.1f}" y="{top}" width="{width:.1f}" '
                f'height="{ROW - 8}">{tip}</rect>'
            )
            if width > CHARACTER * 4:
                parts.append(_text(x(at) + width / 2, top + 17, f"{value:.1f}", "middle", "inside"))
            at += value
        parts.append(_text(x(at) + 6, top + 17, f"{at:.1f}", "start"))
    return _svg(height, parts, chart["title"]) + _legend(names)


def _curve(chart: Mapping[str, Any]) -> str:
    points = chart["points"]
    if not points:
        return _nothing()
    x = _Linear(0, max(point[0] for point in points.values()) * 1.15 or 1.0, LEFT, WIDTH - RIGHT)
    lows, highs = [point[2] for point in points.values()], [point[3] for point in points.values()]
    margin = 0.15 * (max(highs) - min(lows)) or 1.0
    y = _Linear(min(lows) - margin, max(highs) + margin, HEIGHT - BOTTOM, TOP)
    parts = [*_grid_y(y, y.ticks()), *_axis_x(x, x.ticks(), chart["x_unit"]), _title_y(chart["y_unit"])]
    places: list[tuple[float, float]] = []
    for index, (name, (at, value, low, high)) in enumerate(points.items()):
        shift = 9 * sum(abs(x(at) - other) < 9 for other, _ in places)  # points of one latency stand side by side
        px, py = x(at) + shift, y(value)
        tip = f"{name}: {value:.2f} ({low:.2f} … {high:.2f}) at {at:.1f}"
        parts += [
            f'<line class="c{index % 8} line" x1="{px:.1f}" x2="{px:.1f}" y1="{y(low):.1f}" y2="{y(high):.1f}"/>',
            f'<circle class="c{index % 8}" cx="{px:.1f}" cy="{py:.1f}" r="4.5"><title>{escape(tip)}</title></circle>',
        ]
        places.append((x(at), py))
    return _svg(HEIGHT, parts, chart["title"]) + _legend(points)


class _Linear:
    """From values to pixels."""

    def __init__(self, low: float, high: float, start: float, end: float) -> None:
        self._low, self._high = low, high if high > low else low + 1
        self._start, self._end = start, end

    def __call__(self, value: float) -> float:
        return self._start + (value - self._low) / (self._high - self._low) * (self._end - self._start)

    def ticks(self) -> list[float]:
        """Five or so round values."""
        step = 10 ** math.floor(math.log10((self._high - self._low) / 4))
        step *= next(factor for factor in (1, 2, 5, 10) if (self._high - self._low) / (step * factor) <= 6)
        first = math.ceil(self._low / step - 1e-9)
        return [step * n for n in range(first, math.floor(self._high / step + 1e-9) + 1)]


class _Log:
    """The same on a logarithmic axis."""

    def __init__(self, low: float, high: float, start: float, end: float) -> None:
        self._low, self._high = low, high
        self._scale = _Linear(math.log10(low), math.log10(high), start, end)

    def __call__(self, value: float) -> float:
        return self._scale(math.log10(max(value, self._low)))

    def ticks(self) -> list[float]:
        """Powers of ten, with 2 and 5 between them where there is room."""
        decades = range(math.floor(math.log10(self._low)), math.ceil(math.log10(self._high)) + 1)
        factors = (1, 2, 5) if len(decades) <= 5 else (1,)
        ticks = [factor * 10.0**decade for decade in decades for factor in factors]
        return [tick for tick in ticks if self._low <= tick <= self._high]


def _grid_y(y: _Linear | _Log, ticks: Iterable[float]) -> list[str]:
    parts = []
    for tick in ticks:
        parts += [
            f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(tick):.1f}" y2="{y(tick):.1f}"/>',
            _text(LEFT - 7, y(tick) + 4, _number(tick), "end"),
        ]
    return parts


def _axis_x(x: _Linear | _Log, ticks: Iterable[float], unit: str, height: int = HEIGHT) -> list[str]:
    bottom = height - BOTTOM
    parts = []
    for tick in ticks:
        parts += [
            f'<line class="grid" x1="{x(tick):.1f}" x2="{x(tick):.1f}" y1="{TOP}" y2="{bottom}"/>',
            _text(x(tick), bottom + 17, _number(tick), "middle"),
        ]
    return [*parts, _text((LEFT + WIDTH) / 2, height - 8, unit, "middle", "unit")]


def _title_y(unit: str) -> str:
    middle = (TOP + HEIGHT - BOTTOM) / 2
    return (
        f'<text class="unit" transform="translate(14 {middle:.0f}) rotate(-90)" text-anchor="middle">'
        f"{escape(unit)}</text>"
    )


def _number(value: float) -> str:
    if value and (abs(value) >= 100_000 or abs(value) < 0.001):
        return f"{value:.0e}".replace("e+0", "e").replace("e-0", "e-")
    return f"{value:,.4g}".replace(",", " ") if abs(value) < 10_000 else f"{value:,.0f}".replace(",", " ")


def _path(points: Sequence[tuple[float, float]], css: str) -> str:
    return f'<path class="{css}" d="M' + "L".join(f"{px:.1f} {py:.1f}" for px, py in points) + 'Z"/>'


def _text(x: float, y: float, text: str, anchor: str, css: str = "") -> str:
    style = f' class="{css}"' if css else ""
    return f'<text{style} x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _legend(names: Iterable[str]) -> str:
    entries = (f'<span><i class="c{index % 8}"></i>{escape(name)}</span>' for index, name in enumerate(names))
    return f'<p class="legend">{"".join(entries)}</p>'


def _svg(height: int, parts: Iterable[str], title: str) -> str:
    return (
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(title, quote=True)}">'
        f"{''.join(parts)}</svg>"
    )


def _nothing() -> str:
    return "<p>Nothing was measured.</p>"


_KINDS = {"histogram": _histogram, "timeline": _timeline, "stack": _stack, "curve": _curve}
