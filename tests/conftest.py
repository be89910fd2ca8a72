"""What every test may use: where the music lies, and settings that keep runs alike."""

import os
import signal
from pathlib import Path

import hypothesis
import pytest

os.environ.setdefault("MPLBACKEND", "Agg")  # no display, here or in child processes

# A runner in the background may ignore Ctrl-C, and children would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

ROOT = Path(__file__).resolve().parent.parent

# Timings belong into benchmarks. On CI the same examples are drawn every time.
hypothesis.settings.register_profile("local", deadline=None)
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "local")


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session")
def music_data() -> Path:
    """The folder with real music (see its manifest.csv): ``RTKARAOKE_DATA``, or ``../shared/data``."""
    folder = Path(os.environ.get("RTKARAOKE_DATA", ROOT.parent / "shared" / "data"))
    if not (folder / "manifest.csv").is_file():
        pytest.skip(f"no music: {folder} holds no manifest.csv (RTKARAOKE_DATA names another folder)")
    return folder
