"""A bar on stderr while files are rendered."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from rtkaraoke.cli.console import stderr

NAME_WIDTH = 36


class Bar(NamedTuple):
    """What a render reports to."""

    begin: Callable[[int, int, Path], None]  #: the file's number from 0, the number of files, the file
    advance: Callable[[int, int | None], None]  #: samples done, samples in all if known


@contextmanager
def progress_bar(*, quiet: bool) -> Iterator[Bar]:
    """A bar where stderr is a terminal and not ``quiet``, else nothing."""
    console = stderr()
    if quiet or not console.is_terminal:
        yield Bar(lambda _number, _total, _path: None, lambda _done, _total: None)
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeRemainingColumn(compact=True),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=None)

        def begin(number: int, total: int, path: Path) -> None:
            name = path.name if len(path.name) <= NAME_WIDTH else path.name[: NAME_WIDTH - 1] + "…"
            progress.reset(task, description=f"{number + 1}/{total} {name}" if total > 1 else name)

        def advance(done: int, total: int | None) -> None:
            progress.update(task, completed=done, total=total)

        yield Bar(begin, advance)
