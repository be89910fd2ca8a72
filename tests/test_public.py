"""The public names are there, typed, and cost nothing until they are used."""

import subprocess
import sys

import pytest

import rtkaraoke


def test_importing_the_package_imports_nothing_heavy() -> None:
    code = (
        "import sys, rtkaraoke; "
        "print([m for m in ('torch', 'numba', 'sounddevice', 'onnxruntime', 'numpy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_public_name_is_there() -> None:
    for name in rtkaraoke.__all__:
        assert getattr(rtkaraoke, name) is not None
    assert dir(rtkaraoke) == sorted(rtkaraoke.__all__)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nosuch'"):
        rtkaraoke.nosuch  # noqa: B018
