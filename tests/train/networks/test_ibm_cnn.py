"""The second paper's network is the published one layer by layer, and its streaming form is its batch form."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from rtkaraoke.errors import ConfigError  # noqa: E402
from rtkaraoke.train.networks import ibm_cnn  # noqa: E402
from rtkaraoke.train.networks.ibm_cnn import (  # noqa: E402
    PUBLISHED_PARAMETERS,
    IbmCnn,
    IbmCnnConfig,
    StreamingIbmCnn,
    same_padding,
)

SMALL = IbmCnnConfig(n_bins=30, n_frames=5, channels=(3, 2, 4, 3), dense=(8, 6))


def test_published_size_has_the_published_number_of_parameters() -> None:
    with torch.device("meta"):
        network = IbmCnn()
    layers = [*network.convolutions, *network.dense]
    counts = [sum(value.numel() for value in layer.parameters()) for layer in layers]
    assert counts == [1_184, 18_448, 36_928, 73_760, 8_849_408, 1_049_088, 9_460_233]
    assert sum(counts) == PUBLISHED_PARAMETERS == 19_489_049
    assert sum(value.numel() for value in StreamingIbmCnn(SMALL).parameters()) == sum(
        value.numel() for value in IbmCnn(SMALL).parameters()
    )


def test_published_shapes_layer_by_layer(monkeypatch: pytest.MonkeyPatch) -> None:
    shapes: list[tuple[int, ...]] = []
    pool = ibm_cnn.pool

    def noting(x: "torch.Tensor", n_bins: int) -> "torch.Tensor":
        pooled = pool(x, n_bins)
        shapes.append(tuple(pooled.shape[1:]))
        return pooled

    monkeypatch.setattr(ibm_cnn, "pool", noting)
    with torch.device("meta"):
        network = IbmCnn()
        for layer in [*network.convolutions, *network.dense]:
            layer.register_forward_hook(lambda _, __, out: shapes.append(tuple(out.shape[1:])))
        logits = network(torch.zeros(1, 9, 2049))
    assert shapes == [
        (32, 9, 2049),
        (16, 9, 2049),
        (16, 9, 171),
        (64, 9, 171),
        (32, 9, 171),
        (32, 9, 15),
        (2048,),
        (512,),
    ]
    assert logits.shape == (1, 9, 2049)
    assert IbmCnnConfig().pooled_bins == 15


def test_padding_is_the_published_one() -> None:
    assert same_padding(2049, 12, 1) == (5, 6)
    assert same_padding(2049, 12, 12) == (1, 2)
    assert same_padding(171, 12, 12) == (4, 5)


@given(st.integers(1, 60), st.integers(1, 14), st.integers(1, 14))
def test_padding_gives_as_many_outputs_as_strides_begin(n_in: int, kernel: int, stride: int) -> None:
    below, above = same_padding(n_in, kernel, stride)
    assert 0 <= above - below <= 1
    n_out = -(-n_in // stride)
    assert (n_in + below + above - kernel) // stride + 1 >= n_out
    if kernel >= stride:
        assert (n_in + below + above - kernel) // stride + 1 == n_out


def naive_convolution(x: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """``(channel, frame, bin)``, output by output, what lies outside being zero: 1 frame, 5 bins below, 6 above."""
    n_frames, n_bins = x.shape[1:]
    out = np.zeros((len(weight), n_frames, n_bins))
    for t in range(n_frames):
        for k in range(n_bins):
            out[:, t, k] = bias
            for i in range(3):
                for j in range(12):
                    if 0 <= t + i - 1 < n_frames and 0 <= k + j - 5 < n_bins:
                        out[:, t, k] += weight[:, :, i, j] @ x[:, t + i - 1, k + j - 5]
    return np.maximum(out, 0)


def naive_pool(x: np.ndarray) -> np.ndarray:
    n_bins = x.shape[2]
    n_out = -(-n_bins // 12)
    below = (12 * n_out - n_bins) // 2
    edges = [(max(0, 12 * k - below), min(n_bins, 12 * k - below + 12)) for k in range(n_out)]
    return np.stack([x[:, :, start:end].max(axis=2) for start, end in edges], axis=2)


@torch.no_grad()
def test_forward_is_the_naive_computation_with_its_edges() -> None:
    torch.manual_seed(1)
    network = IbmCnn(SMALL).eval()
    patch = torch.rand(2, 5, 30)
    for number, values in enumerate(patch.numpy()):
        x = values[None].astype(np.float64)
        for i, layer in enumerate(network.convolutions):
            x = naive_convolution(x, layer.weight.double().numpy(), layer.bias.double().numpy())
            x = naive_pool(x) if i % 2 else x
        x = x.transpose(1, 0, 2).ravel()
        for i, layer in enumerate(network.dense):
            x = layer.weight.double().numpy() @ x + layer.bias.double().numpy()
            x = np.maximum(x, 0) if i < 2 else x
        np.testing.assert_allclose(network(patch)[number].numpy(), x.reshape(5, 30), atol=1e-5)
        np.testing.assert_allclose(network(patch, 4)[number].numpy(), x.reshape(5, 30)[4:], atol=1e-5)


def streaming() -> StreamingIbmCnn:
    torch.manual_seed(2)
    return StreamingIbmCnn(SMALL).eval()


@settings(max_examples=10)
@given(st.lists(st.integers(1, 5), min_size=1, max_size=6), st.integers(0, 4))
@torch.no_grad()
def test_cached_convolutions_equal_the_whole_sequence_however_it_is_cut(parts: list[int], row: int) -> None:
    network = streaming()
    magnitudes = torch.rand(2, sum(parts), 30)
    wanted, last = network.sequence(magnitudes, None, row)
    states, start = network.initial_states(2), 0
    for n in parts:
        logits, states = network.sequence(magnitudes[:, start : start + n], states, row)
        torch.testing.assert_close(logits, wanted[:, start : start + n], rtol=0, atol=1e-5)
        start += n
    for name, value in last.items():
        torch.testing.assert_close(states[name], value, rtol=0, atol=1e-6)


@torch.no_grad()
def test_training_form_is_the_streaming_form() -> None:
    network = streaming()
    magnitudes = torch.rand(1, 20, 30)
    wanted, _ = network.sequence(magnitudes)
    span = network.n_context + SMALL.n_frames
    for end in range(span, 21):
        torch.testing.assert_close(network(magnitudes[:, end - span : end])[0], wanted[0, end - 1], rtol=0, atol=1e-5)


@torch.no_grad()
def test_the_present_does_not_depend_on_the_future() -> None:
    network = streaming()
    magnitudes = torch.rand(1, 12, 30)
    later = magnitudes.clone()
    later[:, 7:] += 1
    now, then = (network.sequence(x)[0] for x in (magnitudes, later))
    torch.testing.assert_close(now[:, :7], then[:, :7])


def test_weights_are_shared_with_the_published_form() -> None:
    streaming().load_state_dict(IbmCnn(SMALL).state_dict())


@pytest.mark.parametrize(
    "sizes", [{"n_bins": 0}, {"n_frames": 1}, {"channels": (1, 2)}, {"dense": (1,)}, {"dropout": 1.0}]
)
def test_impossible_sizes_are_refused(sizes: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        IbmCnnConfig(**sizes)
