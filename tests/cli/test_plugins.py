"""``rtkaraoke plugins``: lists, describes and tests any plugin, also one of another package."""

import json
from pathlib import Path

import pytest

from rtkaraoke.plugins import check
from rtkaraoke.plugins.hosting import checking
from rtkaraoke.plugins.registry import plugin_names
from tests.cli.conftest import Run


@pytest.fixture
def foreign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package with a good plugin, one that lets NaN through, and one that does not load."""
    (tmp_path / "rtk_elsewhere.py").write_text(
        "import threading\nfrom rtkaraoke.plugins.gain import Gain\n"
        "class Fader(Gain):\n    '''Another level.'''\n    name = 'fader'\n"
        "class Stuck(Gain):\n    name = 'stuck'\n"
        "    def process(self, block, out):\n        threading.Event().wait()\n"
        "class Dirty(Gain):\n    name = 'dirty'\n"
        "    def process(self, block, out):\n        out[:] = block\n"
    )
    metadata = tmp_path / "rtk_elsewhere-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: rtk-elsewhere\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(
        "[rtkaraoke.plugins]\nfader = rtk_elsewhere:Fader\ndirty = rtk_elsewhere:Dirty\ngone = rtk_elsewhere:Gone\n"
        "stuck = rtk_elsewhere:Stuck\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))


def test_every_plugin_is_listed_and_one_that_does_not_load_hides_none(run: Run, foreign: None) -> None:
    answer = run("plugins", "--json")
    assert answer.code == 0
    listed = {entry["name"]: entry for entry in json.loads(answer.out)}
    assert set(listed) == {"vocal_remover", *plugin_names()}
    assert listed["fader"]["summary"] == "Another level."
    assert listed["gate"]["latency"] == 0
    assert listed["key_shift"]["latency"] == 4096
    assert listed["vocal_remover"]["latency"] == 558
    assert "rtk_elsewhere:Gone failed" in listed["gone"]["error"]
    lines = run("plugins").out.splitlines()
    assert any(line.split()[:4] == ["key_shift", "85.3", "ms", "Moves"] for line in lines)
    assert any(line.split()[:3] == ["gate", "none", "Turns"] for line in lines)


def test_a_plugin_is_described_with_parameters_and_presets(run: Run) -> None:
    text = run("plugins", "reverb").out
    for words in ("A room of any size", "latency: none", "0.1 to 15", "off | on", "hall", "decay 2.6"):
        assert words in text
    described = json.loads(run("plugins", "echo", "--json").out)
    assert described["latency"] == 0
    assert described["presets"]["slap"]["time"] == 110.0
    (time,) = [parameter for parameter in described["parameters"] if parameter["name"] == "time"]
    assert (time["unit"], time["minimum"], time["maximum"]) == ("ms", 20.0, 2000.0)


def test_the_vocal_remover_is_described_too(run: Run) -> None:
    assert "level of the voice" in run("plugins", "vocal_remover").out


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = ("declaration", "NaN and Inf", "silence")
    monkeypatch.setattr(check, "CHECKS", {name: check.CHECKS[name] for name in kept})


def test_a_test_says_pass_or_fail_for_each_check_and_fails_as_a_whole(run: Run, foreign: None, quick: None) -> None:
    good = run("plugins", "fader", "--test")
    assert good.code == 0
    assert [line.split()[0] for line in good.out.splitlines()] == ["pass"] * 3
    bad = run("plugins", "dirty", "--test")
    assert bad.code == 1
    assert [line.split()[0] for line in bad.out.splitlines()] == ["pass", "FAIL", "pass"]
    assert "samples are NaN or Inf" in bad.out


def test_a_test_of_a_plugin_that_hangs_ends_and_says_so(
    run: Run, foreign: None, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checking, "PATIENCE_S", 5.0)
    answer = run("plugins", "stuck", "--test")
    assert answer.code == 2
    assert answer.out.split()[:2] == ["pass", "declaration"]
    assert "the plugin hangs (check 'NaN and Inf')" in answer.err


def test_a_test_answers_in_json(run: Run, quick: None) -> None:
    answer = run("plugins", "gate", "--test", "--json")
    assert answer.code == 0
    assert [(result["check"], result["passed"]) for result in json.loads(answer.out)] == [
        ("declaration", True),
        ("NaN and Inf", True),
        ("silence", True),
    ]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("flanger",), "no plugin 'flanger': there are compressor"),
        (("flanger", "--test"), "no plugin 'flanger': there are compressor"),
        (("gone", "--test"), "plugin 'gone' from rtk_elsewhere:Gone failed"),
        (("--test",), "--test wants the name of a plugin"),
    ],
)
def test_a_name_that_is_none_is_a_mistake_of_the_user(
    run: Run, foreign: None, words: tuple[str, ...], said: str
) -> None:
    answer = run("plugins", *words)
    assert answer.code == 2
    assert said in answer.err
