"""Oracle masks are a ceiling, in time with the song."""

import numpy as np
import pytest

from rtkaraoke.evaluate.metrics import sdr
from rtkaraoke.evaluate.oracle import KINDS, oracle_voice
from rtkaraoke.geometry import StftGeometry

GEOMETRY = StftGeometry(44_100, 2048, 256)


@pytest.mark.parametrize("kind", KINDS)
def test_sources_that_never_meet_are_separated(kind: str) -> None:
    t = np.arange(30_001) / 44_100
    voice = np.tile(0.3 * np.sin(2 * np.pi * 880 * t), (2, 1)).astype(np.float32)
    music = np.tile(0.3 * np.sin(2 * np.pi * 3520 * t), (2, 1)).astype(np.float32)
    found = oracle_voice(voice, music, GEOMETRY, kind)
    assert found.shape == voice.shape
    assert sdr(found[:, 4096:], voice[:, 4096:]) > 25


def test_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="ratio, binary"):
        oracle_voice(np.zeros((2, 9), np.float32), np.zeros((2, 9), np.float32), GEOMETRY, "soft")
