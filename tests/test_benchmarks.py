"""One command measures everything: what it runs, in which order, and what a failure does."""

import importlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

SAVES = re.compile(r"^[^#\n]*\bsave\(\s*(options\.name|[\"'])", re.MULTILINE)


@pytest.fixture
def benchmarks(root: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """``benchmarks/run.py``, which imports its neighbours by their plain names."""
    monkeypatch.syspath_prepend(root / "benchmarks")
    monkeypatch.delenv("RTKARAOKE_RESULTS", raising=False)
    return importlib.import_module("run")


@pytest.fixture
def peers(root: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """``benchmarks/peers.py``."""
    monkeypatch.syspath_prepend(root / "benchmarks")
    return importlib.import_module("peers")


@pytest.fixture
def scripts(tmp_path: Path) -> Path:
    """Three scripts and a report that note their turn, their arguments and their results folder; one of them fails."""
    for name in ("first", "fails", "last", "report"):
        (tmp_path / f"{name}.py").write_text(
            "import json, os, sys\n"
            f"with open({str(tmp_path / 'turns.jsonl')!r}, 'a') as turns:\n"
            f"    print(json.dumps([{name!r}, sys.argv[1:], os.environ.get('RTKARAOKE_RESULTS')]), file=turns)\n"
            f"sys.exit({3 if name == 'fails' else 0})\n",
            encoding="utf-8",
        )
    return tmp_path


def turns(folder: Path) -> list[list[object]]:
    return [json.loads(line) for line in (folder / "turns.jsonl").read_text(encoding="utf-8").splitlines()]


def test_a_script_that_fails_is_named_and_stops_no_other(benchmarks: ModuleType, scripts: Path) -> None:
    done = benchmarks.run_all(["first", "fails", "last"], scripts)
    assert [turn[0] for turn in turns(scripts)] == ["first", "fails", "last", "report"]
    assert [each.exit_code for each in done] == [0, 3, 0, 0]
    assert "failed: fails" in benchmarks.summary(done)
    assert "nothing failed" in benchmarks.summary([done[0], *done[2:]])


def test_results_go_where_they_belong(benchmarks: ModuleType, scripts: Path) -> None:
    """Of miniatures to a temporary folder, of all else to the usual one."""
    benchmarks.run_all(["first"], scripts)
    assert turns(scripts) == [["first", [], None], ["report", [], None]]
    benchmarks.run_all(["first"], scripts, quick=True)
    (_, arguments, results), (_, report_arguments, reported) = turns(scripts)[2:]
    assert arguments == ["--quick"]
    assert report_arguments == []
    assert results == reported
    assert not list(Path(str(results)).iterdir())
    Path(str(results)).rmdir()


def test_the_command_exits_with_an_error_when_a_script_failed(
    benchmarks: ModuleType, scripts: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(benchmarks, "FOLDER", scripts)
    monkeypatch.setattr(benchmarks, "SCRIPTS", ("first", "fails"))
    monkeypatch.setattr(sys, "argv", ["run.py"])
    with pytest.raises(SystemExit, match="1"):
        benchmarks.main()
    said = capsys.readouterr().out
    assert "failed: fails" in said
    for script in benchmarks.OF_THEIR_OWN:
        assert f"benchmarks/{script}.py, a run of its own" in said


def test_every_script_that_has_results_is_run_or_named_as_a_run_of_its_own(root: Path, benchmarks: ModuleType) -> None:
    folder = root / "benchmarks"
    writing = {path.stem for path in folder.glob("*.py") if SAVES.search(path.read_text(encoding="utf-8"))} - {"common"}
    assert writing == {*benchmarks.SCRIPTS, *benchmarks.OF_THEIR_OWN}
    listed = (folder / "README.md").read_text(encoding="utf-8")
    assert not [name for name in writing if f"| `{name}.py` |" not in listed]


def test_everything_in_quick_has_a_miniature(root: Path, benchmarks: ModuleType) -> None:
    folder = root / "benchmarks"
    assert set(benchmarks.QUICK) == {*benchmarks.SCRIPTS, *benchmarks.OF_THEIR_OWN} - {"papers"}
    without = [
        name for name in benchmarks.QUICK if "--quick" not in (folder / f"{name}.py").read_text(encoding="utf-8")
    ]
    assert not without


def test_what_takes_less_than_half_an_hour_adds_up(root: Path, benchmarks: ModuleType) -> None:
    listed = (root / "benchmarks" / "README.md").read_text(encoding="utf-8")
    minutes = {name: re.search(rf"\| `{name}\.py` \|.*\| ([\d.]+) (min|s) \|", listed) for name in benchmarks.SCRIPTS}
    assert all(minutes.values())
    assert sum(float(found[1]) / (60 if found[2] == "s" else 1) for found in minutes.values() if found) <= 28


@pytest.mark.parametrize("quick", [False, True])
def test_a_miniature_never_takes_the_place_of_results(
    root: Path, benchmarks: ModuleType, tmp_path: Path, quick: bool
) -> None:
    """A script alone, as its author starts it."""
    script = (
        "import argparse, os, tempfile\n"
        f"tempfile.tempdir = {str(tmp_path)!r}\n"
        "from common import RESULTS, parse, results_folder\n"
        "parser = argparse.ArgumentParser()\n"
        "parser.add_argument('--hops', type=int, default=1000)\n"
        "options = parse(parser, hops=3)\n"
        "print(options.hops, results_folder() == RESULTS, results_folder().parent == RESULTS.parent)\n"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join((str(root), str(root / "benchmarks")))}
    command = [sys.executable, "-c", script, *(["--quick"] if quick else [])]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == (["3", "False", "False"] if quick else ["1000", "True", "True"]), done.stderr


def test_the_report_of_other_results_leaves_ours_alone(root: Path, tmp_path: Path) -> None:
    (tmp_path / "hop.json").write_bytes((root / "benchmarks" / "results" / "hop.json").read_bytes())
    before = {path: path.read_bytes() for path in (root / "README.md", root / "benchmarks" / "RESULTS.md")}
    environment = os.environ | {"PYTHONPATH": str(root), "RTKARAOKE_RESULTS": str(tmp_path)}
    command = [sys.executable, str(root / "benchmarks" / "report.py")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert before == {path: path.read_bytes() for path in before}
    assert "## hop" in (tmp_path / "benchmarks" / "RESULTS.md").read_text(encoding="utf-8")
    assert "quality/default has not been measured yet" in (tmp_path / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "left", "right"),
    [
        ("SoX, `oops`", (1.0, -1.0), (1.0, -1.0)),
        ("FFmpeg, `stereotools=mlev=0.015625`", (0.5078, -0.4922), (-0.4922, 0.5078)),
        ("FFmpeg, `pan` to left - right", (1.0, -1.0), (-1.0, 1.0)),
    ],
)
def test_the_tools_that_cancel_the_centre_do_what_the_document_says(
    peers: ModuleType, name: str, left: tuple[float, float], right: tuple[float, float]
) -> None:
    command = peers.TOOLS[name]
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    voice, music = 0.1 * np.random.default_rng(0).standard_normal((2, 2, 20_000), np.float32)
    mixture = voice + music
    found = mixture - peers.tool(command)(voice, music)
    np.testing.assert_allclose(found, np.array([left, right], np.float32) @ mixture, atol=1e-4)


def test_a_level_that_was_set_costs_nothing(peers: ModuleType) -> None:
    music, noise = np.random.default_rng(0).standard_normal((2, 2, 1000), np.float32)
    estimate = music + 0.1 * noise
    assert peers.level_set(0.25 * estimate, music) == pytest.approx(peers.level_set(estimate, music), abs=1e-3)
    assert peers.sdr(0.25 * estimate, music) < 3 < peers.level_set(estimate, music)
    assert peers.level_set(np.zeros_like(music), music) == 0
