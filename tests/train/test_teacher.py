"""A teacher hears what a student hears, and never says that somebody sings where nobody does."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

torch = pytest.importorskip("torch")
pytest.importorskip("lightning_fabric")

from torch import nn  # noqa: E402

from rtkaraoke.errors import ConfigError, ModelError  # noqa: E402
from rtkaraoke.evaluate.data import read_manifest, read_pair  # noqa: E402
from rtkaraoke.train import fit  # noqa: E402
from rtkaraoke.train.teacher import Teacher, Unet, taught  # noqa: E402
from tests.support.training import tiny_recipe  # noqa: E402

RATE = 44_100


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Networks that have learned nothing, in the file's layout."""
    torch.manual_seed(3)
    stems = nn.ModuleDict({"voice": Unet(), "music": Unet()})
    path = tmp_path_factory.mktemp("teacher") / "spleeter.pt"
    torch.save(stems.state_dict(), path)
    return path


def noise(*shape: int) -> torch.Tensor:
    return 0.1 * torch.randn(*shape, generator=torch.Generator().manual_seed(5))


def test_the_network_has_the_published_size() -> None:
    assert sum(p.numel() for p in Unet().parameters()) == pytest.approx(9.8e6, rel=0.01)


@pytest.mark.parametrize("n_samples", [4096, 30_001, 70_000])
def test_voice_and_music_sum_to_the_mixture(weights: Path, n_samples: int) -> None:
    """With the stems exchanged it hears the music, which is all that it did not take for voice."""
    teacher = Teacher(weights)
    mixture = noise(2, 2, n_samples)
    voice = teacher(mixture)
    assert voice.shape == mixture.shape
    teacher.stems["voice"], teacher.stems["music"] = teacher.stems["music"], teacher.stems["voice"]
    torch.testing.assert_close(voice + teacher(mixture), mixture, atol=1e-5, rtol=0)


def test_it_does_not_learn_and_does_not_draw(weights: Path) -> None:
    teacher = Teacher(weights)
    mixture = noise(1, 2, 20_000).requires_grad_()
    assert not teacher(mixture).requires_grad
    assert not any(p.requires_grad for p in teacher.parameters())
    torch.testing.assert_close(teacher(mixture), teacher(mixture), rtol=0, atol=0)


class Half(nn.Module):
    """Takes half of everything for the voice."""

    def forward(self, mixture: torch.Tensor) -> torch.Tensor:
        return 0.5 * mixture


def test_what_is_learned_lies_between_the_truth_and_the_teacher() -> None:
    voice, music = noise(2, 2, 1000), noise(2, 2, 1000).flip(0)
    voice[1] = 0
    target, rest = taught(Half(), voice, music, 0.25)
    torch.testing.assert_close(target + rest, voice + music)
    torch.testing.assert_close(target[0], 0.75 * voice[0] + 0.25 * 0.5 * (voice + music)[0])
    assert not target[1].any(), "nobody sings there"


@pytest.mark.usefixtures("short_validation")
def test_a_run_with_a_teacher_learns_something_else(tmp_path: Path, weights: Path) -> None:
    plain = tiny_recipe(tmp_path, "plain", steps=2)
    path = tiny_recipe(tmp_path, "taught", steps=2)
    path.write_text(path.read_text() + f'[teacher]\nweights = "{weights}"\nshare = 0.5\n')
    first, second = (torch.load(fit.train(recipe), weights_only=True)["network"] for recipe in (plain, path))
    assert any(not torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize(
    ("table", "error", "named"),
    [
        ("weights = 'none.pt'\nshare = 0.5", ConfigError, "none.pt.*no such file.*scripts/spleeter.py"),
        ("weights = 'DAMAGED'\nshare = 0.5", ModelError, "not the weights of Spleeter"),
        ("share = 1.5", ConfigError, "share is 1.5, wanted 0 to 1"),
    ],
)
def test_a_teacher_that_cannot_be_had_is_said(tmp_path: Path, table: str, error: type[Exception], named: str) -> None:
    (tmp_path / "damaged.pt").write_bytes(b"PK\x03\x04 no")
    path = tiny_recipe(tmp_path)
    path.write_text(path.read_text() + "[teacher]\n" + table.replace("DAMAGED", str(tmp_path / "damaged.pt")) + "\n")
    with pytest.raises(error, match=named):
        fit.train(path)


def test_a_folder_of_songs_becomes_pairs(tmp_path: Path, root: Path, weights: Path) -> None:
    song = 0.1 * np.random.default_rng(1).standard_normal((3 * RATE, 2))
    for name, licence in (("one", "by-nc/3.0/"), ("two", "by/4.0")):
        (tmp_path / "songs" / name).mkdir(parents=True)
        soundfile.write(tmp_path / "songs" / name / "audio.ogg", song, RATE)
        (tmp_path / "songs" / name / "license.txt").write_text(f"Music: http://creativecommons.org/licenses/{licence}")
    command = [sys.executable, root / "scripts" / "song_stems.py", weights, tmp_path / "pairs", tmp_path / "songs"]
    subprocess.run(command, check=True, env=os.environ | {"PYTHONPATH": str(root)}, timeout=100)
    items = read_manifest(tmp_path / "pairs")
    assert [(i.id, i.family, i.kind, i.split) for i in items] == [
        ("one", "songs", "pair", "train"), ("two", "songs-free", "pair", "train"),
    ]  # fmt: skip
    voice, music = read_pair(items[0])
    np.testing.assert_allclose((voice + music)[:, 1000:-1000].std(), 0.1, rtol=0.2)


def test_a_teacher_hears_at_44100(tmp_path: Path, weights: Path) -> None:
    path = tiny_recipe(tmp_path)
    text = path.read_text() + f'[geometry]\nsample_rate = 48000\n[teacher]\nweights = "{weights}"\nshare = 0.5\n'
    path.write_text(text)
    with pytest.raises(ConfigError, match="44100 Hz, the geometry says 48000"):
        fit.train(path)
