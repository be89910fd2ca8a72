"""Every data set is recognised, and its songs hold what was put there."""

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from rtkaraoke.errors import AudioFileError, RtkaraokeError
from rtkaraoke.evaluate.readers import READERS, Dataset, Song, Sources, open_dataset
from tests.support import datasets
from tests.support.datasets import RATE, Truth

LOSSY_DB = -12.0  #: what Vorbis and AAC may add to noise, against the noise itself; a wrong stem adds 3 dB

SETS: dict[str, tuple[Callable[[Path], Truth], dict[str, str], int, bool]] = {
    "manifest": (
        datasets.make_manifest,
        {"band/one": "valid", "game/two": "valid", "band/three": "train"},
        0,
        True,
    ),
    "musdb18": (
        datasets.make_musdb18,
        {
            "A Classic Education - NightOwl": "train",
            "ANiMAL - Rockshow": "valid",
            "Speak Softly - Broken Man": "test",
        },
        RATE,
        True,
    ),
    "musdb18hq": (
        datasets.make_musdb18_hq,
        {
            "A Classic Education - NightOwl": "train",
            "ANiMAL - Rockshow": "valid",
            "Speak Softly - Broken Man": "test",
        },
        RATE,
        False,
    ),
    "dsd100": (
        datasets.make_dsd100,
        {"055 - Angels In Amplifiers - I'm Alright": "train", "005 - Angela Thomas Wade - Milk Cow Blues": "test"},
        RATE,
        False,
    ),
    "medleydb": (
        datasets.make_medleydb,
        {"ChrisJacoby_PigsFoot": "", "ClaraBerryAndWooldog_AirTraffic": ""},
        RATE,
        False,
    ),
    "ikala": (datasets.make_ikala, {"10161_chorus": "", "10161_verse": ""}, RATE, False),
    "mir1k": (
        datasets.make_mir1k,
        {"abjones_1_01": "train", "Ani_1_01": "test", "titon_2_03": "test"},
        16_000,
        False,
    ),
    "folder": (datasets.make_folder, {"Band": "", "Pair": "", "Stems": "test"}, RATE, False),
}


@pytest.mark.parametrize("kind", READERS)
def test_songs_hold_what_was_put_there(kind: str, tmp_path: Path) -> None:
    make, splits, rate, lossy = SETS[kind]
    truth = make(tmp_path)
    dataset = open_dataset(tmp_path)
    assert dataset.kind == kind
    assert {song.name: song.split for song in dataset.songs} == splits
    for song in dataset.songs:
        found = song.load()
        voice, music = truth[song.name]
        assert found.sample_rate == (rate or (16_000 if song.name == "band/one" else RATE))
        assert_same(found.music, music, lossy)
        if voice is None:
            assert not found.voice.any()
            assert found.voice.shape == found.music.shape
        else:
            assert_same(found.voice, voice, lossy)
        assert found.voice.flags.c_contiguous
        assert found.music.flags.c_contiguous
        np.testing.assert_array_equal(found.mixture, found.voice + found.music)


def assert_same(found: np.ndarray, wanted: np.ndarray, lossy: bool) -> None:
    assert found.dtype == np.float32
    if not lossy:
        np.testing.assert_array_equal(found, wanted)
        return
    n_samples = min(found.shape[1], wanted.shape[1])
    assert abs(found.shape[1] - wanted.shape[1]) <= 2048  # AAC ends with a full frame
    error = np.square(found[:, :n_samples] - wanted[:, :n_samples]).mean() / np.square(wanted).mean()
    assert 10 * np.log10(error) < LOSSY_DB


def test_metadata_of_medleydb_may_lie_beside_the_audio(tmp_path: Path) -> None:
    truth = datasets.make_medleydb(tmp_path, version=2)
    dataset = open_dataset(tmp_path)
    assert {song.name for song in dataset.songs} == set(truth)


