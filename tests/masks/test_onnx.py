"""ONNX networks step by step: the right masks, nothing allocated, nothing raised."""

import threading
import tracemalloc
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from numpy.typing import NDArray

from rtkaraoke.errors import GeometryError, ProviderError
from rtkaraoke.geometry import StftGeometry
from rtkaraoke.masks.onnx import Network, OnnxMask, load_model, shipped_models
from tests.support.cards import BreakableSession, FakeCard
from tests.support.networks import constant_mask, stateful_mask, stateful_oracle

SIZES = {"n_fft": 64, "hop": 16}
BINS = 33


def noise(n_frames: int, n_channels: int = 2, n_bins: int = BINS, seed: int = 0) -> NDArray[np.complex64]:
    """Spectra ``(frame, channel, bin)`` around the threshold of the stateful network."""
    rng = np.random.default_rng(seed)
    parts = rng.standard_normal((n_frames, n_channels, n_bins, 2)).astype(np.float32) * np.float32(10)
    return parts.view(np.complex64)[..., 0]


def run(model: OnnxMask, spectra: NDArray[np.complex64], n_channels: int | None = None) -> NDArray[np.float32]:
    """Masks of all ``spectra``, in buffers that start out as NaN: what a step leaves unwritten shows."""
    masks = np.full((len(spectra), n_channels or spectra.shape[1], spectra.shape[2]), np.nan, np.float32)
    for spectrum, mask in zip(spectra, masks, strict=True):
        model.step(spectrum, mask)
    return masks


def close_to(spectra: NDArray[np.complex64]) -> NDArray[np.float32]:
    return pytest.approx(stateful_oracle(spectra), abs=1e-6)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return stateful_mask(tmp_path_factory.mktemp("networks") / "stateful.onnx", **SIZES)


@pytest.fixture
def network(path: Path) -> Network:
    return load_model(path, "cpu")


