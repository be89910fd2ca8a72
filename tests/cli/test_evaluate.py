"""``evaluate`` measures what it is pointed at, and says so to people and to programs."""

import json
from pathlib import Path

import pytest

from rtkaraoke.evaluate.data import DATA_VARIABLE
from rtkaraoke.masks import models
from tests.cli.conftest import Run
from tests.support import datasets, networks

QUICK = ("--baseline", "nothing", "--bsseval", "none", "--split", "all")


@pytest.fixture
def songs(tmp_path: Path) -> Path:
    datasets.make_folder(tmp_path / "songs")
    return tmp_path / "songs"


def test_prints_a_table_of_all_methods(songs: Path, run: Run) -> None:
    answer = run("evaluate", songs, "--model", "centre", *QUICK, "--baseline", "oracle-ratio")
    assert answer.code == 0
    lines = answer.out.splitlines()
    assert lines[0].startswith("songs (folder, all): 3 songs")
    assert lines[2].split() == ["dB", "nothing", "centre", "oracle-ratio"]
    assert [line[:9].strip() for line in lines[3:8]] == ["voice SDR", "music SDR", "removal", "damage", "loss"]
    assert "Alone is left out" in answer.err


def test_json_is_for_programs(songs: Path, tmp_path: Path, run: Run) -> None:
    half = networks.constant_mask(tmp_path / "half.onnx", 0.5)
    answer = run("evaluate", songs, "--model", "centre", "--model", half, *QUICK, "--json")
    data = json.loads(answer.out)
    assert list(data["methods"]) == ["nothing", "centre", "half"]
    assert data["methods"]["half"]["removal"]["value"] == pytest.approx(6.02, abs=0.1)
    assert {c["method"] for c in data["comparisons"]} == {"half"}
    assert answer.err == ""


def test_options_reach_the_songs_and_the_networks(songs: Path, tmp_path: Path, run: Run) -> None:
    half = networks.constant_mask(tmp_path / "half.onnx", 0.5)
    options = ("--bias", "2", "--strength", "2", "--sample-rate", "48000", "--seconds", "0.2", "--balance", "3")
    answer = run("evaluate", songs, "--model", half, *QUICK, *options, "--songs", "2", "--json")
    data = json.loads(answer.out)
    assert data["n_songs"] == 2
    assert data["settings"] == {
        "sample_rate": 48_000, "balance_db": 3.0, "seconds": 0.2, "strength": 2.0, "bias": 2.0
    }  # fmt: skip
    assert data["methods"]["half"]["removal"]["value"] == pytest.approx(18.5, abs=0.3)  # 1 - sigmoid(2) = -18.5 dB


def test_markdown(songs: Path, run: Run) -> None:
    answer = run("evaluate", songs, "--model", "centre", *QUICK, "--markdown")
    assert "| method | voice SDR | music SDR | removal | damage | loss |" in answer.out


def test_without_a_folder_it_is_the_projects_own_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Run
) -> None:
    datasets.make_manifest(tmp_path)
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path))
    monkeypatch.setattr(models, "DEFAULT_MODEL", "centre")
    answer = run("evaluate", "--family", "game", "--baseline", "none")
    assert answer.code == 0
    assert "(manifest, valid): 1 songs" in answer.out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("nowhere",), "nowhere: no such folder"),
        ((".", "--model", "centre"), "holds no songs with files named vocals and accompaniment"),
        ((".", "--kind", "musdb"), "there are manifest, musdb18"),
    ],
)
def test_mistakes_are_said(
    arguments: tuple[str, ...], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Run
) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    answer = run("evaluate", *arguments)
    assert answer.code == 2
    assert words in answer.err


def test_help(run: Run) -> None:
    answer = run("evaluate", "--help")
    assert "DATASET" in answer.out
    assert "--model" in answer.out