def test_songs_that_cannot_be_scored_are_named(tmp_path: Path) -> None:
    datasets.make_medleydb(tmp_path / "medley")
    datasets.make_folder(tmp_path / "folder")
    assert "AClassicEducation_NightOwl" in open_dataset(tmp_path / "medley").notes[0]
    assert open_dataset(tmp_path / "folder").notes == (
        "Alone is left out: a voice, but neither accompaniment nor stems beside it",
    )


def test_broken_metadata_is_named(tmp_path: Path) -> None:
    datasets.make_medleydb(tmp_path)
    path = tmp_path / "Audio" / "ChrisJacoby_PigsFoot" / "ChrisJacoby_PigsFoot_METADATA.yaml"
    path.write_text("artist: nobody\n")
    with pytest.raises(AudioFileError, match="PigsFoot_METADATA"):
        open_dataset(tmp_path)
    path.write_text("artist: [\n")
    with pytest.raises(AudioFileError, match="PigsFoot_METADATA"):
        open_dataset(tmp_path)


def test_a_missing_package_names_its_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    datasets.make_medleydb(tmp_path)
    monkeypatch.setitem(sys.modules, "yaml", None)
    with pytest.raises(RtkaraokeError, match=r"PyYAML.*rtkaraoke\[bench\]"):
        open_dataset(tmp_path)


def test_the_held_back_songs_are_the_default() -> None:
    def default(*splits: str) -> str:
        songs = (Song("any", split, lambda: Sources(*np.zeros((2, 1, 1), np.float32), RATE)) for split in splits)
        return Dataset("folder", tuple(songs)).default_split

    assert default("train", "valid", "test") == "test"
    assert default("train", "valid") == "valid"
    assert default("", "") == "all"


def test_a_file_without_five_tracks_is_refused(tmp_path: Path) -> None:
    (tmp_path / "test").mkdir()
    datasets.write_tracks(tmp_path / "test" / "Two - Tracks.stem.mp4", [datasets.noise(0), datasets.noise(1)])
    (song,) = open_dataset(tmp_path).songs
    with pytest.raises(AudioFileError, match="2 sound tracks, wanted 5"):
        song.load()


def test_a_damaged_file_of_stems_is_named(tmp_path: Path) -> None:
    (tmp_path / "test").mkdir()
    (tmp_path / "test" / "No - Sound.stem.mp4").write_bytes(b"nothing")
    (song,) = open_dataset(tmp_path).songs
    with pytest.raises(AudioFileError, match="No - Sound"):
        song.load()


def test_stems_of_different_rates_are_refused(tmp_path: Path) -> None:
    datasets.write(tmp_path / "Song" / "vocals.wav", datasets.noise(0))
    datasets.write(tmp_path / "Song" / "bass.wav", datasets.noise(1))
    datasets.write(tmp_path / "Song" / "drums.wav", datasets.noise(2), 48_000)
    with pytest.raises(AudioFileError, match="48000 Hz"):
        open_dataset(tmp_path).songs[0].load()
    (tmp_path / "Song" / "bass.wav").unlink()
    with pytest.raises(AudioFileError, match="44100 Hz beside"):
        open_dataset(tmp_path).songs[0].load()


def test_a_mono_clip_is_refused(tmp_path: Path) -> None:
    datasets.make_ikala(tmp_path)
    soundfile.write(tmp_path / "Wavfile" / "10161_verse.wav", np.zeros(100), RATE)
    with pytest.raises(AudioFileError, match="1 channel"):
        open_dataset(tmp_path).songs[1].load()


def test_what_is_no_data_set_is_said(tmp_path: Path) -> None:
    with pytest.raises(AudioFileError, match="no such folder"):
        open_dataset(tmp_path / "nowhere")
    with pytest.raises(AudioFileError, match="vocals and accompaniment"):
        open_dataset(tmp_path)
    with pytest.raises(AudioFileError, match="there are manifest, musdb18"):
        open_dataset(tmp_path, "musdb")
    with pytest.raises(AudioFileError, match="no songs of dsd100"):
        open_dataset(tmp_path, "dsd100")
