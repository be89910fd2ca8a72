"""Both papers' causal forms, exported, run live on JACK's dummy driver, exactly as late as they say."""

import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("lightning_fabric")

from rtkaraoke.geometry import StftGeometry  # noqa: E402
from rtkaraoke.masks.protocol import ModelInfo  # noqa: E402
from rtkaraoke.train.export import write  # noqa: E402
from rtkaraoke.train.networks.deep_karaoke import DeepKaraoke, DeepKaraokeConfig  # noqa: E402
from rtkaraoke.train.networks.ibm_cnn import IbmCnnConfig, StreamingIbmCnn  # noqa: E402
from rtkaraoke.train.networks.patch_mask import live_mask  # noqa: E402
from tests.support.engines import MODEL_VARIABLE  # noqa: E402
from tests.support.jack import jack_server, run_in_time  # noqa: E402

pytestmark = [
    pytest.mark.jack,
    pytest.mark.timeout(400),
    pytest.mark.skipif(sys.platform != "linux", reason="the dummy server is for Linux"),
]
PREFILL = 8192


@pytest.mark.parametrize("kind", ["deep-karaoke", "ibm-cnn"])
@pytest.mark.parametrize("look_ahead", [0, 1])
def test_live_equals_render_shifted_by_exactly_the_declared_latency(kind: str, look_ahead: int, tmp_path: Path) -> None:
    torch.manual_seed(0)
    if kind == "deep-karaoke":
        network: DeepKaraoke | StreamingIbmCnn = DeepKaraoke(DeepKaraokeConfig(hidden=64))
        geometry, n_bins = StftGeometry(44_100, 2048, 512, look_ahead), 1025
    else:
        network = StreamingIbmCnn(IbmCnnConfig(channels=(4, 2, 4, 2), dense=(32, 16)))
        geometry, n_bins = StftGeometry(44_100, 8192, 512, look_ahead, window=2048), 2049
    network.requires_grad_(False).half().float().eval()
    path = tmp_path / "network.onnx"
    write(live_mask(network, look_ahead, 1e-3), ModelInfo(kind, geometry, 1, n_bins=n_bins), path)
    with jack_server(period=1024) as server:
        found = run_in_time(
            server, "exact", "from_file", PREFILL, without_xruns=True, timeout_s=100, **{MODEL_VARIABLE: str(path)}
        )
    assert found["terms"]["vocal_remover"] == (2 + look_ahead) * 512
    assert found["input_equal"]
    assert found["wrong"] == 0
    assert found["compared"] > 55_000
    assert found["quiet"] > 0.01
