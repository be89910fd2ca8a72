"""Settings: frozen dataclasses, filled from a preset (TOML) and from options, with the origin of every value.

A preset holds any part of::

    description = "one line for `rtkaraoke presets`"
    [model]                   # which network decides what is voice, and what computes it
    [engine]                  # the chains of plugins
    [mics.mic1]               # a microphone: its channels and its chain; a table for each
    [sends.reverb]            # an effect that music and microphones are sent to
    [outputs.headphones]      # further output channels with a mix of their own
    [plugins.vocal_remover]   # parameters of a plugin, by its own names; so for every other plugin
    [plugins.mic1]            # the strip of a bus (level, pan, send_reverb); so for every bus and output
    [plugins.mic1.gate]       # a plugin on that bus; `preset = "vocal"` stands for the plugin's preset of that name
    [live]                    # sound cards, blocks, the latency budget

What it leaves out keeps its default; an option of the command line overrides both. A mistake is a
:class:`~rtkaraoke.errors.ConfigError` that names file, line and key.
"""

from rtkaraoke.config.reading import Effective, Key, Option, find_preset, leaves, line_of, load, preset_files
from rtkaraoke.config.tables import Config, LiveConfig, ModelConfig

__all__ = [
    "Config",
    "LiveConfig",
    "ModelConfig",
    "Effective",
    "Key",
    "Option",
    "find_preset",
    "leaves",
    "line_of",
    "load",
    "preset_files",
]
