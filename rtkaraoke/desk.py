"""The mixing desk: where music, microphones and effects meet.

::

    music ─► chain ─► strip ──────────────┬──► songs ──┐
    mic   ─► chain ─► strip ─┬────────────┼──► voices ─┼─► master chain ─► out
                             └─ sends ─► send bus ─► strip ─┘
    (behind the chains) ─► an output's own mix ─► its chain ─► out
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rtkaraoke.buses import MIX, Bus, Mic, Output, Send
from rtkaraoke.dsp import kernels
from rtkaraoke.dsp.meters import Level, Meter
from rtkaraoke.plugins.protocol import Adjustable, Block, presets_of
from rtkaraoke.plugins.strip import OutputMix, Strip


class Views(NamedTuple):
    """Scratch blocks ``(channel, sample)`` of one length.

    All of the input, its music, every bus and output by name, the music's and the voices' part of the mix, the mix.
    """

    inputs: Block
    music: Block
    signals: dict[str, Block]
    songs: Block
    voices: Block
    mix: Block


class Scratch:
    """Memory for blocks of up to ``max_block``, as C-contiguous blocks of every length.

    Parameters
    ----------
    inputs : dict of str to int
        Channels of the input by bus, in their order; the first is the music, and what the mix has.
    others : dict of str to int
        Channels of further buses and outputs by name; None where nothing is mixed.
    max_block : int
    """

    def __init__(self, inputs: dict[str, int], others: dict[str, int] | None, max_block: int) -> None:
        self._inputs, self._n_channels, self._max_block = inputs, next(iter(inputs.values())), max_block
        widths = {"": sum(inputs.values())}
        if others is not None:
            widths |= others | dict.fromkeys((" songs", " voices", " mix"), self._n_channels)
        self._memory = {name: np.zeros(n_channels * max_block, np.float32) for name, n_channels in widths.items()}
        self._views: dict[int, Views] = {}

    def views(self, n_samples: int) -> Views:
        """Blocks of ``n_samples``, made when a length is first met."""
        views = self._views.get(n_samples)
        if views is None:
            signals = {
                name: memory[: len(memory) // self._max_block * n_samples].reshape(-1, n_samples)
                for name, memory in self._memory.items()
            }
            inputs = signals.pop("")
            at = 0
            for name, n_channels in self._inputs.items():
                signals[name] = inputs[at : at + n_channels]
                at += n_channels
            music = inputs[: self._n_channels]
            songs, voices, mix = (signals.pop(name, music) for name in (" songs", " voices", " mix"))
            views = self._views[n_samples] = Views(inputs, music, signals, songs, voices, mix)
        return views


class Desk:
    """The mix of music, microphones and effects: strips, sends and outputs.

    Parameters
    ----------
    music : Bus
    mics, sends, outputs : sequences
        Their names must differ; the engine sees to that.
    """

    def __init__(self, music: Bus, mics: Sequence[Mic], sends: Sequence[Send], outputs: Sequence[Output]) -> None:
        self.music, self.mics, self.sends, self.outputs = music, tuple(mics), tuple(sends), tuple(outputs)
        self.buses: tuple[Bus, ...] = (music, *self.mics, *self.sends)
        names = [bus.name for bus in self.buses]
        feeds = [send.name for send in self.sends]
        self.strips = {bus.name: Strip(bus.name, () if bus in self.sends else feeds) for bus in self.buses}
        self.mixes = {output.name: OutputMix(output.name, names) for output in self.outputs}
        for bus in self.buses:
            bus.switch()

    def presets(self, bus: str, part: Adjustable) -> dict[str, dict[str, float]]:
        """The presets of a part; on a send bus they leave the mix alone."""
        sends = [send.name for send in self.sends]
        return {
            preset: {name: value for name, value in values.items() if name != MIX or bus not in sends}
            for preset, values in presets_of(part).items()
        }

    def parts(self) -> Iterator[tuple[str, str, Adjustable]]:
        """Everything that can be set, master and duck apart: bus, name, part."""
        for bus in self.buses:
            yield from ((bus.name, name, plugin) for name, plugin in bus.named())
            yield bus.name, bus.name, self.strips[bus.name]
        for output in self.outputs:
            yield output.name, output.name, self.mixes[output.name]
            yield from ((output.name, name, plugin) for name, plugin in output.named())

    def prepare(self, sample_rate: int, n_channels: int, max_block: int) -> None:
        """Allocate everything for a mix of ``n_channels`` in blocks of up to ``max_block``.

        Raises
        ------
        PluginError
            When a plugin refuses it, or one on a microphone's bus looks ahead.
        """
        widths = {self.music.name: n_channels} | {mic.name: mic.n_channels for mic in self.mics}
        widths |= {send.name: n_channels for send in self.sends}
        for bus in self.buses[1:]:
            for plugin in bus.plugins:
                plugin.prepare(sample_rate, widths[bus.name], max_block)
        for mic in self.mics:
            mic.check_latency()
        for name, width in widths.items():
            self.strips[name].prepare(sample_rate, width, n_channels)
        for output in self.outputs:
            for plugin in output.plugins:
                plugin.prepare(sample_rate, output.n_channels, max_block)
            self.mixes[output.name].prepare(sample_rate, widths, output.n_channels)
        self.meters = {bus.name: Meter(n_channels) for bus in self.buses}
        self.meters |= {output.name: Meter(output.n_channels) for output in self.outputs}
        self._unread = np.zeros((n_channels, 2))  # a meter for sends, which nobody reads

    def widths(self, n_channels: int) -> dict[str, int]:
        """Channels of the buses without input and of the outputs, where the mix has ``n_channels``."""
        return {send.name: n_channels for send in self.sends} | {each.name: each.n_channels for each in self.outputs}

    def follow(self, part: str, parameter: str) -> None:
        """A parameter has been set: a muted bus is silent in every output too."""
        if parameter == "mute" and part in self.strips:
            for mix in self.mixes.values():
                mix.mute_bus(part, self.strips[part].get("mute") >= 0.5)

    def run(self, views: Views) -> None:
        """Mix one block, whose music is behind its chain and whose microphones are before theirs. Realtime safe."""
        signals, songs, voices = views.signals, views.songs, views.voices
        songs.fill(0.0)
        voices.fill(0.0)
        for send in self.sends:
            signals[send.name].fill(0.0)
        for mic in self.mics:
            mic.process(signals[mic.name])
            self._feed(mic, signals, voices)
        self._feed(self.music, signals, songs)
        for send in self.sends:
            send.process(signals[send.name])
            self._feed(send, signals, voices)
        for output in self.outputs:
            block, mix = signals[output.name], self.mixes[output.name]
            block.fill(0.0)
            for bus in self.buses:
                kernels.mix_into(signals[bus.name], block, mix.ramps(bus.name), self._unread)
            output.process(block)
            self.meters[output.name].add(block)
        np.add(songs, voices, out=views.mix)

    def weigh(self, weights: NDArray[np.float64], n_channels: int) -> None:
        """How well a duck shall hear each channel of the input: as it is heard, in factors of power. Realtime safe."""
        weights[:n_channels] = self.strips[self.music.name].gain ** 2
        at = n_channels
        for mic in self.mics:
            weights[at : at + mic.n_channels] = 1.0 if self.strips[mic.name].audible else 0.0
            at += mic.n_channels

    def levels(self, heard: Level, n_channels: int) -> dict[str, dict[str, float]]:
        """Peak and RMS in dB since the last call, of each bus as it is mixed and of each output; once per status.

        ``heard`` is what the engine's input meter has read: microphones get ``input_peak_db`` and ``input_rms_db``
        from it, behind the music's ``n_channels``.
        """
        levels = {name: meter.read().loudest for name, meter in self.meters.items()}
        for mic in self.mics:
            channels = slice(n_channels, n_channels + mic.n_channels)
            own = Level(heard.peak_db[channels], heard.rms_db[channels]).loudest
            levels[mic.name] |= {f"input_{name}": value for name, value in own.items()}
            n_channels += mic.n_channels
        return levels

    def reset(self) -> None:
        """Forget the levels."""
        for meter in self.meters.values():
            meter.read()

    def _feed(self, bus: Bus, signals: dict[str, Block], mix: Block) -> None:
        block, strip, meter = signals[bus.name], self.strips[bus.name], self.meters[bus.name]
        kernels.mix_into(block, mix, strip.ramps(Strip.MIX), meter.sums)
        meter.n_samples += block.shape[1]
        for send in strip.sends:
            kernels.mix_into(block, signals[send], strip.ramps(send), self._unread)