def card_network(path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[FakeCard, Network]:
    card = FakeCard().install(monkeypatch)
    return card, load_model(path, "cuda")


# -- masks


@given(resets=st.lists(st.integers(0, 7), max_size=5), seed=st.integers(0, 9))
@settings(max_examples=20)
def test_masks_are_those_of_the_oracle_from_each_reset_on(
    tmp_path_factory: pytest.TempPathFactory, resets: list[int], seed: int
) -> None:
    """Odd and even numbers of steps before a reset: either set of buffers may be the one in use."""
    file = tmp_path_factory.getbasetemp() / "ping-pong.onnx"
    if not file.exists():
        stateful_mask(file, **SIZES)
    model = load_model(file, "cpu").open(44_100)
    for n_frames in [*resets, 5]:
        spectra = noise(n_frames, seed=seed)
        assert run(model, spectra) == close_to(spectra)
        model.reset()


def test_the_mask_is_bit_identical_in_every_stream_and_thread(network: Network) -> None:
    """Streams share a session, but no memory: four threads at once, each with its own song, as if alone."""
    songs = [noise(200, seed=seed) for seed in range(4)]
    alone = [run(network.open(44_100), song) for song in songs]
    together: list[NDArray[np.float32]] = [np.empty(0, np.float32)] * len(songs)

    def play(index: int) -> None:
        together[index] = run(network.open(44_100), songs[index])

    threads = [threading.Thread(target=play, args=(index,)) for index in range(len(songs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for mask, expected in zip(together, alone, strict=True):
        assert mask.tobytes() == expected.tobytes()


@pytest.mark.parametrize("sample_rate", [16_000, 32_000, 44_100, 48_000, 96_000])
def test_bins_that_the_network_lacks_get_its_last_mask_value(network: Network, sample_rate: int) -> None:
    model = network.open(sample_rate)
    assert model.geometry == network.info.geometry.at_rate(sample_rate)
    n_bins = model.geometry.n_bins
    spectra = noise(6, n_bins=n_bins)
    fitted = np.zeros((6, 2, BINS), np.complex64)
    common = min(n_bins, BINS)
    fitted[..., :common] = spectra[..., :common]
    expected = stateful_oracle(fitted)
    masks = run(model, spectra)
    assert masks[..., :common] == pytest.approx(expected[..., :common], abs=1e-6)
    assert np.all(masks[..., common:] == masks[..., common - 1 : common])


def test_a_stereo_network_masks_one_channel_as_two_equal_ones(network: Network) -> None:
    mono = noise(5, n_channels=1)
    assert run(network.open(44_100), mono) == close_to(mono)


def test_a_mono_network_masks_two_channels_by_their_mean(tmp_path: Path) -> None:
    model = load_model(stateful_mask(tmp_path / "mono.onnx", n_channels=1, **SIZES), "cpu").open(44_100)
    stereo = noise(5)
    masks = run(model, stereo)
    assert masks[:, :1] == close_to(stereo.mean(axis=1, keepdims=True))
    assert np.array_equal(masks[:, 0], masks[:, 1])


def test_two_masks_become_one_by_their_mean(tmp_path: Path) -> None:
    """Where one channel is asked of a stereo network: equal channels give equal masks, so their mean is that mask."""
    model = load_model(constant_mask(tmp_path / "constant.onnx", 0.25, **SIZES), "cpu").open(44_100)
    assert np.all(run(model, noise(1, n_channels=1)) == 0.25)


def test_a_network_without_state_works(tmp_path: Path) -> None:
    model = load_model(constant_mask(tmp_path / "constant.onnx", 0.75, **SIZES), "cpu").open(44_100)
    model.reset()
    assert np.all(run(model, noise(3)) == 0.75)


def test_strided_views_are_read_and_written_right(network: Network) -> None:
    spectra = noise(4, n_bins=2 * BINS)[..., ::2]
    wide = np.full((2, 2 * BINS), np.nan, np.float32)
    model = network.open(44_100)
    for spectrum in spectra:
        model.step(spectrum, wide[:, ::2])
    assert wide[:, ::2] == pytest.approx(stateful_oracle(spectra)[-1], abs=1e-6)
    assert np.isnan(wide[:, 1::2]).all()


# -- cost


@pytest.mark.parametrize("sample_rate", [44_100, 48_000])
@pytest.mark.parametrize("n_channels", [1, 2])
def test_a_step_allocates_no_array(tmp_path: Path, sample_rate: int, n_channels: int) -> None:
    """The peak of all traced memory, NumPy's included, stays below one mask."""
    model = load_model(stateful_mask(tmp_path / "full.onnx"), "cpu").open(sample_rate)
    spectrum = noise(1, n_channels, model.geometry.n_bins)[0]
    mask = np.zeros(spectrum.shape, np.float32)
    model.step(spectrum, mask)
    tracemalloc.start()
    try:
        for n_steps in (50, 1_000):
            tracemalloc.reset_peak()
            before, _ = tracemalloc.get_traced_memory()
            for _ in range(n_steps):
                model.step(spectrum, mask)
            after, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak - before < mask.nbytes
    assert after - before < 512


# -- nothing reaches the caller


@pytest.mark.parametrize("poison", [np.nan, np.inf, -np.inf])
def test_after_nonfinite_numbers_the_mask_holds_and_the_memory_is_new(network: Network, poison: float) -> None:
    model = network.open(44_100)
    before, after = noise(3), noise(4, seed=1)
    expected = run(model, before)[-1]
    poisoned = noise(1)
    poisoned[0, 1, 5] = poison
    for count in (1, 2):
        assert np.array_equal(run(model, poisoned)[0], expected)
        assert model.batch.n_nonfinite == count
    assert run(model, after) == close_to(after)
    assert sum("NaN" in note for note in network.notes) == 1


def test_nonfinite_numbers_in_the_first_step_leave_the_mixture_alone(network: Network) -> None:
    poisoned = np.full((1, 2, BINS), np.nan, np.complex64)
    model = network.open(44_100)
    assert np.all(run(model, poisoned) == 0.0)
    assert np.any(run(model, noise(1)) > 0.0)
    model.reset()
    assert np.all(run(model, poisoned) == 0.0)


def test_a_mask_out_of_range_is_clipped(tmp_path: Path) -> None:
    """A network may pass the trial and leave the range on other music."""
    path = stateful_mask(tmp_path / "steep.onnx", threshold=-1e9, **SIZES)  # 0 to -1e-4 in the trial's noise
    with pytest.raises(Exception, match="wanted 0 to 1"):
        load_model(path, "cpu")
    path = stateful_mask(tmp_path / "steep.onnx", threshold=-1e12, **SIZES)  # within rounding there
    masks = run(load_model(path, "cpu").open(44_100), noise(2) * np.float32(1e5))
    assert np.all(masks >= 0.0)
    assert np.all(masks <= 1.0)


def test_a_card_gives_the_same_masks_through_staged_copies(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    card, network = card_network(path, monkeypatch)
    model = network.open(44_100)
    card.cudart.kinds.clear()
    spectra = noise(7)
    for _ in range(2):
        assert run(model, spectra) == close_to(spectra)
        model.reset()
    assert card.cudart.kinds == [1, 2] * 14  # in, out, every step; the states stay where they are
    assert len(card.cudart.pinned) == 2
    model.close()
    model.close()
    assert not card.cudart.pinned


def test_every_stream_on_a_card_has_a_session_of_its_own(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    card, network = card_network(path, monkeypatch)
    first, second = network.open(44_100), network.open(48_000)
    assert len(card.sessions) == 2  # the first stream took the one that was measured
    spectra = noise(5)
    assert run(first, spectra) == close_to(spectra)
    second.close()
    first.close()


@pytest.mark.parametrize("part", ["session", "copies"])
def test_a_card_that_fails_in_mid_song_is_replaced_within_the_hop(
    path: Path, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    card, network = card_network(path, monkeypatch)
    model = network.open(44_100)
    before, after = noise(5), noise(6, seed=1)
    assert run(model, before) == close_to(before)
    assert network.notes == []
    if part == "session":
        card.sessions[0].broken = True
    else:
        card.cudart.broken = True
    assert run(model, after) == close_to(after)  # the CPU goes on, its memory empty
    assert model.batch.n_failed == 1
    (note,) = network.notes
    assert "failed" in note
    assert "719" in note
    assert "\n" not in note
    card.sessions[0].broken = card.cudart.broken = False
    model.reset()  # a card that failed stays out
    assert run(model, before) == close_to(before)
    assert model.batch.n_failed == 1
    model.close()


def test_a_card_that_fails_in_a_reset_is_replaced(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    card, network = card_network(path, monkeypatch)
    model = network.open(44_100)
    run(model, noise(3))

    def fail(stream: int) -> None:
        raise RuntimeError("the card is gone")

    monkeypatch.setattr(model.batch._bound[0], "forget", fail)
    model.reset()
    spectra = noise(4)
    assert run(model, spectra) == close_to(spectra)
    assert model.batch.n_failed == 1
    assert "the card is gone" in network.notes[0]
    assert not card.sessions[0].broken


def test_the_cpu_failing_too_holds_the_mask_and_starts_anew(path: Path) -> None:
    network = load_model(path, "cpu")
    session = BreakableSession(network._cpu.session)
    object.__setattr__(network._cpu, "session", session)
    model = network.open(44_100)
    expected = run(model, noise(3))[-1]
    session.broken = True
    for mask in run(model, noise(30, seed=1)):
        assert np.array_equal(mask, expected)
    assert model.batch.n_failed == 30
    assert len(network.notes) == 1
    session.broken = False
    spectra = noise(4)
    assert run(model, spectra) == close_to(spectra)


def test_the_list_of_notes_stays_short(path: Path) -> None:
    model = load_model(path, "cpu").open(44_100)
    for number in range(1_000):
        model.batch._note(f"failure {number}")
    assert len(model.batch.notes) == 20


# -- loading


def test_no_output_on_loading_and_stepping(path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    model = load_model(path, "auto").open(44_100)
    run(model, noise(3))
    assert capfd.readouterr() == ("", "")


def test_the_network_says_what_its_metadata_say(tmp_path: Path) -> None:
    info = {"look_ahead": 2, "sample_rate": 48_000, "scores": {"accompaniment SDR": 8.5}, "licence": "CC-BY-4.0"}
    network = load_model(str(constant_mask(tmp_path / "some.onnx", name="some", **SIZES, **info)), "cpu")
    assert network.info.name == "some"
    assert network.info.scores == {"accompaniment SDR": 8.5}
    assert network.info.licence == "CC-BY-4.0"
    assert network.provider == "cpu"
    assert network.notes == []
    assert network.open(48_000).geometry.latency == 4 * 16
    assert network.open(96_000).geometry.hop == 32


def test_padded_transform_lowest_bins_alpha_and_theta_are_read_from_the_file(tmp_path: Path) -> None:
    own = {"sample_rate": 44_100, "n_fft": 8192, "hop": 512, "window": 2048, "n_bins": 2049, "n_channels": 1}
    path = constant_mask(tmp_path / "cnn.onnx", 0.25, **own, alpha=0.5, theta=0.15)
    info = load_model(path, "cpu").info
    assert info.geometry == StftGeometry(44_100, 8192, 512, window=2048)
    assert (info.n_bins, info.geometry.n_bins, info.alpha, info.theta) == (2049, 4097, 0.5, 0.15)
    model = load_model(path, "cpu").open(44_100)
    mask = np.zeros((2, 4097), np.float32)
    model.step(np.ones_like(mask, np.complex64), mask)
    np.testing.assert_array_equal(mask, 0.25)
    model.close()
    usual = load_model(constant_mask(tmp_path / "usual.onnx"), "cpu").info
    assert not {"rtkaraoke.window", "rtkaraoke.n_bins", "rtkaraoke.alpha"} & set(usual.to_metadata())


@pytest.mark.parametrize(("shipped", "way_out"), [("free", "'free'"), ("live", "train one")])
def test_non_commercial_training_data_is_said_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shipped: str, way_out: str
) -> None:
    path = constant_mask(tmp_path / "nc.onnx", name="nc", non_commercial=True, training_data="songs", **SIZES)
    monkeypatch.setattr("rtkaraoke.masks.onnx.shipped_models", lambda: {shipped: path})
    (note,) = load_model(path, "cpu").notes
    assert "non-commercial" in note
    assert "songs" in note
    assert way_out in note


def test_shipped_networks_load_by_name() -> None:
    for name, path in shipped_models().items():
        assert path.is_file()
        network = load_model(name, "cpu")
        model = network.open(48_000)
        mask = np.full((2, model.geometry.n_bins), np.nan, np.float32)
        model.step(noise(1, n_bins=model.geometry.n_bins)[0], mask)
        assert np.all((mask >= 0.0) & (mask <= 1.0))
        assert (network.info.name == "free") <= (not network.info.non_commercial)


def test_a_rate_that_cannot_work_is_a_geometry_error(network: Network) -> None:
    with pytest.raises(GeometryError, match="1000 Hz"):
        network.open(1_000)


def test_open_streams_outlive_their_network(network: Network) -> None:
    model = network.open(44_100)
    network.close()
    network.close()
    spectra = noise(3)
    assert run(model, spectra) == close_to(spectra)
    with pytest.raises(ValueError, match="closed"):
        network.open(44_100)
    model.close()
    model.close()


@pytest.mark.parametrize("provider", ["tpu", "CUDA", "", "tensorrt"])
def test_an_unknown_provider_is_refused_before_the_file_is_read(provider: str) -> None:
    with pytest.raises(ProviderError, match="choose one of auto, cpu, cuda"):
        load_model("no such file", provider)
