"""The vocal remover: any partition gives the same bits, latency is as declared, lateness does not click."""

import threading
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from rtkaraoke.errors import PluginError
from rtkaraoke.geometry import StftGeometry
from rtkaraoke.masks.centre import CentreNetwork
from rtkaraoke.masks.deadline import FED, FRESH
from rtkaraoke.masks.protocol import MaskNetwork
from rtkaraoke.masks.runner import NO_DEADLINE
from rtkaraoke.plugins.protocol import DeadlineAware, Plugin
from rtkaraoke.plugins.vocal_remover import VocalRemover
from tests.support.models import FakeNetwork, Gate, constant, counting

RATE = 44_100
NOISE = (0.1 * np.random.default_rng(0).standard_normal((2, 9_000))).astype(np.float32)


def run(
    remover: VocalRemover, audio: NDArray[np.float32], blocks: Iterable[int] = (512,), sample_rate: int = RATE
) -> NDArray[np.float32]:
    """Stream ``audio`` through ``remover`` in blocks of the given sizes, repeated."""
    sizes = list(blocks)
    remover.prepare(sample_rate, audio.shape[0], max(sizes))
    out = np.zeros_like(audio)
    start = n = 0
    while start < audio.shape[1]:
        size = min(sizes[n % len(sizes)], audio.shape[1] - start)
        block = np.ascontiguousarray(audio[:, start : start + size])
        remover.process(block, block)
        out[:, start : start + size] = block
        start, n = start + size, n + 1
    remover.close()
    return out


def settled(network: MaskNetwork, audio: NDArray[np.float32] = NOISE, **values: float) -> NDArray[np.float32]:
    remover = VocalRemover(network)
    for name, value in values.items():
        remover.set(name, value)
    return run(remover, audio)


def test_it_is_a_plugin() -> None:
    remover = VocalRemover(constant(0.5))
    assert isinstance(remover, Plugin)
    assert isinstance(remover, DeadlineAware)


@settings(max_examples=25)
@given(st.lists(st.integers(1, 4096), min_size=1, max_size=12), st.sampled_from([RATE, 48_000]))
def test_any_partition_gives_the_same_bits(blocks: list[int], sample_rate: int) -> None:
    whole = run(VocalRemover(counting()), NOISE, [4096], sample_rate)
    np.testing.assert_array_equal(run(VocalRemover(counting()), NOISE, blocks, sample_rate), whole)


@pytest.mark.parametrize("threaded", [False, True])
def test_thread_and_single_samples_change_nothing(threaded: bool) -> None:
    whole = run(VocalRemover(counting()), NOISE, [4096])
    np.testing.assert_array_equal(run(VocalRemover(counting(), threaded=threaded), NOISE, [1]), whole)


@pytest.mark.parametrize("sample_rate", [16_000, 32_000, 44_100, 48_000, 88_200, 96_000])
@pytest.mark.parametrize("look_ahead", [0, 2])
def test_untouched_voice_is_the_input_delayed_bit_for_bit(sample_rate: int, look_ahead: int) -> None:
    network = constant(0.7, geometry=StftGeometry(RATE, 2048, 256, look_ahead))
    remover = VocalRemover(network)
    remover.set("vocals", 0.0)
    out = run(remover, NOISE, [100], sample_rate)
    latency = remover.latency
    assert latency == network.info.geometry.at_rate(sample_rate).latency
    np.testing.assert_array_equal(out[:, latency:], NOISE[:, :-latency])
    assert not out[:, :latency].any()


PADDED = StftGeometry(RATE, 8192, 512, window=2048)  # of the CNN with ideal binary mask


