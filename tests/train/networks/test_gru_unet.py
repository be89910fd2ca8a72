"""The network: what it may see, what it remembers, and that one forward serves sequences and single frames."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from rtkaraoke.errors import ConfigError
from rtkaraoke.geometry import StftGeometry
from rtkaraoke.train.networks.gru_unet import Bands, GruUnet, GruUnetConfig, frames_ahead, interleave, running_means
from rtkaraoke.train.stft import TorchStft
from rtkaraoke.train.validate import voice_of

TINY = GruUnetConfig(channels=(4, 4, 6, 6, 8), back=(1, 2, 0, 3, 1), hidden=12)
GEOMETRIES = [StftGeometry(44_100, 2048, 256), StftGeometry(44_100, 4096, 1024, 3), StftGeometry(44_100, 1024, 128, 1)]
N_FRAMES = 9


def network_of(geometry, config=TINY):
    torch.manual_seed(0)
    return GruUnet(config, geometry).eval()


def spectra(geometry, seed=1):
    return 20 * torch.randn(2, 2, N_FRAMES, geometry.n_bins, 2, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("pace", [1, 2, N_FRAMES + 3])
@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_frame_by_frame_is_the_whole_sequence(geometry, pace):
    network, spectrum = network_of(geometry, replace(TINY, pace=pace)), spectra(geometry)
    with torch.no_grad():
        whole, last = network(spectrum)
        states, frames = network.initial_states(2), []
        for t in range(N_FRAMES):
            logits, states = network(spectrum[:, :, t : t + 1], states)
            frames.append(logits)
    torch.testing.assert_close(torch.cat(frames, dim=2), whole, atol=1e-5, rtol=0)
    assert states.keys() == last.keys() == network.initial_states(2).keys()
    for name, state in states.items():
        torch.testing.assert_close(state, last[name], atol=1e-5, rtol=0)


@pytest.mark.parametrize("pace", [2, 4])
def test_a_gru_that_goes_on_from_further_back_is_one_for_each_phase(pace):
    geometry = GEOMETRIES[0]
    network, spectrum = network_of(geometry, replace(TINY, pace=pace)), torch.randn(2, N_FRAMES, TINY.hidden)
    before = torch.randn(2, pace, TINY.hidden)
    with torch.no_grad():
        out = network.recur(spectrum, before)
        for phase in range(pace):
            alone, _ = network.gru(spectrum[:, phase::pace], before[:, phase][None])
            torch.testing.assert_close(out[:, phase::pace], alone)


def test_what_training_drops_at_random_playing_keeps():
    geometry, spectrum = GEOMETRIES[0], spectra(GEOMETRIES[0])
    network = network_of(geometry, replace(TINY, dropout=0.5))
    plain = network_of(geometry)
    plain.load_state_dict(network.state_dict())
    with torch.no_grad():
        assert torch.equal(network(spectrum)[0], plain(spectrum)[0])
        network.train()
        assert not torch.equal(network(spectrum)[0], network(spectrum)[0])


@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_no_mask_depends_on_later_frames(geometry):
    network, spectrum = network_of(geometry), spectra(geometry)
    other = torch.cat([spectrum[:, :, :5], spectra(geometry, seed=2)[:, :, 5:]], dim=2)
    with torch.no_grad():
        before, after = network(spectrum)[0], network(other)[0]
    assert torch.equal(before[:, :, :5], after[:, :, :5])
    assert not torch.equal(before[:, :, 5], after[:, :, 5])


def test_a_look_ahead_masks_the_frame_that_lies_back():
    geometry = StftGeometry(44_100, 2048, 256, 3)
    network = network_of(geometry, GruUnetConfig(channels=(4, 4, 6, 6, 8), back=(0,) * 5, hidden=12, memory_s=()))
    spectrum = spectra(geometry)
    with torch.no_grad():
        states: dict[str, torch.Tensor] = {}
        x = network.features(spectrum, network.initial_states(2), states)
        views = network.log_power(spectrum)
    torch.testing.assert_close(x[:, :4, 3:], views[:, :, :-3])
    torch.testing.assert_close(states["ahead"], views[:, :, -3:])
    assert frames_ahead(3) == network.ahead == [1, 2, 3]
    for i in network.ahead:
        torch.testing.assert_close(x[:, 2 + 2 * i : 4 + 2 * i, 3:], views[:, 2:, i : i + N_FRAMES - 3])


@pytest.mark.parametrize(
    ("look_ahead", "frames"), [(0, []), (1, [1]), (2, [1, 2]), (6, [1, 2, 4, 6]), (8, [1, 2, 4, 8])]
)
def test_frames_ahead_reach_the_last(look_ahead, frames):
    assert frames_ahead(look_ahead) == frames


@pytest.mark.parametrize("n_frames", [1, 63, 64, 65, 200])
def test_running_means_are_the_recursion(n_frames):
    times = torch.tensor([2.0, 7.0, 90.0])
    x, before = torch.randn(2, 2, n_frames, 5), torch.randn(2, 6, 1, 5)
    keep, wanted, frame = torch.exp(-1.0 / times).repeat_interleave(2).view(-1, 1, 1), [], before
    for t in range(n_frames):
        frame = keep * frame + (1 - keep) * x[:, :, t : t + 1].repeat(1, 3, 1, 1)
        wanted.append(frame)
    torch.testing.assert_close(running_means(x, before, times), torch.cat(wanted, dim=2), atol=1e-5, rtol=1e-4)


def test_interleave_places_neighbours_beside_each_other():
    low, high = torch.zeros(1, 3, 2, 4), torch.ones(1, 3, 2, 4)
    out = interleave(torch.cat([low, high], dim=1), 2)
    assert torch.equal(out, torch.tensor([0.0, 1.0] * 4).expand(1, 3, 2, 8))


def test_bands_are_the_same_in_hz_at_every_transform():
    live, longer = Bands.of(StftGeometry(44_100, 2048, 256)), Bands.of(StftGeometry(44_100, 4096, 1024))
    assert live.sizes == (640, 160, 80, 40, 20, 10)
    assert longer.sizes == (1152, 144, 72, 36, 18, 9)
    assert longer.fine / 4096 == live.fine / 2048
    curve = longer.typical_log_power()[: longer.fine : 2]
    torch.testing.assert_close(curve, live.typical_log_power()[: live.fine])


def test_a_transform_that_does_not_fit_is_refused():
    with pytest.raises(ConfigError, match=r"n_fft 1536.*multiple of 1024"):
        GruUnet(TINY, StftGeometry(44_100, 1536, 256))


def test_states_stay_bounded_and_silence_calms_them():
    geometry = GEOMETRIES[0]
    network = network_of(geometry)
    states = network.initial_states(1)
    with torch.no_grad():
        for level in (1e5, 0.0, 1e-6, 1e5):
            for _ in range(50):
                logits, states = network(level * spectra(geometry)[:1, :, :1], states)
                assert torch.isfinite(logits).all()
    assert states["gru"].abs().max() <= 1.0
    assert max(state.abs().max() for state in states.values()) < 50.0


def test_music_that_comes_again_and_again_is_masked_as_the_second_time():
    """The network remembers for about a second: a loop of two leaves it where it was."""
    geometry = GEOMETRIES[0]
    network = network_of(geometry, GruUnetConfig(TINY.channels, TINY.back, TINY.hidden, memory_s=(0.05, 0.3)))
    loop = 20 * torch.randn(1, 2, 344, geometry.n_bins, 2, generator=torch.Generator().manual_seed(3))
    states, passes, after = None, [], []
    with torch.no_grad():
        for _ in range(10):
            logits, states = network(loop, states)
            passes.append(logits)
            after.append(states)
    torch.testing.assert_close(passes[9], passes[1], rtol=0, atol=0.01)
    for name in after[9]:
        torch.testing.assert_close(after[9][name], after[1][name], rtol=0, atol=0.01)


def test_silence_comes_out_as_silence():
    geometry = GEOMETRIES[0]
    assert not voice_of(network_of(geometry), TorchStft(geometry), np.zeros((2, 40 * 256), np.float32)).any()
