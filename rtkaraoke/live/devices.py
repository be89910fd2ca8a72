"""List, choose and explain sound devices."""

import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from rtkaraoke.errors import DeviceError, LiveError
from rtkaraoke.live.settings import DeviceName, LiveSettings

NO_PORTAUDIO = (
    "PortAudio is not installed, so no sound card can be used. On Debian or Ubuntu: "
    "sudo apt-get install libportaudio2 (on Fedora: portaudio; the Windows and macOS wheels bring it along)"
)
VIRTUAL_CABLES = ("blackhole", "soundflower", "vb-audio", "vb-cable", "loopback audio")


@dataclass(frozen=True, slots=True)
class DeviceInfo:
    """A sound device as the host API presents it. Latencies in seconds, rates in Hz."""

    index: int
    name: str
    host_api: str
    n_inputs: int
    n_outputs: int
    sample_rate: int
    latency_in_s: float
    latency_out_s: float
    default_input: bool
    default_output: bool


@dataclass(frozen=True, slots=True)
class Choice:
    """The devices of one run, resolved. ``input`` is -1 when nothing is recorded."""

    input: int
    output: int
    input_name: str
    output_name: str
    host_api: str  #: the output's
    sample_rate: int
    two_clocks: bool


def import_sounddevice() -> ModuleType:
    """``sounddevice``. Raises :class:`LiveError` with the way out where it or PortAudio is missing."""
    os.environ.setdefault("SD_ENABLE_ASIO", "1")  # Windows: off by default, and read on import only
    try:
        import sounddevice
    except ImportError:
        raise LiveError("the Python package sounddevice is missing: pip install sounddevice rtmixer") from None
    except OSError:
        raise LiveError(NO_PORTAUDIO) from None
    return sounddevice


def import_rtmixer() -> ModuleType:
    """``rtmixer``. Raises :class:`LiveError` with the way out where it or PortAudio is missing."""
    import_sounddevice()
    try:
        import rtmixer
    except ImportError:
        raise LiveError("the Python package rtmixer is missing: pip install rtmixer") from None
    return rtmixer


def list_devices() -> list[DeviceInfo]:
    """Every device that PortAudio sees. The list is as old as PortAudio's initialisation in this process."""
    sounddevice = import_sounddevice()
    try:
        apis = sounddevice.query_hostapis()
        found = sounddevice.query_devices()
    except sounddevice.PortAudioError as error:
        raise DeviceError(f"the sound devices cannot be listed: {error}") from None
    inputs = {api["default_input_device"] for api in apis}
    outputs = {api["default_output_device"] for api in apis}
    return [
        DeviceInfo(
            index=index,
            name=device["name"],
            host_api=apis[device["hostapi"]]["name"],
            n_inputs=device["max_input_channels"],
            n_outputs=device["max_output_channels"],
            sample_rate=round(device["default_samplerate"]),
            latency_in_s=device["default_low_input_latency"],
            latency_out_s=device["default_low_output_latency"],
            default_input=index in inputs,
            default_output=index in outputs,
        )
        for index, device in enumerate(found)
    ]


def find(wanted: DeviceName, found: Sequence[DeviceInfo], *, is_input: bool, n_channels: int) -> DeviceInfo:
    """The device meant by ``wanted``: an index, a name or a part of one, or None for the default.

    Raises
    ------
    DeviceError
        When there is none, when several fit, or when it has too few channels; says which there are.
    """
    direction = "input" if is_input else "output"

    def channels(device: DeviceInfo) -> int:
        return device.n_inputs if is_input else device.n_outputs

    usable = [device for device in found if channels(device)]
    if not usable:
        raise DeviceError(
            f"there is no {direction} device: PortAudio sees {len(found)} devices. "
            "Connect a card, start the JACK or PipeWire server, or use `rtkaraoke render`, which needs none"
        )
    listing = ", ".join(f"{device.index} {device.name!r}" for device in usable)
    if wanted is None:
        defaults = [device for device in usable if (device.default_input if is_input else device.default_output)]
        chosen = _preferred_default(defaults, is_input) or usable[0]
    elif isinstance(wanted, int) or wanted.isdecimal():
        matches = [device for device in usable if device.index == int(wanted)]
        if not matches:
            raise DeviceError(f"no {direction} device has the index {wanted}: there are {listing}")
        chosen = matches[0]
    else:
        exact = [device for device in usable if device.name == wanted]
        matches = exact or [device for device in usable if wanted.casefold() in device.name.casefold()]
        if not matches:
            raise DeviceError(f"no {direction} device is called {wanted!r}: there are {listing}")
        if len(matches) > 1:
            several = ", ".join(f"{device.index} {device.name!r} ({device.host_api})" for device in matches)
            raise DeviceError(f"{wanted!r} fits several {direction} devices: {several}. Give the index")
        chosen = matches[0]
    if channels(chosen) < n_channels:
        raise DeviceError(
            f"{direction} device {chosen.name!r} has {channels(chosen)} channels, {n_channels} are wanted: "
            "choose others with --channels"
        )
    return chosen


def _preferred_default(defaults: Sequence[DeviceInfo], is_input: bool) -> DeviceInfo | None:
    """Of the defaults of all host APIs, the one that PortAudio itself would take."""
    sounddevice = import_sounddevice()
    index = sounddevice.default.device[0 if is_input else 1]
    for device in defaults:
        if device.index == index:
            return device
    return defaults[0] if defaults else None