@pytest.mark.parametrize(
    "geometry",
    [
        *(StftGeometry(RATE, 2048, 256, look_ahead) for look_ahead in (0, 1, 5)),
        *(StftGeometry(RATE, 2048, 512, look_ahead) for look_ahead in (0, 4)),
        *(replace(PADDED, look_ahead=look_ahead) for look_ahead in (0, 2)),
    ],
)
def test_voice_lies_exactly_where_the_latency_says(geometry: StftGeometry) -> None:
    impulse = np.zeros((2, 16_384), np.float32)
    impulse[:, 3000] = 1.0
    network = constant(1.0, geometry=geometry)
    remover = VocalRemover(network)
    remover.set("solo", 1)
    voice = run(remover, impulse)
    assert remover.latency == (2 + geometry.look_ahead) * geometry.hop
    assert np.argmax(np.abs(voice[0])) == 3000 + remover.latency
    np.testing.assert_allclose(voice[:, 3000 + remover.latency], 1.0, atol=1e-5)
    rest = np.delete(voice, 3000 + remover.latency, axis=1)
    assert np.abs(rest).max() < 1e-5


def test_music_and_voice_add_up_to_the_input() -> None:
    music, voice = settled(counting()), settled(counting(), solo=1)
    np.testing.assert_allclose((music + voice)[:, 512:], NOISE[:, :-512], atol=1e-6)


def test_level_lies_between_removed_and_untouched() -> None:
    removed, voice = settled(counting()), settled(counting(), solo=1)
    np.testing.assert_allclose(settled(counting(), vocals=-6.0206), removed + 0.5 * voice, atol=1e-5)


def test_bypass_is_the_input_delayed() -> None:
    np.testing.assert_array_equal(settled(constant(1.0), bypass=1)[:, 512:], NOISE[:, :-512])


def test_the_voice_is_at_hand_for_the_last_block() -> None:
    remover = VocalRemover(constant(1.0))
    remover.prepare(RATE, 2, 4096)
    out = np.zeros((2, 4096), np.float32)
    remover.process(np.ascontiguousarray(NOISE[:, :4096]), out)
    np.testing.assert_allclose(remover.voice[:, 512:4096], NOISE[:, : 4096 - 512], atol=1e-5)
    remover.close()


