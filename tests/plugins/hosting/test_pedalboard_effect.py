"""Effects of pedalboard, VST3 and Audio Units: what they declare, and that they are themselves, one block later."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from rtkaraoke.errors import PluginError
from rtkaraoke.plugins.hosting import pedalboard_effect
from rtkaraoke.plugins.hosting.external import BLOCK
from rtkaraoke.plugins.hosting.names import is_external
from rtkaraoke.plugins.hosting.pedalboard_effect import SWITCH, ShippedEffect
from rtkaraoke.plugins.protocol import Parameter
from rtkaraoke.plugins.registry import create_plugin
from tests.support.fake_live import noise

pedalboard = pytest.importorskip("pedalboard", reason="the extra effects is not installed")

RATE = 44_100


def run(plugin, signal, block=BLOCK):
    out = np.empty_like(signal)
    for start in range(0, signal.shape[1], block):
        piece = np.ascontiguousarray(signal[:, start : start + block])
        plugin.process(piece, piece)
        out[:, start : start + block] = piece
    return out


def impulse(n_samples, at=100):
    signal = np.zeros((2, n_samples), np.float32)
    signal[:, at] = 0.5
    return signal


def test_an_effect_is_pedalboard_s_own_one_block_later():
    signal = noise(BLOCK * 100).T.copy()
    plugin = create_plugin("pedalboard:Chorus")
    try:
        plugin.set("rate_hz", 3.0)
        plugin.set("mix", 0.75)
        plugin.prepare(RATE, 2, 1024)
        assert plugin.name == "chorus"
        assert plugin.latency == BLOCK
        wet = run(plugin, signal, 1024)
    finally:
        plugin.close()
    itself = pedalboard.Chorus(rate_hz=3.0, mix=0.75)
    pieces = np.split(signal, signal.shape[1] // BLOCK, axis=1)
    expected = np.concatenate([itself.process(p, RATE, buffer_size=BLOCK, reset=False) for p in pieces], axis=1)
    assert np.array_equal(wet[:, BLOCK:], expected[:, :-BLOCK])
    assert not np.allclose(wet[:, BLOCK:], signal[:, :-BLOCK], atol=0.01)


def test_an_effect_that_holds_sound_back_declares_it():
    plugin = ShippedEffect("BrickwallLimiter")
    plugin.prepare(RATE, 2, BLOCK)
    assert plugin.latency > 0
    out = run(plugin, impulse(20 * BLOCK))
    assert abs(out[0]).argmax() == 100 + plugin.latency
    plugin.reset()
    assert np.array_equal(run(plugin, impulse(20 * BLOCK)), out)


@pytest.mark.parametrize("kind", sorted(pedalboard_effect._shipped(pedalboard)))
def test_every_effect_takes_the_ends_of_its_ranges(kind):
    plugin = ShippedEffect(kind)
    plugin.prepare(16_000, 2, BLOCK)
    signal = noise(BLOCK * 8).T.copy()
    for parameter in plugin.parameters.values():
        for value in (parameter.minimum, parameter.maximum, parameter.default):
            plugin.set(parameter.name, value)
            assert np.isfinite(run(plugin, signal)).all(), (parameter.name, value)
    plugin.prepare(48_000 if kind == "MP3Compressor" else 96_000, 1, BLOCK)
    assert np.isfinite(run(plugin, signal[:1])).all()
    plugin.close()


def test_parameters_have_ranges_units_and_choices():
    ladder = ShippedEffect("LadderFilter")
    assert ladder.name == "ladder_filter"
    assert ladder.parameters["cutoff_hz"] == Parameter("cutoff_hz", "Hz", 20.0, 20_000.0, 200.0)
    mode = ladder.parameters["mode"]
    assert mode.choices[:2] == ("LPF12", "HPF12")
    assert (mode.minimum, mode.maximum, mode.default) == (0, len(mode.choices) - 1, 0)
    ladder.prepare(RATE, 1, BLOCK)
    signal = np.ones((1, 50 * BLOCK), np.float32)
    assert run(ladder, signal)[0, -1] > 0.5
    ladder.set("mode", mode.choices.index("HPF24"))
    assert abs(run(ladder, signal)[0, -1]) < 0.01


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("pedalboard:Tremolo", "no effect 'Tremolo' of pedalboard: there are .*Chorus"),
        ("pedalboard:PitchShift", "holds back a second of sound"),
        ("/nowhere/Effect.vst3", "there is no such file"),
        ("external:pedalboard:Chorus", "runs in a process of its own as it is"),
        ("external:nothing", "no plugin 'nothing'"),
    ],
)
def test_what_cannot_be_had_is_refused_by_name(name, words):
    with pytest.raises(PluginError, match=words):
        create_plugin(name)


def test_a_file_that_is_no_plugin_is_refused(tmp_path):
    file = tmp_path / "Effect.vst3"
    file.write_text("no plugin")
    with pytest.raises(PluginError, match=r"Effect\.vst3"):
        create_plugin(str(file))


def test_without_the_extra_the_error_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr("rtkaraoke.plugins.hosting.names.find_spec", lambda name: None)
    with pytest.raises(PluginError, match=r"pip install 'rtkaraoke\[effects\]'"):
        create_plugin("pedalboard:Chorus")


def test_names_of_contained_plugins():
    for name in ("external:gain", "pedalboard:Chorus", "/a/B.vst3", "C:\\a\\B.VST3", "B.component/", "a/B.vst3#C"):
        assert is_external(name)
    for name in ("gain", "vocal_remover", "vst3", "my.external"):
        assert not is_external(name)


def test_hosting_an_effect_imports_no_gpl_code_into_the_host():
    program = (
        "import sys\n"
        "from rtkaraoke.plugins.registry import create_plugin\n"
        "if __name__ == '__main__':\n"
        "    plugin = create_plugin('pedalboard:Gain')\n"
        "    plugin.prepare(44_100, 2, 256)\n"
        "    plugin.close()\n"
        "    print([name for name in sys.modules if 'pedalboard' in name])\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "['rtkaraoke.plugins.hosting.pedalboard_effect']", done.stderr


def found(kind, values=(), lowest=None, highest=None, label="", raw=0.5):
    """A parameter as pedalboard describes those of plugin files."""
    return SimpleNamespace(
        type=kind, valid_values=list(values), min_value=lowest, max_value=highest, label=label, raw_value=raw
    )


@pytest.mark.parametrize(
    ("value", "parameter", "declared"),
    [
        (True, found(bool), Parameter("x", "", 0, 1, 1.0, "", SWITCH)),
        (3.0, found(float, (), -6.0, 6.0, " dB"), Parameter("x", "dB", -6.0, 6.0, 3.0)),
        (9.0, found(float, (), -6.0, 6.0, None), Parameter("x", "", -6.0, 6.0, 6.0)),
        ("b", found(str, "abc"), Parameter("x", "", 0, 2, 1, "", ("a", "b", "c"))),
        ("a", found(str, "a"), None),
        (1.0, found(float, (), 1.0, 1.0), None),
        (0.0, found(float, (0.0, float("inf")), 0.0, float("inf")), Parameter("x", "", 0, 1, 0, "", ("0.0", "inf"))),
        (
            "7",
            found(str, [str(n) for n in range(1000)]),
            Parameter("x", "", 0.0, 1.0, 0.5, "the plugin's own scale, from 0 to 1"),
        ),
    ],
)
def test_parameters_of_plugin_files_become_ours(value, parameter, declared):
    assert pedalboard_effect._declare("x", value, parameter) == declared


def test_a_vst3_plugin_runs(tmp_path):
    """Needs one: any stereo effect, named by RTKARAOKE_VST3 or installed where the system keeps them."""
    named = os.environ.get("RTKARAOKE_VST3")
    folders = (Path("/usr/lib/vst3"), Path("/usr/local/lib/vst3"), Path("/Library/Audio/Plug-Ins/VST3"))
    installed = [named] if named else [str(path) for folder in folders for path in folder.glob("*.vst3")]
    if not installed:
        pytest.skip("no VST3 plugin is installed, and RTKARAOKE_VST3 names none")
    plugin = create_plugin(installed[0])
    try:
        for n_channels in (2, 1):
            plugin.prepare(RATE, n_channels, 1024)
            assert plugin.latency >= BLOCK
            for parameter in plugin.parameters.values():
                for value in (parameter.minimum, parameter.maximum, parameter.default):
                    plugin.set(parameter.name, value)
                    run(plugin, noise(1024, n_channels).T.copy(), 300)
            plugin.reset()
            assert np.isfinite(run(plugin, noise(10_000, n_channels).T.copy(), 300)).all()
            assert plugin.counters[f"{plugin.name}.dry"] == 0
    finally:
        plugin.close()
