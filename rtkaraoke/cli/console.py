"""What the commands print: results on stdout, everything else on stderr."""

import hashlib
import json
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rtkaraoke.folders import state_folder

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

PIPE_WIDTH = 1000


def stdout() -> "Console":
    """A console on the standard output of this moment."""
    from rich.console import Console

    class Stdout(Console):
        def on_broken_pipe(self) -> None:
            raise BrokenPipeError  # rich would end the program with 1

    # In a pipe there is no right margin: a program reads a table's row as one line.
    width = None if sys.stdout.isatty() else PIPE_WIDTH
    return Stdout(highlight=False, soft_wrap=True, width=width)


def stderr() -> "Console":
    """A console on the standard error of this moment."""
    from rich.console import Console

    return Console(stderr=True, highlight=False, soft_wrap=True)


def show(*things: "RenderableType") -> None:
    """Print results."""
    console = stdout()
    for thing in things:
        console.print(thing, markup=False)


def note(text: str) -> None:
    """Say something beside the result."""
    stderr().print(text, markup=False, style="dim")


def error(text: str) -> None:
    """Say what went wrong."""
    console = stderr()
    console.print("rtkaraoke: ", style="bold red", end="")
    console.print(text, markup=False)


def show_json(data: Any) -> None:
    """Print ``data`` on one line; what JSON cannot say (infinities, paths) as text."""
    sys.stdout.write(json.dumps(_plain(data), ensure_ascii=False) + "\n")
    sys.stdout.flush()


def _plain(data: Any) -> Any:
    if isinstance(data, dict):
        return {str(key): _plain(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [_plain(value) for value in data]
    if isinstance(data, float) and not math.isfinite(data):
        return None if math.isnan(data) else str(data)
    if isinstance(data, Path):
        return str(data)
    return data


def say_once(text: str) -> None:
    """Say ``text`` on the first run only."""
    if is_first_time(text):
        note(text)


def is_first_time(text: str) -> bool:
    """Whether this user has not been told ``text`` before; from now on they have.

    Where nothing can be remembered it is always the first time: better told twice than never.
    """
    mark = state_folder() / "said" / hashlib.sha256(text.encode()).hexdigest()[:16]
    try:
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.touch(exist_ok=False)
    except FileExistsError:
        return False
    except OSError:
        pass
    return True
