"""How every benchmark answers: a bar while it runs, then a table, JSON, or a page with plots."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Group, Parameter

from rtkaraoke.cli.console import note, show, show_json
from rtkaraoke.cli.options import OTHER
from rtkaraoke.cli.progress import progress_bar

if TYPE_CHECKING:
    from rtkaraoke.bench.report import Report

MEASURING = Group("Measuring", sort_key=0)
Progress = Callable[[int, int, str], None]


def option(group: Group, text: str, **more: Any) -> Parameter:
    """An option of a benchmark; what it is when left out stands in its text."""
    return Parameter(group=group, help=text, show_default=False, negative=(), **more)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """How a benchmark answers."""

    json: Annotated[bool, option(OTHER, "Answer in JSON, for programs and for `bench compare`.", name="--json")] = False
    report: Annotated[
        Path | None, option(OTHER, "Write a page with plots to this file, FILE.html; it needs no network.")
    ] = None

    @contextmanager
    def progress(self) -> Iterator[Progress]:
        """A bar on a terminal."""
        with progress_bar(quiet=self.json) as bar:
            names: list[str] = []

            def advance(done: int, total: int, name: str) -> None:
                if names != [name]:
                    names[:] = [name]
                    bar.begin(0, 1, Path(name))
                bar.advance(done, total)

            yield advance

    def give(self, report: "Report") -> None:
        """Show a report and write its page."""
        content = report.to_dict()
        if self.report is not None:
            from rtkaraoke.bench.html import write

            write(content, self.report)
        if self.json:
            show_json(content)
        else:
            _show(report)
            if self.report is not None:
                note(f"wrote {self.report}")


def _show(report: "Report") -> None:
    """Tables for a terminal."""
    from rtkaraoke.cli.listing import table

    for number, part in enumerate(report.tables):
        show(*([""] if number else []), part.title, "", table(list(part.columns), part.texts()))
        if part.note and sys.stderr.isatty():
            note(part.note)
    for line in report.notes:
        note(line)
