"""A report as one HTML file that needs nothing beside it: no network, no script, no font."""

import re
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

from rtkaraoke.bench.report import Table, measured_on
from rtkaraoke.bench.svg import draw
from rtkaraoke.errors import RtkaraokeError

STYLE = """
:root { color-scheme: light dark; --ink: #1c2330; --soft: #5c6675; --line: #dfe3e9; --page: #fff; --band: #f5f7f9;
  --0: #2f6fb5; --1: #d9792b; --2: #2a9d7a; --3: #b8478f; --4: #8a6bc4; --5: #b59a1e; --6: #4aa8d8; --7: #7a7f87; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e8ee; --soft: #98a2b1; --line: #343b47; --page: #14181f;
  --band: #1b212a; --0: #6ea8e8; --1: #f0a060; --2: #55c9a5; --3: #e080bb; --4: #b49aec; --5: #dcc352; --6: #7fcaf0;
  --7: #a9afb8; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1.25rem 4rem; max-width: 76rem; background: var(--page); color: var(--ink);
  font: 15px/1.5 system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
h1 { font-size: 1.6rem; margin: 0 0 .3rem; } h2 { font-size: 1.1rem; margin: 2.2rem 0 .5rem; }
.soft, .note { color: var(--soft); font-size: .87rem; margin: .3rem 0; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .87rem; }
th, td { padding: .3rem .7rem .3rem 0; border-bottom: 1px solid var(--line); text-align: left; white-space: nowrap; }
th { font-weight: 600; } .number { text-align: right; } tbody tr:hover { background: var(--band); }
td.prose { white-space: normal; min-width: 20rem; }
svg { display: block; width: 100%; max-width: 760px; height: auto; }
svg text { font-size: 12px; fill: var(--soft); } svg text.inside { fill: #fff; }
@media (prefers-color-scheme: dark) { svg text.inside { fill: #14181f; } }
.grid { stroke: var(--line); } .limit { stroke: var(--ink); stroke-dasharray: 4 3; stroke-width: 1.5; }
.area { fill-opacity: .28; stroke-width: 1.4; } .line { stroke-width: 2; }
.legend { display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; margin: .2rem 0 0; font-size: .87rem; }
.legend i { display: inline-block; width: .8em; height: .8em; margin-right: .4em; border-radius: 2px; }
""" + "".join(
    f".c{n} {{ fill: var(--{n}); stroke: var(--{n}); background: var(--{n}); }}\n"
    f"rect.c{n}, circle.c{n} {{ stroke: none; }}\n"
    for n in range(8)
)


def page(content: Mapping[str, Any]) -> str:
    """The HTML of a report's JSON."""
    parameters = ", ".join(
        f"{name.replace('_', ' ')} {_plain(value)}"
        for name, value in content["parameters"].items()
        if value is not None
    )
    command = f"rtkaraoke bench {content['name']}"
    charts = "".join(f"<h2>{escape(chart['title'])}</h2>\n{draw(chart)}\n" for chart in content["charts"])
    tables = "".join(_table(Table(**table)) for table in content["tables"])
    notes = "".join(f'<p class="note">{_marked_up(note)}</p>\n' for note in content["notes"])
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        # Whatever a name from a data set or a device may contain, this page loads and runs nothing.
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        f"<title>{escape(content['title'])}</title>\n<style>{STYLE}</style>\n"
        f"<h1>{escape(content['title'])}</h1>\n"
        f'<p class="soft">{escape(": ".join(part for part in (command, parameters) if part))}</p>\n'
        f"{notes}{charts}{tables}"
        f'<h2>Measured on</h2>\n<p class="note">{escape(measured_on(content))}</p>\n</html>\n'
    )


def write(content: Mapping[str, Any], path: Path) -> None:
    """Write the page of a report's JSON to ``path``.

    Raises
    ------
    RtkaraokeError
        When that cannot be.
    """
    try:
        path.write_text(page(content), encoding="utf-8")
    except OSError as error:
        raise RtkaraokeError(f"{path}: cannot be written: {error.strerror or error}") from None


def _table(table: Table) -> str:
    numeric = ["number" if spec else "" for spec in table.columns.values()]
    numeric = [
        css or ("number" if table.rows and all(isinstance(row[at], int | float | None) for row in table.rows) else "")
        for at, css in enumerate(numeric)
    ]
    head = "".join(f'<th class="{css}">{escape(name)}</th>' for name, css in zip(table.columns, numeric, strict=True))
    body = "".join(
        "<tr>"
        + "".join(
            f'<td class="{css or ("prose" if len(text) > 60 else "")}">{escape(text)}</td>'
            for text, css in zip(row, numeric, strict=True)
        )
        + "</tr>\n"
        for row in table.texts()
    )
    note = f'<p class="note">{_marked_up(table.note)}</p>\n' if table.note else ""
    return (
        f'<h2>{escape(table.title)}</h2>\n<div class="scroll"><table><thead><tr>{head}</tr></thead>\n'
        f"<tbody>\n{body}</tbody></table></div>\n{note}"
    )


def _marked_up(text: str) -> str:
    """Escaped, with the little Markdown that notes have: emphasis and code."""
    text = re.sub(r"\*([^*\n]+)\*", r"<em>\1</em>", escape(text))
    return re.sub(r"`([^`\n]+)`", r"<code>\1</code>", text)


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
