"""From a preset to an engine with microphones, and to the channels of the card."""

from pathlib import Path
from typing import ClassVar

import pytest

from rtkaraoke.cli import build
from rtkaraoke.cli.evening import with_mics
from rtkaraoke.cli.options import Common
from rtkaraoke.config import Effective, Option, load
from rtkaraoke.engine import Engine
from rtkaraoke.errors import ConfigError, LiveError, PluginError
from rtkaraoke.masks.centre import CentreNetwork
from rtkaraoke.plugins.gain import Gain
from rtkaraoke.plugins.protocol import Parameter
from tests.support import engines

TEXT = """
[live]
channels_in = [3, 4]

[mics.mic1]
channels = [1]
chain = ["gain", "limiter"]

[mics.choir]
channels = [5, 6]

[sends.reverb]
chain = ["gain"]

[outputs.headphones]
channels = [3, 4]

[plugins.mic1]
level = -3.0
send_reverb = -12

[plugins.mic1.gain]
level = 6.0
bypass = "on"

[plugins.headphones]
level_music = -inf

[plugins.duck]
depth = 12

[plugins.reverb]
pan = 0.5

[plugins.music]
level = -1
"""


@pytest.fixture
def settings(tmp_path: Path) -> Effective:
    return load(str(preset(tmp_path, TEXT)))


def preset(folder: Path, text: str) -> Path:
    path = folder / "night.toml"
    path.write_text(text)
    return path


def built(settings: Effective, *, mics: bool = True) -> Engine:
    return build.engine(settings, CentreNetwork(), mics=mics)


def test_a_preset_says_which_microphones_there_are_and_how_they_are_set(settings: Effective) -> None:
    with built(settings) as engine:
        engine.prepare(44_100, 2, 256)
        assert (engine.n_inputs, engine.n_outputs) == (2 + 1 + 2, 2 + 2)
        assert [mic.name for mic in engine.mics] == ["mic1", "choir"]
        for plugin, parameter, value in [
            ("mic1", "level", -3.0),
            ("mic1", "send_reverb", -12.0),
            ("mic1.gain", "level", 6.0),
            ("mic1.gain", "bypass", 1.0),
            ("headphones", "level_music", -90.0),
            ("duck", "depth", 12.0),
        ]:
            assert engine.get(plugin, parameter) == value
        assert [part.name for part in engine.layout() if part.bus == "mic1"] == ["mic1.gain", "mic1.limiter", "mic1"]


def test_files_are_rendered_without_microphones(settings: Effective) -> None:
    with built(settings, mics=False) as engine:
        assert list(engine.plugins) == ["vocal_remover", "limiter"]


def test_a_session_takes_the_card_s_channels_from_the_tables(settings: Effective) -> None:
    line = build.live_session(settings)._settings
    assert (line.channels_in, line.mic_in) == ((3, 4), (1, 5, 6))
    assert (line.channels_out, line.more_out) == ((1, 2), (3, 4))
    songs = build.live_session(settings, source=engines.Hum)._settings
    assert (songs.channels_in, songs.inputs) == ((), (1, 5, 6))


def test_a_microphone_on_the_music_s_channel_is_refused(tmp_path: Path) -> None:
    path = preset(tmp_path, "[mics.mic1]\nchannels = [1]\n")
    with pytest.raises(LiveError, match=r"mic_in \(1,\) and channels_in \(1, 2\) share a channel"):
        build.live_session(load(str(path)))


def test_an_option_reaches_a_plugin_of_a_bus(settings: Effective, tmp_path: Path) -> None:
    key = ("plugins", "mic1", "gain", "level")
    effective = load(str(preset(tmp_path, TEXT)), {key: Option("--set mic1.gain.level", -20.0)})
    with built(effective) as engine:
        assert engine.get("mic1.gain", "level") == -20.0


ROOMS = """
[mics.mic1]
channels = [1]
chain = ["gate", "reverb"]

[sends.wet]
chain = ["reverb"]

[plugins.mic1.reverb]
decay = 1.0
preset = "hall"

[plugins.wet.reverb]
preset = "plate"
"""


