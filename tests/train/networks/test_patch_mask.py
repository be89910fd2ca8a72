"""Live masks of networks over patches: rows, votes and look-ahead are those of whole patches."""

import pytest

torch = pytest.importorskip("torch")

from rtkaraoke.errors import ConfigError  # noqa: E402
from rtkaraoke.train.networks.deep_karaoke import DeepKaraoke, DeepKaraokeConfig  # noqa: E402
from rtkaraoke.train.networks.ibm_cnn import IbmCnn, IbmCnnConfig, StreamingIbmCnn  # noqa: E402
from rtkaraoke.train.networks.patch_mask import CachedMask, PatchMask, live_mask  # noqa: E402

N_FRAMES, N_BINS = 5, 14
CNN = IbmCnnConfig(n_bins=N_BINS, n_frames=N_FRAMES, channels=(3, 2, 4, 3), dense=(8, 6))


def networks() -> "list[DeepKaraoke | IbmCnn]":
    torch.manual_seed(0)
    deep = DeepKaraoke(DeepKaraokeConfig(N_BINS, N_FRAMES, hidden=20))
    torch.nn.init.constant_(deep.inner.bias, 6.0)  # hidden units in their lively range
    return [deep, IbmCnn(CNN).eval(), StreamingIbmCnn(CNN).eval()]


SPECTRUM = torch.randn(2, 1, 13, N_BINS, 2, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("number", range(3))
@pytest.mark.parametrize("look_ahead", [0, 1, 4])
@torch.no_grad()
def test_step_by_step_equals_the_whole_sequence(number: int, look_ahead: int) -> None:
    mask = live_mask(networks()[number], look_ahead, 0.3)
    wanted, _ = mask(SPECTRUM)
    assert wanted.shape == (2, 1, 13, N_BINS)
    states = mask.initial_states(2)
    for t in range(13):
        found, states = mask(SPECTRUM[:, :, t : t + 1], states)
        torch.testing.assert_close(found[:, :, 0], wanted[:, :, t], rtol=0, atol=1e-6)


@pytest.mark.parametrize("look_ahead", [0, 2, 4])
@torch.no_grad()
def test_votes_are_the_mean_over_the_patches_seen_by_then(look_ahead: int) -> None:
    deep = networks()[0]
    mask, _ = PatchMask(deep, look_ahead, 0.3, votes=True)(SPECTRUM)
    level = 0.3 * torch.view_as_complex(SPECTRUM).abs()[:, 0]
    padded = torch.cat([torch.zeros(2, N_FRAMES - 1, N_BINS), level], dim=1)
    patches = [torch.sigmoid(deep(padded[:, t : t + N_FRAMES])) for t in range(13)]
    for t in range(13 - look_ahead):
        votes = [patches[t + j][:, N_FRAMES - 1 - j] for j in range(look_ahead + 1)]
        torch.testing.assert_close(mask[:, 0, t + look_ahead], torch.stack(votes).mean(0), rtol=0, atol=1e-6)


@torch.no_grad()
def test_row_of_the_look_ahead_is_read() -> None:
    cnn = networks()[1]
    mask, _ = live_mask(cnn, 2, 1.0)(SPECTRUM)
    level = torch.view_as_complex(SPECTRUM).abs()[:, 0]
    patch = torch.sigmoid(cnn(level[:, 4 : 4 + N_FRAMES]))
    torch.testing.assert_close(mask[:, 0, 8], patch[:, N_FRAMES - 3], rtol=0, atol=1e-6)


def test_each_network_has_its_live_form() -> None:
    deep, cnn, cached = (live_mask(network, 2) for network in networks())
    assert isinstance(deep, PatchMask)
    assert deep.votes
    assert isinstance(cnn, PatchMask)
    assert not cnn.votes
    assert isinstance(cached, CachedMask)


@pytest.mark.parametrize("look_ahead", [-1, N_FRAMES])
def test_a_look_ahead_beyond_the_patch_is_refused(look_ahead: int) -> None:
    with pytest.raises(ConfigError, match="has room for 0 to 4"):
        live_mask(networks()[0], look_ahead)
