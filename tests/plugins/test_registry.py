"""Plugins are found by name: those that ship, and those of other installed packages."""

from pathlib import Path

import numpy as np
import pytest

from rtkaraoke.errors import PluginError
from rtkaraoke.plugins.protocol import Plugin
from rtkaraoke.plugins.registry import create_plugin, plugin_names, shipped_names


@pytest.fixture
def foreign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package that declares three entry points: a plugin, one that raises, and one that is none."""
    (tmp_path / "rtk_foreign.py").write_text(
        "from rtkaraoke.plugins.gain import Gain\n"
        "class Telephone(Gain):\n    name = 'telephone'\n"
        "def broken():\n    raise OSError('no licence')\n"
        "def nothing():\n    return 42\n"
    )
    metadata = tmp_path / "rtk_foreign-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: rtk-foreign\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(
        "[rtkaraoke.plugins]\ntelephone = rtk_foreign:Telephone\nbroken = rtk_foreign:broken\n"
        "nothing = rtk_foreign:nothing\nmissing = rtk_foreign:gone\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))


def test_shipped_plugins_keep_the_protocol() -> None:
    for name in shipped_names():
        plugin = create_plugin(name)
        assert isinstance(plugin, Plugin)
        assert plugin.name == name


def test_a_foreign_plugin_is_found_and_runs(foreign: None) -> None:
    assert "telephone" in plugin_names()
    plugin = create_plugin("telephone")
    plugin.prepare(44_100, 1, 16)
    block = np.ones((1, 16), np.float32)
    plugin.process(block, block)
    assert (block == 1).all()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("broken", "plugin 'broken' from rtk_foreign:broken failed: OSError: no licence"),
        ("nothing", "is no plugin"),
        ("missing", "plugin 'missing' from rtk_foreign:gone failed"),
        ("flanger", "no plugin 'flanger': there are broken, compressor, de_esser, echo"),
    ],
)
def test_what_is_no_plugin_is_refused_by_name(foreign: None, name: str, words: str) -> None:
    with pytest.raises(PluginError, match=words):
        create_plugin(name)