def test_a_plugin_s_preset_is_named_in_its_table_and_explicit_parameters_win(tmp_path: Path) -> None:
    with built(load(str(preset(tmp_path, ROOMS)))) as engine:
        hall = engine.presets("mic1.reverb")["hall"]
        assert {name: engine.get("mic1.reverb", name) for name in hall} == {**hall, "decay": 1.0}
        assert engine.get("wet.reverb", "decay") == engine.presets("mic1.reverb")["plate"]["decay"]
        assert engine.get("wet.reverb", "mix") == 100.0  # a send is the effect alone


def test_a_preset_given_as_an_option_goes_before_what_the_file_says(tmp_path: Path) -> None:
    options = dict(Common(set_=("mic1.reverb.preset=plate", "mic1.reverb.size=44")).given())
    with built(load(str(preset(tmp_path, ROOMS)), options)) as engine:
        plate = engine.presets("mic1.reverb")["plate"]
        assert {name: engine.get("mic1.reverb", name) for name in plate} == {**plate, "size": 44.0}


def test_another_microphone_is_like_the_last_one_but_for_what_is_set_for_it(tmp_path: Path) -> None:
    options = dict(Common(set_=("mic1.reverb.preset=plate", "mic2.reverb.decay=0.5")).given())
    with built(with_mics(load(str(preset(tmp_path, ROOMS)), options), 2)) as engine:
        plate = engine.presets("mic1.reverb")["plate"]
        for name, decay in (("mic1.reverb", plate["decay"]), ("mic2.reverb", 0.5)):
            assert {each: engine.get(name, each) for each in plate} == {**plate, "decay": decay}


class Drums(Gain):
    """Has presets with names that look like numbers, and a parameter that is named like them."""

    name = "drums"
    presets: ClassVar = {"808": {"level": -8.0}}


def test_a_preset_may_be_called_by_a_number_and_a_parameter_preset() -> None:
    drums = Drums()
    with Engine([drums]) as engine:
        build.set_parameter(engine, "drums", "preset", 808.0)
        assert engine.get("drums", "level") == -8.0
        drums._declared["preset"] = Parameter("preset", "", 0, 3, 0)
        build.set_parameter(engine, "drums", "preset", 3.0)
        assert (engine.get("drums", "preset"), engine.get("drums", "level")) == (3.0, -8.0)


def test_the_duck_can_be_left_out_and_needs_a_microphone(tmp_path: Path) -> None:
    for text in ("[engine]\nduck = false\n[mics.mic1]\nchannels = [1]\n", "[sends.reverb]\nchain = ['gain']\n"):
        with built(load(str(preset(tmp_path, text)))) as engine:
            assert "duck" not in engine.plugins


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[mics.mic1]\nchannels = [1]\nchain = ['kazoo']\n", r"preset night\.toml:3: no plugin 'kazoo'"),
        ("[sends.wet]\nchain = ['kazoo']\n", r"preset night\.toml:2: no plugin 'kazoo'"),
        (
            "[mics.mic1]\nchannels = [1]\n[plugins.mic1.gain]\nlevel = 1\n",
            r"preset night\.toml:4: no plugin 'mic1\.gain'",
        ),
        ("[mics.mic1]\nchannels = [1]\n[plugins.mic1]\nlevel = 99\n", r"preset night\.toml:4: level = 99"),
        (
            "[mics.mic1]\nchannels = [1]\nchain = ['gate']\n[plugins.mic1.gate]\npreset = 'hall'\n",
            r"preset night\.toml:5: mic1\.gate: no preset 'hall': there are vocal, gentle, loud stage",
        ),
        (
            "[mics.mic1]\nchannels = [1]\n[plugins.mic1]\npreset = 'hall'\n",
            r"night\.toml:4: mic1: no preset 'hall': there are none",
        ),
        ("[plugins.limiter]\nloudness = 'high'\n", r"night\.toml:2: no parameter 'loudness': there are "),
        ("[mics.music]\nchannels = [1]\n", "two plugins are named 'music'"),
    ],
)
def test_what_cannot_be_names_the_line(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        built(load(str(preset(tmp_path, text))))


def test_a_target_of_too_many_parts_is_refused() -> None:
    with pytest.raises(PluginError, match="wanted PLUGIN"):
        Common(set_=("a.b.c.d=1",)).settings()
