"""``rtkaraoke bench`` as a user types it; what needs a sound server is in tests/live and tests/bench."""

import json
from pathlib import Path

import pytest

from rtkaraoke.bench import smallest
from tests.bench.reports import trials
from tests.cli.conftest import Run


def test_hop_answers_in_a_table_in_json_and_as_a_page(run: Run, tmp_path: Path) -> None:
    page = tmp_path / "hop.html"
    answer = run("bench", "hop", "--model", "centre", "--hops", 20, "--report", page)
    assert answer.code == 0, answer.err
    assert "One hop against the time it has" in answer.out
    assert f"wrote {page}" in answer.err.replace("\n", "")
    assert "<svg" in page.read_text(encoding="utf-8")
    answer = run("bench", "hop", "--model", "centre", "--hops", 20, "--block", 64, "--json")
    assert json.loads(answer.out)["name"] == "hop"


def test_two_reports_are_compared(run: Run, tmp_path: Path) -> None:
    for name in ("a.json", "b.json"):
        (tmp_path / name).write_text(run("bench", "hop", "--model", "centre", "--hops", 40, "--json").out)
    answer = run("bench", "compare", tmp_path / "a.json", tmp_path / "b.json")
    assert answer.code == 0, answer.err
    assert "hop.centre.cpu.44100.as_live.p50_ms" in answer.out
    assert "figures" in answer.err


@pytest.mark.parametrize(
    ("argv", "reason"),
    [
        (("hop", "--hops", 3), "at least 20 hops"),
        (("hop", "--block", 0), "1 to 65536 samples"),
        (("hop", "--model", "nosuch"), "nosuch"),
        (("hop", "--streams", 0), "--streams (0,): wanted 1 to 4096"),
        (("schedule", "--load", "rain"), "there are idle, cpu, memory, disk"),
        (("schedule", "--seconds", -1), "wanted 0.1 to 3600 s"),
        (("soak", "--seconds", 0), "wanted 1 to 1000000 s"),
        (("loopback", "--runs", 0), "wanted 1 to 100 runs"),
        (("loopback", "--level", 6), "-90 to 0 dB"),
        (("loopback", "--engine", "--save"), "measure it without --engine"),
        (("loopback", "--channels-in", "a"), "wanted channel numbers"),
        (("loopback", "--engine", "--preset", "night"), "without microphones and outputs"),
        (("devices", "--blocks", 4), "16 to 8192 samples"),
        (("compare", "none.json", "none.json"), "no report"),
        (("quality", "no folder"), "no folder"),
    ],
)
def test_what_cannot_be_is_refused_with_value_and_rule(run: Run, argv: tuple[object, ...], reason: str) -> None:
    answer = run("bench", *argv)
    assert answer.code == 2
    assert answer.out == ""
    assert reason in answer.err.replace("\n", " ")


def test_a_silent_card_measures_nothing_and_says_so(run: Run, card) -> None:
    card("none")
    answer = run("bench", "loopback")
    assert answer.code == 2
    assert answer.err


def test_devices_recommends_and_writes_a_preset(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(smallest, "smallest", lambda *_, **__: trials())
    path = tmp_path / "mine.toml"
    answer = run("bench", "devices", "--seconds", 5, "--write", path)
    assert answer.code == 0, answer.err
    assert "--block 128 --prefill 768" in answer.err.replace("\n", " ")
    assert "block = 128" in path.read_text(encoding="utf-8")
    answer = run("bench", "devices", "--write", path)
    assert answer.code == 2
    assert "is there" in answer.err
    answer = run("bench", "devices", "--json")
    assert json.loads(answer.out)["figures"]["devices.recommended_prefill_samples"]["value"] == 768


def test_devices_that_hold_nothing_give_exit_code_2(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(smallest, "smallest", lambda *_, **__: trials()[2:])
    answer = run("bench", "devices", "--write", tmp_path / "mine.toml")
    assert answer.code == 2
    assert "No block held" in answer.err
    assert not (tmp_path / "mine.toml").exists()
