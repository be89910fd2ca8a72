"""Devices are found by name or index, and what cannot work is refused with the way out."""

import builtins
import sys
from types import SimpleNamespace

import pytest

from rtkaraoke.errors import DeviceError, LiveError
from rtkaraoke.live import devices
from rtkaraoke.live.devices import DeviceInfo, feedback_reason, find
from rtkaraoke.live.settings import LiveSettings


def device(index, name, n_inputs=2, n_outputs=2, api="ALSA", default=False):
    return DeviceInfo(index, name, api, n_inputs, n_outputs, 48_000, 0.01, 0.01, default, default)


FOUND = [
    device(0, "Built-in Audio: ALC257 (hw:0,0)"),
    device(1, "USB Interface (hw:1,0)", n_inputs=8, n_outputs=8, default=True),
    device(2, "HDMI", n_inputs=0),
    device(3, "USB Interface", api="JACK Audio Connection Kit"),
]


class FakePortAudio(SimpleNamespace):
    """As much of sounddevice as devices.py asks for."""

    class PortAudioError(Exception):
        pass

    def __init__(self, found, refuse=()):
        apis = list(dict.fromkeys(each.host_api for each in found))
        super().__init__(
            default=SimpleNamespace(device=(1, 1)),
            found=found,
            refuse=refuse,
            apis=[{"name": name, "default_input_device": 1, "default_output_device": 1} for name in apis],
        )

    def query_hostapis(self):
        return self.apis

    def query_devices(self):
        names = [api["name"] for api in self.apis]
        return [
            {
                "name": each.name,
                "hostapi": names.index(each.host_api),
                "max_input_channels": each.n_inputs,
                "max_output_channels": each.n_outputs,
                "default_samplerate": 48_000.0,
                "default_low_input_latency": 0.01,
                "default_low_output_latency": 0.01,
            }
            for each in self.found
        ]

    def check_output_settings(self, device, samplerate, **more):
        if (device, samplerate) in self.refuse:
            raise self.PortAudioError("Invalid sample rate", -9997)

    check_input_settings = check_output_settings


@pytest.fixture
def portaudio(monkeypatch):
    def install(found=FOUND, refuse=()):
        fake = FakePortAudio(found, refuse)
        monkeypatch.setattr(devices, "import_sounddevice", lambda: fake)
        return fake

    install()
    return install


@pytest.mark.parametrize(
    ("wanted", "index"),
    [(None, 1), (0, 0), ("0", 0), ("built-in", 0), ("ALC257", 0), ("USB Interface", 3), ("hw:1", 1)],
)
def test_a_device_is_found_by_index_or_name(portaudio, wanted, index):
    assert find(wanted, FOUND, is_input=True, n_channels=2).index == index


@pytest.mark.parametrize(
    ("wanted", "is_input", "n_channels", "says"),
    [
        ("kazoo", True, 2, "no input device is called 'kazoo': there are 0 'Built-in"),
        ("USB", False, 2, "fits several output devices: 1 'USB Interface (hw:1,0)' (ALSA), 3 'USB Interface' (JACK"),
        (2, True, 2, "no input device has the index 2"),
        (77, False, 2, "no output device has the index 77"),
        ("HDMI", False, 3, "'HDMI' has 2 channels, 3 are wanted"),
    ],
)
def test_what_is_not_there_is_named_with_what_is(portaudio, wanted, is_input, n_channels, says):
    with pytest.raises(DeviceError) as caught:
        find(wanted, FOUND, is_input=is_input, n_channels=n_channels)
    assert says in str(caught.value)


def test_a_machine_without_devices_is_pointed_to_render(portaudio):
    portaudio([])
    with pytest.raises(DeviceError, match="rtkaraoke render"):
        devices.choose(LiveSettings())


def test_the_default_is_the_first_device_where_there_is_none_by_name(portaudio):
    found = [device(4, "A"), device(5, "B")]
    portaudio(found)
    assert find(None, found, is_input=True, n_channels=2).index == 4
    both = [device(4, "A", default=True), device(5, "B", default=True)]
    assert find(None, both, is_input=True, n_channels=2).index == 4


def test_every_device_is_listed_with_its_host_api(portaudio):
    listed = devices.list_devices()
    assert [each.name for each in listed] == [each.name for each in FOUND]
    assert listed[3].host_api == "JACK Audio Connection Kit"
    assert [each.index for each in listed if each.default_output] == [1]


def test_a_list_that_portaudio_refuses_is_an_error(portaudio):
    fake = portaudio()
    fake.query_devices = lambda: (_ for _ in ()).throw(fake.PortAudioError("no"))
    with pytest.raises(DeviceError, match="cannot be listed"):
        devices.list_devices()


def test_a_choice_takes_the_output_s_rate_and_sees_two_clocks(portaudio):
    assert devices.choose(LiveSettings(input="hw:1", output="hw:1")).two_clocks is False
    choice = devices.choose(LiveSettings(input="ALC257", output="hw:1"))
    assert choice.two_clocks
    assert choice.sample_rate == 48_000
    assert devices.choose(LiveSettings(input="ALC257", output="hw:1", two_clocks=False)).two_clocks is False
    assert devices.choose(LiveSettings(input="hw:1", output=3)).two_clocks
    jack = [device(0, "system", api="JACK"), device(1, "A sink", api="JACK")]
    portaudio(jack)
    assert devices.choose(LiveSettings(input="system", output="A sink")).two_clocks is False


