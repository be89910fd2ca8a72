"""Stands where sounddevice would, in this process and in the engine's: one imaginary card, or no PortAudio at all.

``RTKARAOKE_TEST_CARD`` says which: ``missing`` (no PortAudio), ``none`` (no device) or ``busy`` (it cannot be opened).
"""

import os

KIND = os.environ["RTKARAOKE_TEST_CARD"]

if KIND == "missing":
    raise OSError("PortAudio library not found")


class PortAudioError(Exception):
    pass


class default:  # noqa: N801 - sounddevice's name
    device = (0, 0)


def _entry(name, n_inputs, n_outputs):
    return {
        "name": name,
        "hostapi": 0,
        "max_input_channels": n_inputs,
        "max_output_channels": n_outputs,
        "default_samplerate": 44100.0,
        "default_low_input_latency": 0.003,
        "default_low_output_latency": 0.003,
    }


def query_hostapis():
    return [{"name": "Imaginary", "default_input_device": 0, "default_output_device": 0}]


def query_devices():
    if KIND == "none":
        return []
    return [_entry("Card", 2, 2), _entry("Monitor of Card", 2, 0)]


def _check(*, samplerate, **_more):
    if samplerate not in (44100, 48000):
        raise PortAudioError("Invalid sample rate [PaErrorCode -9997]")


check_input_settings = check_output_settings = _check
