"""The curve of a fade."""

import numpy as np
import pytest

from rtkaraoke.dsp.kernels.fade import fade

pytestmark = pytest.mark.kernels


def test_out_and_in_keep_the_power_and_reach_both_ends() -> None:
    out, into = np.ones((2, 101), np.float32), np.ones((2, 101), np.float32)
    fade(out, 0, 1, 100)
    fade(into, 100, -1, 100)
    np.testing.assert_allclose(out**2 + into**2, 1.0, atol=1e-6)
    assert out[0, 0] == into[0, 100] == 1.0
    assert abs(out[1, 100]) < 1e-7
    np.testing.assert_array_equal(out[0], out[1])


def test_a_fade_does_not_depend_on_the_blocks() -> None:
    whole = np.ones((1, 100), np.float32)
    pieces = whole.copy()
    fade(whole, 0, 1, 100)
    fade(pieces[:, :37], 0, 1, 100)
    fade(pieces[:, 37:], 37, 1, 100)
    np.testing.assert_array_equal(pieces, whole)