def choose(settings: LiveSettings) -> Choice:
    """Resolve and check the devices of ``settings``.

    Raises
    ------
    DeviceError
        An unknown device, too few channels, an unsupported rate, or an output that would be heard by the input.
    """
    found = list_devices()
    outputs = settings.outputs
    output = find(settings.output, found, is_input=False, n_channels=max(outputs))
    sample_rate = settings.sample_rate or output.sample_rate
    if not settings.inputs:
        _check_rate(output, sample_rate, is_input=False, n_channels=max(outputs))
        return Choice(-1, output.index, "", output.name, output.host_api, sample_rate, False)
    source = find(settings.input, found, is_input=True, n_channels=max(settings.inputs))
    if reason := feedback_reason(source.name, output.name):
        raise DeviceError(reason)
    _check_rate(output, sample_rate, is_input=False, n_channels=max(outputs))
    _check_rate(source, sample_rate, is_input=True, n_channels=max(settings.inputs))
    two_clocks = settings.two_clocks
    if two_clocks is None:
        two_clocks = source.index != output.index and not _one_clock(source, output)
    if source.host_api != output.host_api and not two_clocks:
        raise DeviceError(
            f"{source.name!r} ({source.host_api}) and {output.name!r} ({output.host_api}) are of different systems "
            "and cannot share one clock: leave two_clocks on"
        )
    return Choice(source.index, output.index, source.name, output.name, output.host_api, sample_rate, two_clocks)


def _one_clock(source: DeviceInfo, output: DeviceInfo) -> bool:
    """Whether two entries of the list run on one clock: all clients of a JACK server do, and two ends of one card."""
    if source.host_api != output.host_api:
        return False
    return "JACK" in source.host_api or _card_of(source.name) == _card_of(output.name)


def _card_of(name: str) -> str:
    """The card's part of a name: ``Speakers (Realtek Audio)`` and ``Microphone (Realtek Audio)`` are one card."""
    if inside := re.search(r"\((.+)\)", name):
        return re.sub(r"hw:(\d+),\d+", r"hw:\1", inside.group(1)).casefold()
    return name.casefold()


def feedback_reason(input_name: str, output_name: str) -> str:
    """Why recording ``input_name`` while playing to ``output_name`` would feed back; empty when it would not.

    Judged by names, all that PortAudio tells: a monitor ("whatever is playing") of the sink that we play to, and
    the two ends of one virtual cable.
    """
    source, sink = input_name.casefold(), output_name.casefold()
    way_out = (
        "Play to another device than the one that is captured: make a second sink (README, capturing system audio) "
        "and let the player use the first one"
    )
    monitored = re.sub(r"^monitor of |[ .](monitor|\[loopback\])$", "", source)
    is_monitor = monitored != source or (source == sink and source.endswith(" sink"))
    if is_monitor and monitored in (sink, re.sub(r"[ .](sink|output)$", "", sink)):
        return f"{input_name!r} is the monitor of {output_name!r}: the output would be its own input. {way_out}"
    if "stereo mix" in source and _card_of(source) == _card_of(sink):
        return f"{input_name!r} records what {output_name!r} plays: the output would be its own input. {way_out}"
    for cable in VIRTUAL_CABLES:
        if cable in source and cable in sink and _card_of(source) == _card_of(sink):
            return f"{input_name!r} and {output_name!r} are the two ends of one virtual cable. {way_out}"
    pulse = ("pulse", "default")
    monitor, target = os.environ.get("PULSE_SOURCE", ""), os.environ.get("PULSE_SINK", "")
    if source in pulse and sink in pulse and target and monitor == f"{target}.monitor":
        return f"PULSE_SOURCE is the monitor of PULSE_SINK ({target}): the output would be its own input. {way_out}"
    return ""


def _check_rate(device: DeviceInfo, sample_rate: int, *, is_input: bool, n_channels: int) -> None:
    sounddevice = import_sounddevice()
    check = sounddevice.check_input_settings if is_input else sounddevice.check_output_settings
    try:
        check(
            device=device.index,
            channels=n_channels,
            dtype="float32",
            samplerate=sample_rate,
            extra_settings=extra_settings(device.host_api),
        )
    except (sounddevice.PortAudioError, ValueError) as error:
        raise DeviceError(
            f"{device.name!r} ({device.host_api}) does not run at {sample_rate} Hz with {n_channels} channels: "
            f"{_reason(error)}. Its own rate is {device.sample_rate} Hz: leave --sample-rate away to use it"
        ) from None


def extra_settings(host_api: str) -> Any:
    """What PortAudio is to be told beyond the usual: shared WASAPI refuses every rate but its own otherwise."""
    return import_sounddevice().WasapiSettings(auto_convert=True) if "WASAPI" in host_api else None


@contextmanager
def errors_of(verb: str, choice: Choice) -> Iterator[None]:
    """Turn PortAudio's errors into a :class:`DeviceError` that names the devices."""
    sounddevice = import_sounddevice()
    try:
        yield
    except sounddevice.PortAudioError as error:
        names = " -> ".join(repr(name) for name in (choice.input_name, choice.output_name) if name)
        raise DeviceError(
            f"cannot {verb} {names} at {choice.sample_rate} Hz: {_reason(error)}. If another program holds the "
            "device, end it, or go through the sound server (device 'pulse', 'pipewire' or a JACK port)"
        ) from None


def _reason(error: Any) -> str:
    return str(error.args[0]) if error.args else str(error)


def explain_loss(choice_names: str) -> str:
    """What may have happened when a device stops calling, and what to do, for a person to read."""
    causes = {
        "linux": "the JACK or PipeWire server was stopped or restarted, or the card was unplugged",
        "darwin": "the card was unplugged or its settings were changed",
        "win32": "the card was unplugged, disabled, or taken by a program in exclusive mode",
    }
    cause = causes.get(sys.platform, "the card was unplugged")
    return (
        f"{choice_names} stopped calling: probably {cause}. A changed default device takes effect at the next start; "
        "with --reconnect the program waits and goes on when the device is back"
    )