def test_a_moving_level_does_not_step() -> None:
    level = np.full((2, 4 * RATE // 10), 0.5, np.float32)
    remover = VocalRemover(constant(1.0))
    remover.prepare(RATE, 2, 441)
    out = np.zeros_like(level)
    for n, start in enumerate(range(0, level.shape[1], 441)):
        if n == 15:
            remover.set("vocals", 0.0)
        if n == 30:
            remover.set("vocals", -90.0)
        block = level[:, start : start + 441].copy()
        remover.process(block, block)
        out[:, start : start + 441] = block
    remover.close()
    assert np.abs(np.diff(out[0, 3000:])).max() < 0.5 / (0.03 * RATE) + 1e-4
    assert out[0, 30 * 441 - 1] == 0.5


def test_parameters_shape_the_mask() -> None:
    half = settled(constant(0.4), solo=1)
    np.testing.assert_allclose(settled(constant(0.4), solo=1, theta=0.5), 0, atol=1e-9)
    np.testing.assert_allclose(settled(constant(0.4), solo=1, alpha=0.3)[:, 2048:], half[:, 2048:] / 0.4, atol=1e-5)
    sharper = settled(constant(0.4), solo=1, strength=2.0, bias=0.5)
    wanted = 1 / (1 + np.exp(-(2 * np.log(0.4 / 0.6) + 0.5)))
    np.testing.assert_allclose(sharper[:, 2048:], half[:, 2048:] * wanted / 0.4, atol=1e-5)
    assert np.abs(settled(constant(0.4), solo=1, smoothing=500)[:, :2000]).max() < np.abs(half[:, :2000]).max()


def test_what_the_network_recommends_is_the_default() -> None:
    remover = VocalRemover(constant(0.5, strength=1.5, bias=0.5, alpha=0.4, theta=0.2))
    assert [remover.get(name) for name in ("strength", "bias", "alpha", "theta")] == [1.5, 0.5, 0.4, 0.2]


@pytest.mark.parametrize("sample_rate", [16_000, RATE, 48_000])
def test_a_window_padded_with_zeros_gives_the_voice_back(sample_rate: int) -> None:
    remover = VocalRemover(constant(1.0, geometry=PADDED))
    remover.set("solo", 1)
    noise = (0.1 * np.random.default_rng(5).standard_normal((2, 30_000))).astype(np.float32)
    voice = run(remover, noise, [777], sample_rate)
    error = voice[:, remover.latency :] - noise[:, : -remover.latency]
    assert 10 * np.log10(np.mean(error**2) / np.mean(noise**2)) < -120


def test_levels_agree_at_every_rate() -> None:
    """The network sees a sine at the same level whatever the rate: that of n_fft 2048."""
    peaks = []
    for sample_rate in (16_000, 44_100, 48_000, 96_000):
        seen: list[float] = []

        def look(spectrum: NDArray, mask: NDArray, step: int, seen: list[float] = seen) -> None:
            seen.append(float(np.abs(spectrum).max()))
            mask.fill(0)

        tone = np.sin(2 * np.pi * 1000 * np.arange(sample_rate // 4) / sample_rate).astype(np.float32)
        run(VocalRemover(FakeNetwork(look)), tone[None], [1024], sample_rate)
        peaks.append(max(seen))
    np.testing.assert_allclose(peaks, peaks[1], rtol=0.08)  # where the bins lie differs by half a bin at most


def probe(decisions: bytes, **options: object) -> tuple[NDArray[np.float32], VocalRemover]:
    """220 Hz through a network that takes all of it, with these decisions; the steady state after 0.1 s."""
    tone = np.sin(2 * np.pi * 220 * np.arange(3 * RATE) / RATE).astype(np.float32)
    remover = VocalRemover(constant(0.9), replay=decisions, **options)
    return run(remover, np.stack([tone, tone]))[0, RATE // 10 :], remover


CURVATURE = (2 * np.pi * 220 / RATE) ** 2  # of the probe itself: the most that a plain cross-fade between levels has


@pytest.mark.parametrize(
    "decisions",
    [
        bytes([FED | FRESH] * 60 + [0] * 51 + [FED | FRESH] * 100),  # a stall of 300 ms
        bytes([FED | FRESH] * 60 + [FED] * 10 + [FED | FRESH] * 100),
        bytes([FED | FRESH, 0, 0, 0] * 100),
        bytes([FED] * 400),
        bytes([FED | FRESH] * 30 + [0] * 30) * 7,
    ],
    ids=["stall", "held", "one in four", "never", "on and off"],
)
@pytest.mark.parametrize("fallback", ["mixture", "centre", "average"])
def test_late_masks_do_not_click(decisions: bytes, fallback: str) -> None:
    out, _ = probe(decisions, fallback=fallback)
    assert np.abs(np.diff(out, 2)).max() <= 1.05 * CURVATURE + 1e-5


def test_a_stall_falls_back_to_the_mixture_and_recovers() -> None:
    out, remover = probe(bytes([FED | FRESH] * 60 + [0] * 51 + [FED | FRESH] * 100))
    counters = remover.counters
    assert counters["late"] == counters["skipped"] == 51
    assert counters["held"] == 18
    assert counters["fallback"] > 33
    level = np.abs(out[: len(out) // 441 * 441]).reshape(-1, 441).max(axis=1)
    assert level.max() == pytest.approx(1.0, abs=0.01)  # the mixture
    assert level[-20:].max() == pytest.approx(0.1, abs=0.01)  # removed again
    changes = np.count_nonzero(np.diff((level > 0.5).astype(int)))
    assert changes == 2  # into the fallback once, out of it once


def test_a_network_at_its_limit_does_not_pump() -> None:
    """Half a second good, half a second bad, for ten seconds: each return takes longer than the last."""
    tone = np.full((1, 10 * RATE), 0.5, np.float32)
    decisions = bytes(([FED | FRESH] * 86 + [0] * 86) * 10)
    out = run(VocalRemover(constant(0.9), replay=decisions), tone)[0]
    removed = out[: len(out) // 4410 * 4410].reshape(-1, 4410).mean(axis=1) < 0.25
    assert np.count_nonzero(np.diff(removed.astype(int))) <= 5


def test_decisions_of_a_threaded_run_replay_to_the_same_bits() -> None:
    gate = Gate()

    def answer(spectrum: NDArray, mask: NDArray, step: int) -> None:
        gate(spectrum, mask, step)
        counting_answer(spectrum, mask, step)

    counting_answer = counting()._answer
    live = VocalRemover(FakeNetwork(answer), threaded=True)
    live.prepare(RATE, 2, 256)
    out = np.zeros_like(NOISE)
    n_hops = NOISE.shape[1] // 256
    n_opened = 0
    for n in range(n_hops):
        late = n % 5 in (1, 2)
        live.deadline_ns = 0 if late else NO_DEADLINE
        if not late:  # let through what the network was fed so far
            n_fed = n - live.n_skipped - (n > 0 and not live._was_fed)
            gate.open(n_fed - n_opened)
            n_opened = n_fed
            answered = threading.Event()  # an overloaded machine would find the network busy, and skip hop after hop
            live._runner._queue.put(answered)
            assert answered.wait(30)
        block = np.ascontiguousarray(NOISE[:, 256 * n : 256 * n + 256])
        live.process(block, block)
        out[:, 256 * n : 256 * n + 256] = block
    gate.open(1000)
    decisions = live.decisions.drain()
    live.close()
    assert len(decisions) == n_hops - 1
    assert 0 < live.n_late < n_hops - 1
    again = run(VocalRemover(counting(), replay=decisions), NOISE[:, : 256 * n_hops], [256])
    np.testing.assert_array_equal(again, out[:, : 256 * n_hops])


def test_average_fallback_keeps_the_level_of_removal() -> None:
    _, mixture = probe(bytes([FED | FRESH] * 300 + [0] * 300))
    out, _ = probe(bytes([FED | FRESH] * 300 + [0] * 300), fallback="average")
    level = np.abs(out[-2 * 4410 :]).max()
    assert level == pytest.approx(0.1, abs=0.01)
    assert mixture.counters["fallback"] > 0


def test_centre_fallback_uses_the_classical_mask() -> None:
    tone = np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE).astype(np.float32)
    audio = np.stack([tone, tone])
    out = run(VocalRemover(constant(0.0), replay=bytes(400), fallback="centre"), audio)
    centre = run(VocalRemover(CentreNetwork()), audio)
    np.testing.assert_allclose(out[:, -8000:], centre[:, -8000:], atol=1e-5)


@pytest.mark.parametrize(
    ("options", "words"),
    [({"fallback": "silence"}, "there are mixture, centre, average"), ({"threaded": True, "replay": b""}, "threaded")],
)
def test_impossible_options_are_refused(options: dict[str, object], words: str) -> None:
    with pytest.raises(PluginError, match=words):
        VocalRemover(constant(0.5), **options)


def test_more_than_two_channels_are_refused() -> None:
    with pytest.raises(PluginError, match="1 or 2 channels, not 6"):
        VocalRemover(constant(0.5)).prepare(RATE, 6, 256)


def test_preparing_anew_closes_the_model_before() -> None:
    network = constant(0.5)
    remover = VocalRemover(network)
    remover.prepare(RATE, 2, 256)
    first = network.model
    remover.prepare(48_000, 2, 256)
    assert first is not None
    assert first.closed
    assert remover.geometry.hop == 279
    remover.close()


def test_reset_is_a_new_start() -> None:
    remover = VocalRemover(counting())
    remover.prepare(RATE, 2, 9000)
    first, second = np.empty_like(NOISE), np.empty_like(NOISE)
    remover.process(NOISE, first)
    remover.reset()
    remover.process(NOISE, second)
    remover.close()
    np.testing.assert_array_equal(first, second)
    assert remover.counters["hops"] == NOISE.shape[1] // 256
