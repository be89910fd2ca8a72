"""Training over patches: recipes are read whole, data is what the papers say, runs resume to the bit, exports run."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("lightning_fabric")

from rtkaraoke.errors import ConfigError  # noqa: E402
from rtkaraoke.evaluate.data import read_manifest  # noqa: E402
from rtkaraoke.evaluate.mir1k import load_clip  # noqa: E402
from rtkaraoke.evaluate.patches import theta_masks  # noqa: E402
from rtkaraoke.masks.models import load_model  # noqa: E402
from rtkaraoke.rendering import render_array  # noqa: E402
from rtkaraoke.train.networks.deep_karaoke import DeepKaraoke  # noqa: E402
from rtkaraoke.train.networks.ibm_cnn import IbmCnn, StreamingIbmCnn  # noqa: E402
from rtkaraoke.train.networks.patch_mask import live_mask  # noqa: E402
from rtkaraoke.train.patch_config import is_patch_recipe, parse_patch_config  # noqa: E402
from rtkaraoke.train.patch_data import load_patches, mix  # noqa: E402
from rtkaraoke.train.patch_fit import input_scale, load_trained, patch_loss, train_patches  # noqa: E402
from rtkaraoke.train.patch_use import Rows, export_patches, rows_of, separator  # noqa: E402
from tests.support.clips import write_clips  # noqa: E402

DEEP = """
alpha = 0.5
[geometry]
n_fft = 512
hop = 128
[network]
kind = "deep-karaoke"
n_bins = 90
n_frames = 4
hidden = 16
[data]
mixing = "peaks"
stride = 2
n_patches = 100
[fit]
optimiser = "sgd"
learning_rate = 0.1
batch = 20
epochs = 3
threads = 1
"""
CNN = """
theta = 0.15
[geometry]
n_fft = 1024
hop = 128
window = 512
[network]
kind = "ibm-cnn"
n_bins = 150
n_frames = 5
channels = [3, 2, 4, 3]
dense = [12, 8]
[data]
stride = 4
valid_every = 4
[fit]
learning_rate = 1e-2
batch = 20
epochs = 3
pretrain_epochs = 1
threads = 1
"""
STREAMING = CNN.replace('"ibm-cnn"', '"ibm-cnn-streaming"')
RECIPES = {"deep": DEEP, "cnn": CNN, "streaming": STREAMING}


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = write_clips(tmp_path / "data")
    monkeypatch.setenv("RTKARAOKE_DATA", str(root))
    return root


def recipe(folder: Path, text: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "recipe.toml"
    path.write_text(f'run = "{(folder / "run").as_posix()}"\n' + text, encoding="utf-8")
    return path


def trained(folder: Path, text: str) -> Path:
    return train_patches(recipe(folder, text), say=lambda line: None)


@pytest.mark.parametrize("name", ["deep-karaoke", "ibm-cnn"])
def test_shipped_recipes_are_valid(root: Path, name: str) -> None:
    text = (root / "configs" / "train" / f"{name}.toml").read_text(encoding="utf-8")
    config = parse_patch_config(text, name)
    assert is_patch_recipe(text)
    assert config.card.name == config.kind == name
    assert config.network.n_bins == config.stft_geometry.at_rate(16_000).n_bins
    published = config.build().__class__
    assert published in (DeepKaraoke, IbmCnn)
    assert not is_patch_recipe((root / "configs" / "train" / "live.toml").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (('kind = "ibm-cnn"', 'kind = "unet"'), "network.kind is 'unet', wanted one of deep-karaoke"),
        (("n_bins = 150", "n_bins = 600"), "n_bins is 600, the transform has 513"),
        (("stride = 4", 'mixing = "loud"'), "data.mixing is 'loud', wanted one of peaks, sum"),
        (("pretrain_epochs = 1", "pretrain_epochs = 4"), "pretrain_epochs is 4, of 3"),
        (("batch = 20", 'rows = "first"'), "fit.rows is 'first'"),
        (("stride = 4", 'input = "peak"'), "data.input is 'peak', wanted one of published, rms"),
        (("n_fft = 1024", "look_ahead = 1"), "geometry.look_ahead is 1: a network over patches is trained without"),
        (("batch = 20", "bach = 20"), "unknown key 'bach'"),
        (("[network]", "[network"), "not TOML"),
    ],
)
def test_a_recipe_is_refused_with_its_key(change: tuple[str, str], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        parse_patch_config('run = "x"\n' + CNN.replace(*change), "recipe")


def test_patches_are_those_of_the_training_singers_and_carry_their_context(data: Path) -> None:
    config = parse_patch_config('run = "x"\n' + STREAMING, "recipe")
    train, valid = load_patches(config, 8)
    assert valid is not None
    assert len(train.starts) == 3 * len(valid.starts)  # four clips, one of them held back
    clip = mix(read_manifest(data)[0], config.data)
    n_hops = -(-(clip.voice.shape[1] + 512 * 16_000 // 44_100) // config.stft_geometry.at_rate(16_000).hop)
    assert abs(len(valid.magnitude) - 8 - n_hops) <= 1
    magnitude, mask = train.batch(torch.tensor([0, 1]))
    assert magnitude.shape == mask.shape == (2, 13, 150)
    assert not magnitude[0, :8].any()  # before the clip
    torch.testing.assert_close(magnitude[0, 4 + 8 : 4 + 9], magnitude[1, 8:9])  # the second patch begins 4 frames later
    assert 0 < float(mask.mean()) < 1


def test_number_of_patches_and_mixing_are_the_recipes(data: Path) -> None:
    config = parse_patch_config('run = "x"\n' + DEEP, "recipe")
    train, valid = load_patches(config, 0)
    assert valid is None
    assert len(train.starts) == len(train.starts.unique()) == 100
    parts = mix(read_manifest(data)[0], config.data)
    assert [float(np.abs(part).max()) for part in (parts.voice, parts.music)] == pytest.approx([0.5, 0.5])
    assert input_scale(config, train) * float(train.magnitude.max()) == pytest.approx(1.0)
    rms = parse_patch_config('run = "x"\n' + DEEP.replace("stride", 'input = "rms"\nstride'), "recipe")
    scaled = input_scale(rms, train) * train.magnitude
    assert float(scaled.square().mean()) == pytest.approx(1.0, rel=1e-4)


def test_losses_are_those_of_the_papers() -> None:
    torch.manual_seed(0)
    magnitude, mask = torch.rand(3, 5, 150), torch.randint(0, 2, (3, 5, 150)).float()
    cnn = parse_patch_config('run = "x"\n' + CNN, "recipe").build().eval()
    probability = torch.sigmoid(cnn(magnitude)).detach().double()

    def entropy(p: "torch.Tensor", y: "torch.Tensor") -> float:
        return float(-(y * p.log() + (1 - y) * (1 - p).log()).mean())

    labels = 0.02 + 0.96 * mask.double()
    assert float(patch_loss(cnn, magnitude, mask).detach()) == pytest.approx(entropy(probability, labels), rel=1e-5)
    last = float(patch_loss(cnn, magnitude, mask, last_row=True).detach())
    assert last == pytest.approx(entropy(probability[:, 4], labels[:, 4]), rel=1e-5)
    masked = mask * magnitude
    again = torch.sigmoid(cnn(masked)).detach().double()
    found = float(patch_loss(cnn, magnitude, mask, autoencoder=True).detach())
    assert found == pytest.approx(entropy(again, masked.double()), rel=1e-5)


@pytest.mark.parametrize("kind", RECIPES)
def test_an_interrupted_run_ends_with_the_same_bits(kind: str, data: Path, tmp_path: Path) -> None:
    whole = load_trained(trained(tmp_path / "whole", RECIPES[kind]))
    text = RECIPES[kind]
    trained(tmp_path / "parts", text.replace("epochs = 3", "epochs = 2"))
    parts = load_trained(trained(tmp_path / "parts", text))
    for one, other in zip(whole.network.parameters(), parts.network.parameters(), strict=True):
        assert torch.equal(one, other)
    assert (parts.epoch, parts.best_epoch) == (3, whole.best_epoch)
    with (tmp_path / "parts" / "run" / "loss.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    assert rows[0]["phase"] == ("1.0" if kind == "deep" else "0.0")


def test_a_checkpoint_that_the_recipe_has_no_place_for_says_so(data: Path, tmp_path: Path) -> None:
    trained(tmp_path, DEEP)
    with pytest.raises(ConfigError, match="does not fit the recipe"):
        trained(tmp_path, DEEP.replace("hidden = 16", "hidden = 8"))
    with pytest.raises(ConfigError, match="does not fit the recipe"):
        trained(tmp_path, DEEP.replace('"sgd"', '"adam"').replace("epochs = 3", "epochs = 4"))


@pytest.mark.parametrize("kind", RECIPES)
def test_rows_at_a_look_ahead_are_what_runs_live(kind: str, data: Path, tmp_path: Path) -> None:
    found = load_trained(trained(tmp_path, RECIPES[kind].replace("epochs = 3", "epochs = 1").replace("pretrain", "#")))
    n_bins, n_frames = found.network.n_bins, found.network.n_frames
    magnitude = np.abs(np.random.default_rng(0).standard_normal((11, n_bins))).astype(np.float32)
    rows = rows_of(found, magnitude)
    assert isinstance(found.network, StreamingIbmCnn) == (kind == "streaming")
    for look_ahead in (0, 1, n_frames - 1):
        spectrum = torch.from_numpy(np.pad(magnitude, ((0, look_ahead), (0, 0))))
        spectrum = torch.stack([spectrum, torch.zeros_like(spectrum)], dim=-1)[None, None]
        live, _ = live_mask(found.network, look_ahead, found.scale)(spectrum)
        np.testing.assert_allclose(rows.at(look_ahead), live[0, 0, look_ahead:].numpy(), atol=1e-5)
    with pytest.raises(ConfigError, match="a patch of"):
        rows.at(n_frames)


def test_published_reading_is_all_votes_stretched_or_the_middle_frame() -> None:
    probability = np.random.default_rng(0).uniform(0.2, 0.6, (12, 5, 3)).astype(np.float32)
    votes, middle = Rows(probability, True).published(), Rows(probability, False).published()
    assert (votes.min(), votes.max()) == (0.0, 1.0)
    np.testing.assert_array_equal(middle, probability[2:10, 2])


@pytest.mark.parametrize("kind", RECIPES)
def test_whole_songs_and_exported_files_take_songs_apart(kind: str, data: Path, tmp_path: Path) -> None:
    checkpoint = trained(tmp_path, RECIPES[kind])
    song = load_clip(read_manifest(data)[4])
    found = separator(load_trained(checkpoint)).method(lambda p: theta_masks(p, 0.0))(song)
    np.testing.assert_allclose(found.voice + found.music, song.mixture, atol=1e-5)
    target = tmp_path / "live.onnx"
    info = export_patches(checkpoint, target, look_ahead=2)
    assert (info.alpha, info.theta) == ((0.5, 0.0) if kind == "deep" else (0.0, 0.15))
    config = load_trained(checkpoint).config
    assert info.geometry == replace(config.stft_geometry, look_ahead=2)
    voice = render_array(song.mixture, 16_000, load_model(target, "cpu"), stem="voice", parameters={})
    assert voice.shape == song.mixture.shape


def test_a_steady_tone_has_the_same_level_offline_and_live(data: Path, tmp_path: Path) -> None:
    """What the exported network sees of a tone is what training showed it, though the windows differ."""
    from rtkaraoke.dsp.windows import window_pair
    from rtkaraoke.evaluate.spectrogram import HannStft

    checkpoint = trained(tmp_path, CNN.replace("epochs = 3", "epochs = 1").replace("pretrain", "#"))
    geometry = load_trained(checkpoint).config.stft_geometry
    tone = np.sin(2 * np.pi * 50 / geometry.n_fft * np.arange(4096)).astype(np.float32)
    hann = HannStft(geometry)
    offline = np.abs(hann.spectrum(tone))[16].max()
    analysis, _ = window_pair(geometry)
    frame = np.pad(tone[: geometry.window] * analysis, (geometry.n_fft - geometry.window, 0))
    live = np.abs(np.fft.rfft(frame)).max()
    assert live * hann.gain / analysis.sum() == pytest.approx(offline, rel=1e-2)


def test_one_command_trains_and_exports_any_network(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    from rtkaraoke.train import cli

    assert cli.train([str(recipe(tmp_path, DEEP.replace("epochs = 3", "epochs = 1")))]) == 0
    checkpoint = capsys.readouterr().out.splitlines()[-1]
    target = tmp_path / "deep.onnx"
    assert cli.export([checkpoint, str(target), "--look-ahead", "3"]) == 0
    assert load_model(target, "cpu").info.geometry.look_ahead == 3
    torch.save({"recipe": "[network]\nhidden = 8"}, tmp_path / "other.pt")
    with pytest.raises(ConfigError, match="--look-ahead 1: only a network over patches"):
        cli.export([str(tmp_path / "other.pt"), str(target), "--look-ahead", "1"])
