"""The effects' kernels on a few samples: each does what it says, with the JIT or without."""

import ast
import math
from pathlib import Path

import numpy as np
import pytest

from rtkaraoke.dsp.kernels import compression, effects, filters, pitch, reverberation

pytestmark = pytest.mark.kernels
RNG = np.random.default_rng(0)
KERNELS = Path(effects.__file__).parent


def noise(n_samples: int = 64, n_channels: int = 2) -> np.ndarray:
    return RNG.uniform(-0.5, 0.5, (n_channels, n_samples)).astype(np.float32)


def rows(*values: float, n_samples: int = 64) -> np.ndarray:
    return np.repeat(np.array(values, np.float64)[:, None], n_samples, axis=1)


@pytest.mark.parametrize("path", sorted(KERNELS.glob("*.py")), ids=lambda path: path.stem)
def test_a_file_of_kernels_is_closed(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    imported = {
        name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names])
    }
    assert imported <= {"math", "numpy", "scipy.fft", "numba"}


def test_clean_keeps_the_bits_of_sound_and_nothing_else() -> None:
    block = noise()
    block[0, :6] = np.nan, np.inf, -np.inf, 1e-40, 3e38, -3e38
    out = np.zeros((2, 100), np.float32)
    effects.clean(block, out)
    np.testing.assert_array_equal(out[0, :6], [0, 0, 0, 0, 100, -100])
    np.testing.assert_array_equal(out[0, 6:64], block[0, 6:])
    np.testing.assert_array_equal(out[1, :64], block[1])
    assert not out[:, 64:].any()


def test_a_control_glides_straight_lands_and_rests() -> None:
    state = np.zeros((4, 2))
    state[effects.TARGET, 0], state[effects.STEP, 0], state[effects.LEFT, 0] = 1.0, 0.1, 10
    state[effects.NOW, 1] = 0.5
    controls = np.zeros((2, 8))
    seen = []
    for n_samples in (3, 5, 4, 8):
        effects.glide(state, controls, n_samples)
        seen.append(controls[0, :n_samples].copy())
    np.testing.assert_allclose(np.concatenate(seen), [*np.arange(1, 11) / 10, *[1.0] * 10])
    assert (controls[0] == 1.0).all()
    assert (controls[1] == 0.5).all()
    assert (state[effects.LEFT] == effects.LANDED).all()


def test_blend_copies_the_bits_at_both_ends() -> None:
    dry, wet, out = noise(3), noise(3), np.empty((2, 3), np.float32)
    effects.blend(dry, wet, out, np.array([0.0, 1.0, 0.5]))
    np.testing.assert_array_equal(out[:, 0], dry[:, 0])
    np.testing.assert_array_equal(out[:, 1], wet[:, 1])
    np.testing.assert_allclose(out[:, 2], 0.5 * (dry[:, 2] + wet[:, 2]), rtol=1e-6)


def test_a_section_of_the_input_alone_copies_the_bits_and_a_low_pass_passes_a_constant() -> None:
    dry, wet = noise(), np.empty((2, 64), np.float32)
    filters.state_variable_filters(dry, wet, 64, rows(0.3, 1.4, 1.0, 0.0, 0.0), np.zeros((1, 2, 2)))
    np.testing.assert_array_equal(wet, dry)
    constant = np.ones((1, 200), np.float32)
    low = np.empty_like(constant)
    controls = rows(0.3, 1.4, 0.0, 0.0, 1.0, n_samples=200)
    filters.state_variable_filters(constant, low, 200, controls, np.zeros((1, 1, 2)))
    assert low[0, -1] == pytest.approx(1.0, abs=1e-4)


@pytest.mark.parametrize(
    ("level_db", "knee", "expected"),
    [(-30, 0, 0), (-20, 0, 0), (-8, 0, 9), (-26, 12, 0), (-20, 12, 0.75 * 1.5), (-14, 12, 0.75 * 6), (-200, 0, 0)],
)
def test_the_static_curve_is_the_paper_s(level_db: float, knee: float, expected: float) -> None:
    peak = 10 ** (level_db / 20)
    assert compression.excess(peak, -20.0, 0.75, knee) == pytest.approx(expected, abs=1e-9)


