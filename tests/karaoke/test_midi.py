"""MIDI: learn, move, keep, forget."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rtkaraoke.errors import NightError
from rtkaraoke.karaoke.midi import Binding, Control, Midi
from rtkaraoke.plugins.protocol import Parameter

mido = pytest.importorskip("mido", reason="needs the extra midi")

LEVEL = Parameter("level", "dB", -90.0, 6.0, 0.0)
MUTE = Parameter("mute", "", 0, 1, 0, "", ("off", "on"))
KIND = Parameter("kind", "", 0, 2, 0, "", ("hall", "plate", "room"))
PARAMETERS = {("mic1", "level"): LEVEL, ("mic1", "mute"): MUTE, ("reverb", "kind"): KIND}
NAME = "nanoKONTROL2 24:0"


class FakePort:
    def __init__(self, callback: Callable[[Any], None]) -> None:
        self.callback = callback
        self.closed = False

    def close(self) -> None:
        self.closed = True


class FakePorts:
    def __init__(self, *names: str) -> None:
        self.names = list(names)
        self.port: FakePort | None = None

    def get_input_names(self) -> list[str]:
        return self.names

    def open_input(self, name: str, *, callback: Callable[[Any], None]) -> FakePort:
        if name == "taken":
            raise OSError("device busy")
        self.port = FakePort(callback)
        return self.port


class Desk:
    """A controller, and what it moved."""

    def __init__(self, path: Path, name: str = NAME) -> None:
        self.values: dict[tuple[str, str], float] = {}
        self.ports = FakePorts(name, "taken")
        self.midi = Midi(
            path,
            PARAMETERS,
            lambda plugin, parameter, value: self.values.__setitem__((plugin, parameter), value),
            lambda plugin, parameter: self.values.get((plugin, parameter), 0.0),
            self.ports,
        )
        self.midi.open(name)

    def play(self, kind: str, **more: int) -> None:
        assert self.ports.port is not None
        self.ports.port.callback(mido.Message(kind, **more))


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path / "config" / "midi.json")


def test_a_knob_that_learnt_a_parameter_moves_it_over_its_whole_range(desk: Desk) -> None:
    desk.midi.learn("mic1", "level")
    desk.play("control_change", control=7, value=64)
    assert desk.midi.learning is None
    for value, wanted in ((0, -90.0), (127, 6.0)):
        desk.play("control_change", control=7, value=value)
        assert desk.values["mic1", "level"] == wanted
    desk.play("control_change", control=8, value=5)
    desk.play("control_change", control=7, channel=1, value=5)
    assert desk.values["mic1", "level"] == 6.0


def test_a_pad_switches_over_and_its_release_does_nothing(desk: Desk) -> None:
    desk.midi.learn("mic1", "mute")
    desk.play("note_on", note=36, velocity=100)
    assert desk.values["mic1", "mute"] == 1.0
    desk.play("note_off", note=36)
    desk.play("note_on", note=36, velocity=0)
    assert desk.values["mic1", "mute"] == 1.0
    desk.play("note_on", note=36, velocity=100)
    assert desk.values["mic1", "mute"] == 0.0


def test_choices_get_whole_numbers_and_the_wheel_reaches_both_ends(desk: Desk) -> None:
    desk.midi.learn("reverb", "kind")
    desk.play("pitchwheel", pitch=0)
    for pitch, wanted in ((-8192, 0.0), (8191, 2.0)):
        desk.play("pitchwheel", pitch=pitch)
        assert desk.values["reverb", "kind"] == wanted


def test_what_was_learnt_is_there_after_a_restart_though_the_port_number_changed(tmp_path: Path) -> None:
    first = Desk(tmp_path / "midi.json")
    first.midi.learn("mic1", "level")
    first.play("control_change", control=7, value=1)
    first.midi.close()
    again = Desk(tmp_path / "midi.json", "nanoKONTROL2 28:0")
    assert again.midi.bindings() == [Binding(Control("control_change", 0, 7), "mic1", "level")]
    again.play("control_change", control=7, value=127)
    assert again.values["mic1", "level"] == 6.0


def test_a_parameter_has_one_control_and_a_control_may_have_several_parameters(desk: Desk) -> None:
    for control in (1, 2):
        desk.midi.learn("mic1", "level")
        desk.play("control_change", control=control, value=0)
    desk.midi.learn("reverb", "kind")
    desk.play("control_change", control=2, value=0)
    assert [(each.control.number, each.parameter) for each in desk.midi.bindings()] == [(2, "level"), (2, "kind")]
    desk.midi.forget("mic1", "level")
    assert [each.parameter for each in desk.midi.bindings()] == ["kind"]


def test_learning_asked_for_twice_is_called_off(desk: Desk) -> None:
    desk.midi.learn("mic1", "level")
    desk.midi.learn("mic1", "level")
    desk.play("control_change", control=7, value=64)
    assert desk.midi.bindings() == []


def test_what_is_no_control_is_ignored(desk: Desk) -> None:
    desk.midi.learn("mic1", "level")
    for kind in ("clock", "active_sensing", "program_change", "sysex"):
        desk.play(kind)
    assert desk.midi.learning == ("mic1", "level")


def test_a_binding_to_a_plugin_that_is_not_there_tonight_is_kept_and_does_nothing(tmp_path: Path) -> None:
    path = tmp_path / "midi.json"
    path.write_text(
        '{"nanoKONTROL2": [{"control": {"kind": "control_change", "channel": 0, "number": 9}, '
        '"plugin": "mic7", "parameter": "level"}]}'
    )
    desk = Desk(path)
    desk.play("control_change", control=9, value=3)
    assert desk.values == {}
    assert [each.plugin for each in desk.midi.bindings()] == ["mic7"]


@pytest.mark.parametrize("content", ["", "nonsense", "[]", '{"a": [{}]}', '{"a": 3}'])
def test_a_damaged_file_is_an_empty_one(tmp_path: Path, content: str) -> None:
    path = tmp_path / "midi.json"
    path.write_text(content)
    assert Desk(path).midi.bindings() == []


def test_errors_say_what_there_is(desk: Desk) -> None:
    with pytest.raises(NightError, match="nanoKONTROL2"):
        desk.midi.open("kazoo")
    with pytest.raises(NightError, match="another program"):
        desk.midi.open("taken")
    with pytest.raises(NightError, match="choose one first"):
        desk.midi.learn("mic1", "level")
    desk.midi.open(NAME)
    with pytest.raises(NightError, match=r"mic9\.level"):
        desk.midi.learn("mic9", "level")


def test_closing_ends_listening(desk: Desk) -> None:
    port = desk.ports.port
    desk.midi.close()
    desk.midi.close()
    assert port is not None
    assert port.closed
    assert desk.midi.port == ""
