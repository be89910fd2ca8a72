"""rtkaraoke takes the singer out of any music, live.

The public names are loaded when they are first used: importing the package imports no Numba, no ONNX Runtime, no
PyTorch and no sound library.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rtkaraoke.engine import Engine, music_engine
    from rtkaraoke.errors import RtkaraokeError
    from rtkaraoke.masks.models import load_model
    from rtkaraoke.rendering import render, render_array

__version__ = "0.1.0"
__all__ = ["Engine", "RtkaraokeError", "__version__", "load_model", "music_engine", "render", "render_array"]

_HOMES = {
    "Engine": "rtkaraoke.engine",
    "RtkaraokeError": "rtkaraoke.errors",
    "load_model": "rtkaraoke.masks.models",
    "music_engine": "rtkaraoke.engine",
    "render": "rtkaraoke.rendering",
    "render_array": "rtkaraoke.rendering",
}


def __getattr__(name: str) -> Any:
    try:
        home = _HOMES[name]
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
    return getattr(import_module(home), name)


def __dir__() -> list[str]:
    return sorted(__all__)