def test_a_compressor_turns_down_and_lets_go() -> None:
    dry = np.concatenate([np.ones((2, 400)), 1e-3 * np.ones((2, 400))], axis=1).astype(np.float32)
    wet, state = np.empty_like(dry), np.zeros(2)
    compression.compress(dry, wet, 800, rows(-20.0, 0.5, 0.0, 6.0, n_samples=800), 0.9, 0.95, state)
    assert wet[0, 399] == pytest.approx(10 ** ((6.0 - 10.0) / 20), rel=1e-3)
    assert wet[0, 799] == pytest.approx(1e-3 * 10 ** (6.0 / 20), rel=1e-3)


def test_a_gate_holds_closes_and_opens() -> None:
    dry = np.concatenate([np.ones(50), 0.1 * np.ones(150), np.ones(50)])[None].astype(np.float32)
    wet, state = np.empty_like(dry), np.zeros(4)
    compression.gate(dry, wet, 250, rows(0.5, 0.3, 0.0, n_samples=250), 0.0, 0.5, 0.5, 20, state)
    assert wet[0, 49] == 1.0
    np.testing.assert_array_equal(wet[0, 50:70], dry[0, 50:70])  # hold
    assert not wet[0, 120:200].any()
    assert wet[0, -1] == 1.0


def test_a_de_esser_splits_and_adds_up() -> None:
    dry, wet = np.zeros((1, 256), np.float32), np.empty((1, 256), np.float32)
    dry[0, 0] = 1e-3  # below every threshold
    controls = rows(math.tan(math.pi / 8), 0.0, 0.75, 12.0, n_samples=256)
    compression.de_ess(dry, wet, 256, controls, 6.0, 0.9, 0.9, np.zeros((1, 3, 2)), np.zeros((1, 2)), np.zeros(2))
    np.testing.assert_allclose(np.abs(np.fft.rfft(wet[0])), 1e-3, rtol=1e-4)


def test_limiter_copies_below_the_ceiling_and_never_exceeds_it() -> None:
    quiet = RNG.uniform(-0.9, 0.9, (2, 500)).astype(np.float32)
    loud = (3 * quiet).astype(np.float32)
    state, out, ceiling = np.ones(1), np.empty_like(quiet), np.ones((1, 20_000))
    compression.limit(quiet, out, 500, ceiling, 0.999, state)
    np.testing.assert_array_equal(out, quiet)
    compression.limit(loud, out, 500, ceiling, 0.999, state)
    assert np.abs(out).max() <= 1.0
    assert state[0] < 1.0
    silence = np.zeros((2, 20_000), np.float32)
    compression.limit(silence, np.empty_like(silence), 20_000, ceiling, 0.999, state)
    assert state[0] == 1.0


@pytest.mark.parametrize("n_channels", [1, 2])
def test_an_echo_repeats_and_fades_to_another_time(n_channels: int) -> None:
    dry, wet = np.zeros((n_channels, 64), np.float32), np.empty((n_channels, 64), np.float32)
    dry[0, 0] = 1.0
    lines, poles = np.zeros((n_channels, 64), np.float32), np.zeros((n_channels, 2))
    state = np.array([0, 10, 0, 0])
    controls = rows(0.5, 1.0, 0.0, 1.0, 1.0)
    reverberation.echo(dry, wet, 64, controls, 10, 8, 0.0, state, lines, poles)
    np.testing.assert_allclose(wet[0, [0, 10, 20, 30]], [1, 1, 0.5, 0.25])
    assert np.count_nonzero(wet[0]) == 7
    reverberation.echo(dry, wet, 64, controls, 20, 8, 0.0, state, lines, poles)
    assert state[reverberation.TAP] == 20
    assert state[reverberation.FADE_LEFT] == 0


