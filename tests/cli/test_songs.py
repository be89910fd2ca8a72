"""``songs`` tells what a folder yields."""

import json
from pathlib import Path

from tests.cli.conftest import Run
from tests.support.songs import write_song, write_ultrastar


def test_songs_and_problems_are_listed(tmp_path: Path, run: Run) -> None:
    folder = tmp_path / "songs"
    write_ultrastar(folder / "a", "One", "Zoë")
    write_song(folder / "Some\x1b[2Jone - Two.wav")
    (folder / "broken.mp3").write_bytes(b"")
    for _ in range(2):
        answer = run("songs", folder)
        assert answer.code == 0
        assert "2 songs" in answer.out
        assert "Some[2Jone" in answer.out
        assert "\x1b" not in answer.out
        assert "syllables" in answer.out
        assert "broken.mp3: is empty" in answer.err
    found = json.loads(run("songs", folder, "--json", "--search", "zoe").out)
    assert [song["title"] for song in found["songs"]] == ["One"]
    assert [problem["path"] for problem in found["problems"]] == ["broken.mp3"]


def test_a_folder_that_is_not_there_is_said(tmp_path: Path, run: Run) -> None:
    answer = run("songs", tmp_path / "nowhere")
    assert answer.code == 2
    assert "no such folder" in answer.err