def test_shared_wasapi_is_asked_to_convert_the_rate(portaudio):
    fake = portaudio([device(0, "Speakers", api="Windows WASAPI")])
    fake.WasapiSettings = lambda **options: options
    asked = []
    fake.check_output_settings = lambda **options: asked.append(options["extra_settings"])
    assert devices.choose(LiveSettings(channels_in=())).host_api == "Windows WASAPI"
    assert asked == [{"auto_convert": True}]
    assert devices.extra_settings("ALSA") is None


def test_two_systems_cannot_share_one_clock(portaudio):
    with pytest.raises(DeviceError, match="cannot share one clock"):
        devices.choose(LiveSettings(input="hw:1", output=3, two_clocks=False))


def test_a_choice_to_play_needs_no_input(portaudio):
    choice = devices.choose(LiveSettings(channels_in=(), output="HDMI"))
    assert (choice.input, choice.output, choice.input_name) == (-1, 2, "")


@pytest.mark.parametrize(("refused", "name"), [((2, 44_100), "HDMI"), ((1, 44_100), "USB Interface")])
def test_an_unsupported_rate_names_the_device_and_its_own(portaudio, refused, name):
    portaudio(refuse=[refused])
    with pytest.raises(DeviceError) as caught:
        devices.choose(LiveSettings(input="hw:1", output="HDMI", sample_rate=44_100))
    for part in [name, "44100 Hz", "Invalid sample rate", "48000 Hz", "--sample-rate"]:
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("source", "sink"),
    [
        ("Monitor of Built-in Audio", "Built-in Audio"),
        ("alsa_output.pci.analog-stereo.monitor", "alsa_output.pci.analog-stereo"),
        ("Speakers (Realtek) [Loopback]", "Speakers (Realtek)"),
        ("A Audio/Sink sink", "A Audio/Sink sink"),
        ("Built-in Audio Monitor", "Built-in Audio"),
        ("Stereo Mix (Realtek Audio)", "Speakers (Realtek Audio)"),
        ("BlackHole 2ch", "BlackHole 2ch"),
        ("CABLE Output (VB-Audio Virtual Cable)", "CABLE Input (VB-Audio Virtual Cable)"),
    ],
)
def test_a_monitor_that_feeds_its_own_sink_is_refused(source, sink, portaudio):
    assert feedback_reason(source, sink)
    portaudio([device(0, source, default=True), device(1, sink)])
    with pytest.raises(DeviceError, match="second sink"):
        devices.choose(LiveSettings(input=0, output=1))


@pytest.mark.parametrize(
    ("source", "sink"),
    [
        ("Monitor of Player", "Built-in Audio"),
        ("A Audio/Sink sink", "B Audio/Sink sink"),
        ("system", "system"),
        ("loopback", "loopback"),
        ("USB Interface (hw:1,0)", "USB Interface (hw:1,0)"),
        ("Microphone (Realtek Audio)", "Speakers (Realtek Audio)"),
        ("BlackHole 2ch", "MacBook Pro Speakers"),
        ("BlackHole 2ch", "BlackHole 16ch"),
        ("pulse", "pulse"),
    ],
)
def test_what_cannot_feed_back_is_allowed(source, sink):
    assert feedback_reason(source, sink) == ""


def test_a_monitor_that_the_environment_names_is_refused(monkeypatch):
    monkeypatch.setenv("PULSE_SINK", "speakers")
    monkeypatch.setenv("PULSE_SOURCE", "speakers.monitor")
    assert "PULSE_SOURCE" in feedback_reason("pulse", "default")
    assert feedback_reason("pulse", "HDMI") == ""


@pytest.mark.parametrize(
    ("error", "says"),
    [(OSError("PortAudio library not found"), "apt-get install libportaudio2"), (ImportError(), "pip")],
)
def test_a_missing_portaudio_says_the_apt_line(monkeypatch, error, says):
    real = builtins.__import__

    def refuse(name, *arguments):
        if name == "sounddevice":
            raise error
        return real(name, *arguments)

    monkeypatch.setattr(builtins, "__import__", refuse)
    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    with pytest.raises(LiveError, match=says):
        devices.import_sounddevice()


def test_a_missing_rtmixer_says_how_to_get_it(monkeypatch, portaudio):
    monkeypatch.setitem(sys.modules, "rtmixer", None)
    with pytest.raises(LiveError, match="pip install rtmixer"):
        devices.import_rtmixer()


def test_portaudio_s_errors_name_the_devices(portaudio):
    fake = devices.import_sounddevice()
    choice = devices.choose(LiveSettings(input="hw:1", output="HDMI"))
    with pytest.raises(DeviceError) as caught, devices.errors_of("open", choice):
        raise fake.PortAudioError("Device unavailable", -9985)
    for part in ["cannot open 'USB Interface (hw:1,0)' -> 'HDMI'", "48000 Hz", "Device unavailable", "another program"]:
        assert part in str(caught.value)


@pytest.mark.parametrize("platform", ["linux", "darwin", "win32", "plan9"])
def test_a_loss_is_explained_on_every_platform(monkeypatch, platform):
    monkeypatch.setattr(sys, "platform", platform)
    text = devices.explain_loss("a -> b")
    assert "unplugged" in text
    assert "default device" in text
