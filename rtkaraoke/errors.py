"""Every error that rtkaraoke raises on purpose.

::

    RtkaraokeError            something the user can mend; the command line prints it and exits with 2
    ├── AudioFileError        a file cannot be read or written (rtkaraoke.files)
    ├── GeometryError         a sample rate, hop or FFT size that cannot work (rtkaraoke.geometry)
    ├── ModelError            a network that is missing, foreign or breaks the contract (rtkaraoke.masks)
    ├── ProviderError         an execution provider that cannot be had (rtkaraoke.masks.onnx)
    ├── PluginError           an unknown plugin or parameter, a value out of range (rtkaraoke.plugins)
    │   └── ContractError     a plugin that does not keep what every plugin promises (rtkaraoke.plugins.check)
    ├── ConfigError           a preset that is missing or wrong: names file, key and line (rtkaraoke.config)
    ├── LyricsError           a file of lyrics that cannot be read (rtkaraoke.karaoke.lyrics)
    ├── LibraryError          a folder of songs or its database, an unknown song (rtkaraoke.karaoke.library)
    ├── QueueError            what the queue of singers refuses (rtkaraoke.karaoke.queue)
    ├── NightError            what a night, its page or a MIDI controller refuses (rtkaraoke.karaoke.night)
    └── LiveError             anything between us and the sound card (rtkaraoke.live)
        ├── DeviceError       unknown, busy or vanished device, or a rate that it does not offer
        └── LatencyBudgetError  the latency terms do not fit the budget; names every term

A message says the value found, the rule, and the way out.
"""


class RtkaraokeError(Exception):
    """Base of all errors that a user can mend."""


class AudioFileError(RtkaraokeError):
    """A file cannot be read or written."""


class GeometryError(RtkaraokeError):
    """A sample rate, hop or FFT size that cannot work."""


class ModelError(RtkaraokeError):
    """A network that is missing, foreign, or breaks the contract."""


class ProviderError(RtkaraokeError):
    """An execution provider that cannot be had on this machine."""


class PluginError(RtkaraokeError):
    """An unknown plugin or parameter, or a value out of its range."""


class ContractError(PluginError):
    """A plugin that does not keep what every plugin promises."""


class ConfigError(RtkaraokeError):
    """A preset or option that is missing or wrong."""


class LyricsError(RtkaraokeError):
    """A file of lyrics that cannot be read."""


class LibraryError(RtkaraokeError):
    """A folder of songs or its database that cannot be used, or a song that is not there."""


class QueueError(RtkaraokeError):
    """What the queue refuses: an unknown singer or entry, a value out of range, more than the limits allow."""


class NightError(RtkaraokeError):
    """What a karaoke night refuses: an entry of somebody else, a wrong message, a MIDI controller that is not there."""


class LiveError(RtkaraokeError):
    """Anything that goes wrong between the engine and a sound card."""


class DeviceError(LiveError):
    """An unknown, busy or vanished device, or one that does not offer what was asked."""


class LatencyBudgetError(LiveError):
    """The terms of the latency do not fit into the budget."""
