"""``train``, ``export``: thin doors to packages that most users never install.

Their options are their own; these commands pass them on untouched.
"""

from collections.abc import Callable
from importlib import import_module
from typing import Annotated, Any

from cyclopts import Parameter

from rtkaraoke.errors import RtkaraokeError

Rest = Annotated[str, Parameter(allow_leading_hyphen=True, show=False)]


def train(*arguments: Rest) -> int:
    """Train a mask network from a recipe (extra: train)."""
    return _pass_on("rtkaraoke.train", "train", arguments)


def export(*arguments: Rest) -> int:
    """Export a trained network as ONNX, checked step by step (extra: train)."""
    return _pass_on("rtkaraoke.train", "export", arguments)


EXTRAS = {"torch": "train", "lightning_fabric": "train", "onnx": "train"}


def _pass_on(package: str, command: str, arguments: tuple[str, ...]) -> int:
    """Call ``package.cli.<command>(arguments)``, which returns the exit code."""
    try:
        run: Callable[[list[str]], Any] = getattr(import_module(f"{package}.cli"), command)
    except ModuleNotFoundError as error:
        name = (error.name or "").partition(".")[0]
        if name not in EXTRAS:
            raise
        raise RtkaraokeError(
            f"`rtkaraoke {command}` needs {name}, which is not installed: pip install 'rtkaraoke[{EXTRAS[name]}]'"
        ) from None
    return int(run(list(arguments)) or 0)
