"""Stands where rtmixer would: every stream is refused, as by a card that another program holds."""

from sounddevice import PortAudioError


def MixerAndRecorder(**_settings):
    raise PortAudioError("Error opening MixerAndRecorder: Device unavailable [PaErrorCode -9985]")


Mixer = Recorder = MixerAndRecorder
