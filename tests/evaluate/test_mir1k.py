"""MIR-1K's classical protocol: which clips, and how loud."""

from pathlib import Path

import numpy as np
import pytest

from rtkaraoke.errors import AudioFileError
from rtkaraoke.evaluate.mir1k import classical_clips, load_clip, of_singers
from tests.support.clips import write_clips


def test_two_singers_train_and_the_others_test(tmp_path: Path) -> None:
    root = write_clips(tmp_path, 0.2)
    assert {item.group for item in classical_clips("train", root)} == {"abjones", "amy"}
    assert [item.group for item in classical_clips("test", root)] == ["leon", "Ani"]
    assert len(of_singers(["amy"], root)) == 2


def test_the_real_folder_has_all_training_clips_and_every_other_singer(music_data: Path) -> None:
    assert len(classical_clips("train", music_data)) == 175
    test = classical_clips("test", music_data)
    assert len(test) == 275
    assert len({item.group for item in test}) == 17


@pytest.mark.parametrize("balance_db", [-5.0, 0.0, 5.0])
def test_voice_is_as_much_louder_as_asked_and_nothing_clips(tmp_path: Path, balance_db: float) -> None:
    clip = load_clip(classical_clips("test", write_clips(tmp_path, 0.5))[0], balance_db)
    energies = [float(np.square(part, dtype=np.float64).sum()) for part in (clip.voice, clip.music)]
    assert 10 * np.log10(energies[0] / energies[1]) == pytest.approx(balance_db, abs=1e-3)
    assert clip.voice.shape == clip.music.shape == (1, 8000)
    assert max(np.abs(part).max() for part in (clip.voice, clip.music, clip.mixture)) <= 1 + 1e-6


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    root = write_clips(tmp_path, 0.1, ("amy",))
    with pytest.raises(AudioFileError, match="no clips of MIR-1K for test"):
        classical_clips("test", root)
    with pytest.raises(AudioFileError, match="no clips of leon"):
        of_singers(["leon"], root)
    with pytest.raises(ValueError, match="train and test"):
        classical_clips("valid", root)
