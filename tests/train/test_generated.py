"""Songs of the package's own: each seed has its own, and they make a cache as real ones do."""

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from rtkaraoke.errors import AudioFileError, ConfigError
from rtkaraoke.train import pack
from rtkaraoke.train.generated import generated_songs
from tests.support.clips import write_clips

SECONDS = 3.0


def test_songs_have_a_voice_with_pauses_and_a_band_and_differ() -> None:
    songs = [*generated_songs(2, SECONDS, seed=0), *generated_songs(1, SECONDS, seed=1)]
    for voice, music in songs:
        assert voice.shape == music.shape == (2, round(SECONDS * 44_100))
        assert voice.dtype == music.dtype == np.float32
        assert 0.8 < np.abs(voice + music).max() <= 0.9
        level = np.sqrt(np.square(voice).reshape(2, 30, -1).mean(axis=(0, 2)))  # of tenths of a second
        assert level.min() < 0.03 * level.max() < (level > 0.03 * level.max()).mean()
        assert not np.array_equal(music[0], music[1])
    for (first, _), (second, _) in combinations(songs, 2):
        assert abs(np.corrcoef(first[0], second[0])[0, 1]) < 0.2


def test_a_seed_decides_every_sample_whatever_comes_before() -> None:
    (first,), (again, _) = (list(generated_songs(n, SECONDS, seed=5)) for n in (1, 2))
    np.testing.assert_array_equal(first, again)


def test_they_are_packed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pack, "N_GENERATED", 2)
    monkeypatch.setattr(pack, "GENERATED_S", 1.0)
    pack.ensure_packed(tmp_path / "cache", pack.GENERATED)
    packed = pack.load_packed(tmp_path / "cache")
    assert [(clip.role, clip.pair, clip.family) for clip in packed.clips] == [
        (role, pair, "generated") for pair in (0, 1) for role in ("voice", "music")
    ]
    for clip, wanted in zip(
        packed.clips, (part for song in generated_songs(2, 1.0, seed=0) for part in song), strict=True
    ):
        taken = packed.samples[clip.start : clip.start + clip.n_samples].T / pack.INT16_SCALE
        np.testing.assert_allclose(taken, wanted, atol=1e-4)
    stamp = (tmp_path / "cache" / "clips.json").stat().st_mtime_ns
    pack.ensure_packed(tmp_path / "cache", pack.GENERATED)
    assert (tmp_path / "cache" / "clips.json").stat().st_mtime_ns == stamp


def test_more_folders_are_packed_behind_the_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pack, "N_GENERATED", 1)
    monkeypatch.setattr(pack, "GENERATED_S", 1.0)
    (tmp_path / "more").mkdir()
    more = write_clips(tmp_path / "more", singers=("amy", "leon"))
    pack.ensure_packed(tmp_path / "cache", pack.GENERATED, [more])
    clips = pack.load_packed(tmp_path / "cache").clips
    assert [(clip.family, clip.group, clip.pair) for clip in clips[::2]] == [
        ("generated", "song 0", 0),
        ("mir1k", "amy", 1),
        ("mir1k", "leon", 2),
    ]


def test_a_folder_without_a_manifest_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pack, "N_GENERATED", 1)
    monkeypatch.setattr(pack, "GENERATED_S", 1.0)
    with pytest.raises(AudioFileError, match=r"nowhere: no manifest\.csv"):
        pack.ensure_packed(tmp_path / "cache", pack.GENERATED, [tmp_path / "nowhere"])


def test_an_interrupted_packing_leaves_nothing_that_looks_whole(tmp_path: Path) -> None:
    def songs() -> object:
        yield pack.Recording("music", "noise", "one", [("music", np.zeros((2, 100), np.float32))])
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pack.pack(tmp_path, songs())  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="no cache of training data"):
        pack.load_packed(tmp_path)
