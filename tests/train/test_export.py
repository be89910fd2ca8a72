"""One network, three ways to run it, one result; and a broken export is refused."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("lightning_fabric")

from rtkaraoke.errors import ModelError  # noqa: E402
from rtkaraoke.geometry import StftGeometry  # noqa: E402
from rtkaraoke.masks.models import load_model  # noqa: E402
from rtkaraoke.train import export as exporting  # noqa: E402
from rtkaraoke.train.networks.gru_unet import GruUnet, GruUnetConfig  # noqa: E402

SMALL = GruUnetConfig(channels=(4, 4, 6, 6, 8), back=(2, 1, 0, 3, 1), hidden=12)

RECIPE = """
run = "run"
cache = "cache"
[card]
name = "test"
licence = "MIT"
training_data = "none"
non_commercial = false
strength = 1.5
bias = 0.5
[network]
channels = [4, 4, 6, 6, 8]
back = [2, 1, 0, 3, 1]
hidden = 12
"""


def random_network(seed: int = 0) -> GruUnet:
    torch.manual_seed(seed)
    return GruUnet(SMALL).eval()


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    content: dict[str, Any] = {
        "average": random_network().state_dict(),
        "step": 7,
        "scores": {"voice_sdr": 1.0},
        "recipe": RECIPE,
    }
    torch.save(content, tmp_path / "last.pt")
    return tmp_path / "last.pt"


def test_two_checkpoints_are_blended_by_their_weights(checkpoint: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.pt"
    torch.save({"average": random_network(seed=1).state_dict()}, other)
    plain = exporting.export(checkpoint, tmp_path / "plain.onnx")
    assert exporting.export(checkpoint, tmp_path / "none.onnx", other, 0.0).revision == plain.revision
    mean = exporting.export(checkpoint, tmp_path / "mean.onnx", other, 0.5)
    assert mean.revision != plain.revision
    assert mean.scores == {}
    first, second = (random_network(seed=seed).state_dict() for seed in (0, 1))
    blend = exporting.blended(first, second, 0.5, "other")
    for name, value in blend.items():
        torch.testing.assert_close(value, 0.5 * (first[name] + second[name]))


def test_a_blend_of_different_networks_or_of_more_than_all_is_refused(checkpoint: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.pt"
    torch.save({"average": GruUnet(replace(SMALL, hidden=8)).state_dict()}, other)
    with pytest.raises(ModelError, match=r"other\.pt holds another network"):
        exporting.export(checkpoint, tmp_path / "network.onnx", other)
    with pytest.raises(ModelError, match=r"share of 1\.5"):
        exporting.export(checkpoint, tmp_path / "network.onnx", checkpoint, 1.5)
    assert not (tmp_path / "network.onnx").exists()


@torch.no_grad()
def test_step_by_step_equals_the_whole_sequence() -> None:
    network = random_network()
    spectrum = 20 * torch.randn(2, 2, 40, 1025, 2)
    wanted, _ = network(spectrum)
    states = network.initial_states(2)
    for t in range(40):
        logits, states = network(spectrum[:, :, t : t + 1], states)
        torch.testing.assert_close(logits[:, :, 0], wanted[:, :, t], rtol=0, atol=1e-4)


def test_the_present_does_not_depend_on_the_future() -> None:
    network = random_network()
    spectrum = torch.randn(1, 2, 12, 1025, 2)
    later = spectrum.clone()
    later[:, :, 8:] += 5.0
    with torch.no_grad():
        assert torch.equal(network(spectrum)[0][:, :, :8], network(later)[0][:, :, :8])


def test_exported_network_keeps_the_contract_and_says_what_it_is(checkpoint: Path, tmp_path: Path) -> None:
    target = tmp_path / "small.onnx"
    info = exporting.export(checkpoint, target)
    assert info.revision.startswith("7-")
    network = load_model(target, "cpu")
    assert network.info == info
    assert (info.strength, info.bias, info.scores) == (1.5, 0.5, {"voice_sdr": 1.0})
    model = network.open(48_000)
    mask = np.zeros((2, model.geometry.n_bins), np.float32)
    model.step(np.ones_like(mask, np.complex64), mask)
    assert 0 < mask.mean() < 1
    model.close()


def test_export_is_refused_when_torch_and_onnx_differ(checkpoint: Path) -> None:
    data = exporting.to_onnx(random_network(seed=0)).SerializeToString()
    geometry = StftGeometry(44_100, 2048, 256)
    exporting.check_same(random_network(seed=0), geometry, data)
    with pytest.raises(ModelError, match="differ"):
        exporting.check_same(random_network(seed=1), geometry, data)


def test_no_frame_of_the_past_needs_no_state() -> None:
    assert "down2" not in random_network().initial_states(1)
    assert "down2" in GruUnet(replace(SMALL, back=(2, 1, 1, 1, 1))).initial_states(1)
