"""The first paper's network is the published one, at any size."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from rtkaraoke.errors import ConfigError  # noqa: E402
from rtkaraoke.train.networks.deep_karaoke import (  # noqa: E402
    PUBLISHED_PARAMETERS,
    DeepKaraoke,
    DeepKaraokeConfig,
    squared_error,
)

SMALL = DeepKaraokeConfig(n_bins=5, n_frames=4, hidden=7)


def test_published_size_has_the_published_number_of_parameters() -> None:
    with torch.device("meta"):
        network = DeepKaraoke()
    assert sum(value.numel() for value in network.parameters()) == PUBLISHED_PARAMETERS == 840_541_000
    assert network.inner.weight.shape == network.outer.weight.shape == (20_500, 20_500)


def test_hidden_units_default_to_the_values_of_a_patch() -> None:
    assert DeepKaraoke(DeepKaraokeConfig(5, 4)).inner.out_features == 20
    assert DeepKaraoke(SMALL).inner.out_features == 7


@torch.no_grad()
def test_forward_is_the_formula() -> None:
    network = DeepKaraoke(SMALL)
    torch.nn.init.normal_(network.outer.bias)
    patches = torch.rand(3, 4, 5)

    def sigmoid(z: np.ndarray) -> np.ndarray:
        return 1 / (1 + np.exp(-z))

    w1, b1, w2, b2 = (value.numpy() for value in network.parameters())
    hidden = sigmoid(patches.numpy().reshape(3, 20) @ w1.T + b1 - 6)
    wanted = (hidden @ w2.T + b2).reshape(3, 4, 5)
    np.testing.assert_allclose(network(patches).numpy(), wanted, atol=1e-5)
    np.testing.assert_allclose(network(patches, 3).numpy(), wanted[:, 3:], atol=1e-5)


def test_initial_weights_fill_the_published_interval() -> None:
    torch.manual_seed(0)
    network = DeepKaraoke(DeepKaraokeConfig(20, 20)).requires_grad_(False)
    bound = 4 * np.sqrt(6 / 800)
    assert float(network.inner.weight.abs().max()) == pytest.approx(bound, rel=1e-3)
    assert not network.inner.bias.any()
    published = 4 * np.sqrt(6 / 41_000)
    assert published == pytest.approx(0.0484, abs=5e-5)


def test_loss_is_half_the_squared_error_of_a_patch() -> None:
    logits, target = torch.randn(3, 4, 5), torch.randint(0, 2, (3, 4, 5)).float()
    errors = 1 / (1 + np.exp(-logits.numpy())) - target.numpy()
    wanted = np.mean([0.5 * np.sum(error**2) for error in errors])
    assert float(squared_error(logits, target)) == pytest.approx(wanted, rel=1e-5)


def test_impossible_sizes_are_refused() -> None:
    with pytest.raises(ConfigError, match="0 bins"):
        DeepKaraokeConfig(n_bins=0)
