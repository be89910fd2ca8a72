"""Packages that only some figures need."""

import importlib
from types import ModuleType

from rtkaraoke.errors import RtkaraokeError

PACKAGES = {"yaml": "PyYAML", "sklearn": "scikit-learn"}  #: where a module's name is not its package's


def require(module: str, purpose: str) -> ModuleType:
    """Import an optional ``module``.

    Raises
    ------
    RtkaraokeError
        When it is not installed: names the ``purpose`` and the extra that brings it.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise missing(error.name or module, purpose) from error


def missing(module: str, purpose: str) -> RtkaraokeError:
    """The error that says that ``purpose`` needs a package which is not installed."""
    return RtkaraokeError(
        f"{purpose}: needs {PACKAGES.get(module, module)}, which is not installed: pip install 'rtkaraoke[bench]'"
    )
