"""The data folder is found, read and never mistaken."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from rtkaraoke.errors import AudioFileError
from rtkaraoke.evaluate.data import DATA_VARIABLE, data_root, read_audio, read_manifest, read_pair, select

HEADER = "kind,family,id,group,split,sample_rate,channels,seconds,path,licence\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    rows = "pair,band,one,one,valid,44100,1,0.1,pairs/one,CC0\nmusic,game,two,two,train,44100,2,0.1,music/two.ogg,CC0\n"
    (tmp_path / "manifest.csv").write_text(HEADER + rows)
    (tmp_path / "pairs" / "one").mkdir(parents=True)
    for name, n_samples in (("vocals", 4410), ("accompaniment", 4400)):
        path = tmp_path / "pairs" / "one" / f"{name}.ogg"
        soundfile.write(path, np.full(n_samples, 0.25, np.float32), 44_100)
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path))
    return tmp_path


def test_pairs_are_stereo_and_equally_long(folder: Path) -> None:
    (item,) = select(read_manifest(), kind="pair", split="valid")
    voice, music = read_pair(item)
    assert voice.shape == music.shape == (2, 4400)
    assert voice.dtype == np.float32
    np.testing.assert_array_equal(voice[0], voice[1])


def test_selection_goes_by_kind_split_and_family(folder: Path) -> None:
    items = read_manifest()
    assert [i.id for i in select(items, kind="music", split="train")] == ["two"]
    assert not select(items, kind="music", split="train", family="band")


def test_a_missing_folder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path / "nowhere"))
    with pytest.raises(AudioFileError, match="RTKARAOKE_DATA"):
        data_root()


def test_an_unreadable_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.ogg").write_text("no sound")
    with pytest.raises(AudioFileError, match=r"x\.ogg"):
        read_audio(tmp_path / "x.ogg")


def test_validation_songs_are_never_trained_on(music_data: Path) -> None:
    items = read_manifest(music_data)
    valid = {(i.family, i.group) for i in items if i.split == "valid"}
    assert not valid & {(i.family, i.group) for i in items if i.split == "train"}
    assert len(select(items, kind="pair", split="valid", family="musdb7s")) == 14