def test_a_delay_between_samples_is_a_cubic_and_whole_ones_are_exact() -> None:
    line = np.zeros(16, np.float32)
    line[:] = np.arange(16) ** 3
    assert reverberation.between(line, 12, 4.0) == 8**3
    assert reverberation.between(line, 12, 4.5) == pytest.approx(7.5**3)
    impulse = np.zeros(16, np.float32)
    impulse[8] = 1.0
    for share in (0.1, 0.5, 0.9):
        taps = [reverberation.between(impulse, at, 4.0 + share) for at in range(8, 16)]
        assert np.abs(np.fft.rfft(taps, 64)).max() <= 1 + 1e-12


def test_the_matrix_of_the_reverb_keeps_the_energy() -> None:
    values = RNG.standard_normal(reverberation.N_LINES)
    mixed = values.copy()
    reverberation.hadamard(mixed)
    assert np.sum(mixed**2) == pytest.approx(np.sum(values**2))
    reverberation.hadamard(mixed)
    np.testing.assert_allclose(mixed, values)


def test_a_delay_line_takes_nothing_unbounded_and_no_denormal() -> None:
    assert [reverberation.bounded(value) for value in (1e9, -1e9, 1e-30, 0.5)] == [100.0, -100.0, 0.0, 0.5]


def test_a_short_room_answers_and_falls() -> None:
    n_lines, n_samples = reverberation.N_LINES, 600
    dry, wet = np.zeros((2, n_samples), np.float32), np.empty((2, n_samples), np.float32)
    dry[:, 0] = 1.0
    controls = rows(0.0, 1.0, 2.0, 1.0, 0.0, *[0.5] * n_lines, *[0.2] * n_lines, n_samples=n_samples)
    vibrato = np.repeat(np.array([[0.0, 1.0, 0.0, 1.0]]), n_lines, axis=0)
    reverberation.reverb(
        dry, wet, n_samples, controls, np.zeros(1, np.int64), np.zeros((2, 8), np.float32), np.zeros(2),
        np.array([[3, 5, 2, 4], [4, 3, 5, 2]]), np.full(4, 0.5), np.zeros((8, 8), np.float32),
        np.arange(11.0, 11 + n_lines), 0.0, vibrato, np.zeros((n_lines, 64), np.float32), np.zeros((2, n_lines)),
    )  # fmt: skip
    assert not wet[:, :12].any()
    assert np.abs(wet[:, 13:60]).max() > 0.01
    assert np.abs(wet[:, -50:]).max() < 1e-3


def test_the_top_of_a_parabola_is_found() -> None:
    k = np.arange(11.0)
    powers = np.exp(-((k - 5.3) ** 2))
    assert pitch.is_peak(powers, 5)
    assert not pitch.is_peak(powers, 4)
    assert pitch.offset(powers, 5) == pytest.approx(0.3)
    assert pitch.offset(np.zeros(11), 5) == 0.0


def test_a_frame_that_is_not_shifted_comes_out_as_it_was() -> None:
    hop, length = 16, 64
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length)
    window = (hann / np.sqrt(1.5)).astype(np.float32)
    tone = np.sin(2 * np.pi * 0.11 * np.arange(640)).astype(np.float32)[None]
    out, delayed = np.zeros_like(tone), tone.copy()
    history, overlap, delay = (np.zeros((1, length), np.float32) for _ in range(3))
    ready, frame = np.zeros((1, hop), np.float32), np.zeros((1, 2 * length), np.float32)
    powers, turns = np.zeros((2, length + 1)), np.zeros((2, length + 1))
    for start in range(0, 640, hop):
        at = start % length
        pitch.exchange(delayed, out, start, hop, delay, at, history, 0, ready)
        pitch.shift_frame(
            history, window, 1.0, frame, powers, turns, np.zeros(length + 1, np.int64),
            np.zeros((1, length + 1), np.complex64), overlap, ready,
        )  # fmt: skip
    np.testing.assert_array_equal(delayed[0, length:], tone[0, :-length])
    np.testing.assert_allclose(out[0, 2 * length :], tone[0, length:-length], atol=0.01)
