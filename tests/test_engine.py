"""The engine: one block in, one block out, the same bits however it is cut, nothing allocated, nothing let in."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from rtkaraoke.dsp import kernels
from rtkaraoke.engine import Engine, music_engine
from rtkaraoke.errors import GeometryError, PluginError
from rtkaraoke.plugins.gain import Gain
from rtkaraoke.plugins.limiter import Limiter
from tests.support.models import constant, counting

RATE = 44_100
NOISE = (0.3 * np.random.default_rng(0).standard_normal((2, 9_000))).astype(np.float32)


def run(engine: Engine, audio: NDArray[np.float32], blocks: list[int]) -> NDArray[np.float32]:
    engine.prepare(RATE, audio.shape[0], max(blocks))
    out = np.zeros_like(audio)
    start = n = 0
    while start < audio.shape[1]:
        size = min(blocks[n % len(blocks)], audio.shape[1] - start)
        engine.process(audio[:, start : start + size], out[:, start : start + size])
        start, n = start + size, n + 1
    engine.close()
    return out


@settings(max_examples=25)
@given(st.lists(st.integers(1, 4096), min_size=1, max_size=12))
def test_any_partition_gives_the_same_bits(blocks: list[int]) -> None:
    loud = 4 * NOISE  # so that the limiter works as well
    np.testing.assert_array_equal(
        run(music_engine(counting()), loud, blocks), run(music_engine(counting()), loud, [4096])
    )


def test_vocals_at_zero_db_are_the_input_bit_for_bit() -> None:
    quiet = np.clip(NOISE, -1, 1)
    out = run(music_engine(counting(), vocals_db=0.0), quiet, [333])
    np.testing.assert_array_equal(out[:, 512:], quiet[:, :-512])


def test_latency_is_the_sum_of_its_terms() -> None:
    engine = music_engine(constant(0.5))
    engine.prepare(48_000, 2, 256)
    assert engine.latency_terms == {"vocal_remover": 558, "limiter": 0}
    assert engine.latency == 558
    engine.close()


def test_what_is_not_finite_never_enters_and_is_counted() -> None:
    dirty = NOISE.copy()
    dirty[0, 1000:1010] = np.nan
    dirty[1, 2000] = np.inf
    clean = np.where(np.isfinite(dirty), dirty, 0).astype(np.float32)
    engine = music_engine(counting())
    out = run(engine, dirty, [128])
    assert engine.n_nonfinite == 11
    np.testing.assert_array_equal(out, run(music_engine(counting()), clean, [128]))


def test_meters_show_input_and_output() -> None:
    engine = music_engine(constant(0.0))
    engine.prepare(RATE, 2, 4096)
    block = np.full((2, 4096), 0.5, np.float32)
    engine.process(block, block)
    assert engine.input_meter.read().peak_db == pytest.approx((-6.02, -6.02), abs=0.01)
    assert engine.output_meter.read().peak_db == pytest.approx((-6.02, -6.02), abs=0.01)
    engine.close()


def test_warm_up_leaves_no_trace() -> None:
    warmed = music_engine(counting())
    warmed.prepare(RATE, 2, 4096)
    warmed.set("vocal_remover", "vocals", -3)
    warmed.warm_up()
    cold = music_engine(counting(), vocals_db=-3)
    cold.prepare(RATE, 2, 4096)
    a, b = np.empty((2, 4096), np.float32), np.empty((2, 4096), np.float32)
    warmed.process(NOISE[:, :4096], a)
    cold.process(NOISE[:, :4096], b)
    np.testing.assert_array_equal(a, b)
    warmed.close()
    cold.close()


@pytest.mark.parametrize("threaded", [False, True])
def test_ten_thousand_hops_allocate_no_array_and_compile_nothing(threaded: bool) -> None:
    modules = (kernels, kernels.compression, kernels.effects)
    dispatchers = [kernel for module in modules for kernel in vars(module).values() if hasattr(kernel, "signatures")]
    with music_engine(constant(0.5, strength=1.5), threaded=threaded) as engine:
        engine.prepare(RATE, 2, 128)
        engine.warm_up()
        block, out = np.ascontiguousarray(NOISE[:, :128]), np.zeros((2, 128), np.float32)
        compiled = [len(kernel.signatures) for kernel in dispatchers]
        tracemalloc.start()
        try:
            for _ in range(64):
                engine.process(block, out)
            tracemalloc.reset_peak()
            before = tracemalloc.get_traced_memory()[0]
            for _ in range(20_000):
                engine.process(block, out)
            after, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak - before < 4096  # one mask alone would be 8 200 bytes
        assert after - before < 2048
        assert [len(kernel.signatures) for kernel in dispatchers] == compiled


def test_mono_works_and_three_channels_are_refused() -> None:
    assert run(music_engine(counting()), NOISE[:1], [512]).shape == (1, 9_000)
    with pytest.raises(PluginError, match="1 or 2 channels, not 3"):
        music_engine(counting()).prepare(RATE, 3, 512)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ((0, 2, 256), "sample rate of 0 Hz"),
        ((10**9, 2, 256), "sample rate of 1000000000 Hz"),
        ((RATE, 0, 256), "0 channels"),
        ((RATE, 2, 0), "blocks of 0"),
    ],
)
def test_impossible_settings_are_refused(values: tuple[int, int, int], words: str) -> None:
    with pytest.raises((PluginError, GeometryError), match=words):
        music_engine(constant(0.5)).prepare(*values)


@pytest.mark.parametrize("shape", [(1, 100), (2, 257), (3, 10)])
def test_a_block_of_another_shape_is_refused(shape: tuple[int, int]) -> None:
    with music_engine(constant(0.5)) as engine:
        engine.prepare(RATE, 2, 256)
        with pytest.raises(PluginError, match="prepared for"):
            engine.process(np.zeros(shape, np.float32), np.zeros(shape, np.float32))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (("equaliser", "gain", 1.0), "no plugin 'equaliser' in the chain: there are vocal_remover, limiter"),
        (("limiter", "knee", 1.0), "no parameter 'knee': there are ceiling, release"),
        (("limiter", "ceiling", 3.0), r"ceiling = 3.0: wanted a number from -24 to 0 dB"),
        (("limiter", "ceiling", float("nan")), "ceiling = nan"),
        (("limiter", "ceiling", "loud"), "ceiling = 'loud'"),
    ],
)
def test_wrong_parameters_are_refused(call: tuple[str, str, float], words: str) -> None:
    engine = music_engine(constant(0.5))
    with pytest.raises(PluginError, match=words):
        engine.set(*call)


def test_unknown_names_are_refused_on_reading_too() -> None:
    engine = music_engine(constant(0.5), parameters={"strength": 2.0})
    assert engine.get("vocal_remover", "strength") == 2.0
    with pytest.raises(PluginError, match="no parameter"):
        engine.get("limiter", "knee")


def test_two_plugins_of_one_name_are_refused() -> None:
    with pytest.raises(PluginError, match="two plugins are named 'limiter'"):
        Engine([Limiter()], [Limiter()])


def test_a_nan_vocal_level_is_refused() -> None:
    with pytest.raises(PluginError, match="vocals = nan"):
        music_engine(constant(0.5), vocals_db=float("nan"))


def test_a_chain_runs_in_its_order() -> None:
    gain, limiter = Gain(), Limiter()
    gain.set("level", 12.0)
    out = run(Engine([gain], [limiter]), NOISE, [256])
    assert np.abs(out).max() <= 1.0
    gain.set("level", -90.0)
    assert not run(Engine([gain], [limiter]), NOISE, [256]).any()


def test_a_gain_moves_without_a_step() -> None:
    gain = Gain()
    gain.prepare(RATE, 1, 4096)
    gain.set("level", -90.0)
    out = np.empty((1, 4096), np.float32)
    gain.process(np.ones((1, 4096), np.float32), out)
    assert np.abs(np.diff(out[0])).max() < 2 / (0.02 * RATE)
    assert out[0, -1] == 0.0
    gain.reset()
    gain.close()


def test_a_limiter_keeps_its_release_when_the_rate_is_known() -> None:
    limiter = Limiter()
    limiter.set("release", 10.0)
    limiter.prepare(48_000, 1, 4800)
    loud = np.concatenate([np.full(1, 2.0), np.full(4799, 0.01)]).astype(np.float32)[None]
    out = np.empty_like(loud)
    limiter.process(loud, out)
    assert out[0, 0] == 1.0
    assert out[0, 480] == pytest.approx(0.01 * (1 - 0.5 / np.e), rel=1e-3)  # one time constant later
    limiter.close()
