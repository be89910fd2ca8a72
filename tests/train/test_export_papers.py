"""The live forms of both papers' networks are files that the engine runs in the geometries of the papers."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("lightning_fabric")

from rtkaraoke.geometry import StftGeometry  # noqa: E402
from rtkaraoke.masks.models import load_model  # noqa: E402
from rtkaraoke.masks.protocol import ModelInfo  # noqa: E402
from rtkaraoke.plugins.vocal_remover import VocalRemover  # noqa: E402
from rtkaraoke.train import export as exporting  # noqa: E402
from rtkaraoke.train.networks.deep_karaoke import DeepKaraoke, DeepKaraokeConfig  # noqa: E402
from rtkaraoke.train.networks.ibm_cnn import IbmCnn, IbmCnnConfig, StreamingIbmCnn  # noqa: E402
from rtkaraoke.train.networks.patch_mask import live_mask  # noqa: E402

# An eighth of the papers' geometries: 2048/512, and a window of 2048 in an FFT of 8192 of which the lowest half counts.
DEEP = StftGeometry(44_100, 256, 64)
CNN = StftGeometry(44_100, 1024, 64, window=256)
SMALL_CNN = IbmCnnConfig(n_bins=257, channels=(3, 2, 4, 3), dense=(16, 8))


def network(kind: str) -> "DeepKaraoke | IbmCnn":
    torch.manual_seed(0)
    if kind == "deep":
        built: DeepKaraoke | IbmCnn = DeepKaraoke(DeepKaraokeConfig(n_bins=129, hidden=16))
        torch.nn.init.constant_(built.inner.bias, 6.0)
    else:
        built = StreamingIbmCnn(SMALL_CNN) if kind == "cached" else IbmCnn(SMALL_CNN)
    return built.requires_grad_(False).half().float().eval()


@pytest.mark.parametrize("look_ahead", [0, 2])
@pytest.mark.parametrize("kind", ["deep", "patch", "cached"])
def test_exported_network_runs_in_the_engine_with_its_latency(kind: str, look_ahead: int, tmp_path: Path) -> None:
    geometry = replace(DEEP if kind == "deep" else CNN, look_ahead=look_ahead)
    mask = live_mask(network(kind), look_ahead, 1e-3)
    info = ModelInfo(kind, geometry, n_channels=1, n_bins=mask.n_bins, theta=0.15)
    target = tmp_path / f"{kind}.onnx"
    exporting.write(mask, info, target)
    loaded = load_model(target, "cpu")
    assert loaded.info == info
    assert (info.n_bins, geometry.n_bins) == ((129, 129) if kind == "deep" else (257, 513))
    remover = VocalRemover(loaded)
    remover.set("vocals", 0.0)  # untouched: the input, delayed
    remover.prepare(44_100, 2, 1024)
    assert remover.get("theta") == 0.15
    assert remover.latency == (2 + look_ahead) * 64
    noise = np.random.default_rng(0).uniform(-1, 1, (2, 8192)).astype(np.float32)
    out = np.zeros_like(noise)
    for start in range(0, 8192, 1024):
        block = np.ascontiguousarray(noise[:, start : start + 1024])
        remover.process(block, block)
        out[:, start : start + 1024] = block
    remover.close()
    np.testing.assert_array_equal(out[:, remover.latency :], noise[:, : -remover.latency])


@pytest.mark.parametrize("kind", ["deep", "cached"])
def test_only_the_rows_that_are_read_are_written(kind: str) -> None:
    built = network(kind)
    model = exporting.to_onnx(live_mask(built, 1))
    n_values = sum(int(np.prod(constant.dims)) for constant in model.graph.initializer)
    outer = built.outer if isinstance(built, DeepKaraoke) else built.dense[-1]
    left_out = (built.n_frames - 2) * built.n_bins * (outer.in_features + 1)
    assert n_values <= sum(value.numel() for value in built.parameters()) - left_out + 100
    assert isinstance(model, onnx.ModelProto)
