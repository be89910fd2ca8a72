"""The engine: buses of plugins, one block in, one block out. Files and live sound run this same code.

It knows no file, no device and no thread of its own. Its latency is fixed when it is prepared.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from rtkaraoke.buses import Bus, Mic, Output, Send
from rtkaraoke.closing import Closing
from rtkaraoke.desk import Desk, Scratch
from rtkaraoke.dsp import kernels
from rtkaraoke.dsp.meters import Meter
from rtkaraoke.errors import PluginError
from rtkaraoke.geometry import MAX_SAMPLE_RATE, MIN_SAMPLE_RATE
from rtkaraoke.masks.protocol import MaskNetwork
from rtkaraoke.masks.runner import NO_DEADLINE
from rtkaraoke.plugins.duck import Duck
from rtkaraoke.plugins.limiter import Limiter
from rtkaraoke.plugins.protocol import Adjustable, Block, DeadlineAware, Guided, Plugin, PluginInfo, presets_of
from rtkaraoke.plugins.vocal_remover import REMOVED_DB, VocalRemover

WARM_UP_S = 0.2


class Engine(Closing):
    """Music through a bus of plugins into a master bus, and microphones beside it.

    Parameters
    ----------
    music : sequence of Plugin
        The chain of the music bus.
    master : sequence of Plugin
        The chain behind all buses.
    mics : sequence of Mic
        Buses of input channels of their own, which no latency of the music concerns.
    sends : sequence of Send
        Effect buses, fed from the strips of music and microphones.
    outputs : sequence of Output
        Further output channels, each with a mix of its own.
    duck : Duck, optional
        Takes the guide vocal away while a microphone is sung into.

    Attributes
    ----------
    plugins : dict of str to Adjustable
        Everything that can be set, by its name: plugins of the music and the master bus as they are called,
        those of another bus with its name before theirs (``mic1.gate``), the strip of every bus and the mix of every
        output under its own, the duck as ``duck``. Strips exist where there are mics, sends or outputs.

    Raises
    ------
    PluginError
        When two plugins bear the same name.

    Examples
    --------
    >>> from rtkaraoke import load_model, music_engine
    >>> import numpy as np
    >>> with music_engine(load_model("centre")) as engine:
    ...     engine.prepare(sample_rate=44_100, n_channels=2, max_block=256)
    ...     block, out = np.zeros((2, 256), np.float32), np.zeros((2, 256), np.float32)
    ...     engine.process(block, out)
    ...     engine.latency
    512
    """

    def __init__(
        self,
        music: Sequence[Plugin],
        master: Sequence[Plugin] = (),
        *,
        mics: Sequence[Mic] = (),
        sends: Sequence[Send] = (),
        outputs: Sequence[Output] = (),
        duck: Duck | None = None,
    ) -> None:
        self.music = Bus("music", music)
        self.master = Bus("master", master)
        self.mics, self.outputs, self.duck = tuple(mics), tuple(outputs), duck
        chains = [self.music, *mics, *sends, *outputs, self.master]
        everything = [plugin for chain in chains for plugin in chain.plugins]
        self._deadline_aware = [plugin for plugin in everything if isinstance(plugin, DeadlineAware)]
        self._guided = next((plugin for plugin in self.music.plugins if isinstance(plugin, Guided)), None)
        if duck is not None and not (self._guided and mics):
            raise PluginError("a duck wants a microphone to hear, and a vocal remover on the music bus to tell")
        self.desk = Desk(self.music, mics, sends, outputs) if mics or sends or outputs else None
        self.plugins: dict[str, Adjustable] = {}
        for _, name, part in self._parts():
            if name in self.plugins:
                raise PluginError(f"two plugins are named {name!r}: give one of them another name")
            self.plugins[name] = part
        self.sample_rate = self.n_channels = self.n_inputs = self.n_outputs = self.max_block = 0
        self.n_nonfinite = 0

    @property
    def latency(self) -> int:
        """Samples from input to output for the music, valid once prepared."""
        return self.music.latency + self.master.latency

    @property
    def latency_terms(self) -> dict[str, int]:
        """The music's latency in samples by plugin, in the order of the signal."""
        return {name: plugin.latency for bus in (self.music, self.master) for name, plugin in bus.named()}

    def layout(self) -> tuple[PluginInfo, ...]:
        """Everything that can be set, in the order of the signal, valid once prepared."""
        return tuple(
            PluginInfo(
                bus,
                name,
                getattr(part, "kind", part.name),
                part.latency,
                tuple(part.parameters.values()),
                self._presets(bus, part),
            )
            for bus, name, part in self._parts()
        )

    def prepare(self, sample_rate: int, n_channels: int, max_block: int) -> None:
        """Allocate everything for music of ``n_channels`` at ``sample_rate`` Hz in blocks of up to ``max_block``.

        Raises
        ------
        PluginError
            When a value cannot work, a plugin refuses it, or one on a microphone's bus looks ahead.
        GeometryError
            When the network cannot run at this rate.
        """
        if not MIN_SAMPLE_RATE <= sample_rate <= MAX_SAMPLE_RATE:
            raise PluginError(
                f"a sample rate of {sample_rate} Hz is outside {MIN_SAMPLE_RATE} to {MAX_SAMPLE_RATE} Hz: "
                "convert the audio to 44100 or 48000 Hz first"
            )
        if n_channels < 1 or max_block < 1:
            raise PluginError(f"{n_channels} channels in blocks of {max_block}: both must be 1 or more")
        for plugin in (*self.music.plugins, *self.master.plugins):
            plugin.prepare(sample_rate, n_channels, max_block)
        n_mics = sum(mic.n_channels for mic in self.mics)
        self.sample_rate, self.n_channels, self.max_block = sample_rate, n_channels, max_block
        self.n_inputs = n_channels + n_mics
        self.n_outputs = n_channels + sum(output.n_channels for output in self.outputs)
        if self.desk is not None:
            self._check_master()
            self.desk.prepare(sample_rate, n_channels, max_block)
        if self.duck is not None:
            self.duck.prepare(sample_rate, n_channels, n_mics)
        inputs = {"music": n_channels} | {mic.name: mic.n_channels for mic in self.mics}
        self._scratch = Scratch(inputs, None if self.desk is None else self.desk.widths(n_channels), max_block)
        self.input_meter, self.output_meter = Meter(self.n_inputs), Meter(n_channels)
        self.n_nonfinite = 0

    def process(self, block: Block, out: Block, deadline_ns: int = NO_DEADLINE) -> None:
        """Fill ``out`` from ``block``, both float32 ``(channel, n)`` with n up to ``max_block``. Realtime safe.

        ``block`` has the channels of the music, then those of each microphone: ``n_inputs`` in all; ``out`` those of
        the master, then those of each further output: ``n_outputs``. NaN and Inf in the input count as 0 and are
        counted in ``n_nonfinite``. ``deadline_ns`` (``time.monotonic_ns``) is until when a threaded network may be
        waited for.

        Raises
        ------
        PluginError
            When the engine is not prepared for blocks of this shape.
        """
        n_samples = block.shape[1]
        if len(block) != self.n_inputs or out.shape != (self.n_outputs, n_samples) or n_samples > self.max_block:
            raise PluginError(
                f"block {block.shape} into {out.shape}: prepared for ({self.n_inputs}, up to {self.max_block}) "
                f"into ({self.n_outputs}, as many)"
            )
        views = self._scratch.views(n_samples)
        for plugin in self._deadline_aware:
            plugin.deadline_ns = deadline_ns
        self.n_nonfinite += kernels.take_in(block, views.inputs, self.input_meter.sums)
        self.input_meter.n_samples += n_samples
        if self.duck is not None and self.desk is not None and self._guided is not None:
            self.desk.weigh(self.duck.weights, self.n_channels)
            self.duck.listen(views.inputs, self._guided.duck)
        self.music.process(views.music)
        if self.desk is not None:
            self.desk.run(views)
        self.master.process(views.mix)
        self.output_meter.add(views.mix)
        out[: self.n_channels] = views.mix
        first = self.n_channels
        for output in self.outputs:
            out[first : first + output.n_channels] = views.signals[output.name]
            first += output.n_channels

    def stems(self, n_samples: int) -> tuple[Block, Block]:
        """Music and voices ``(channel, n_samples)`` of the last block, as they went into the master bus.

        The voices are the microphones and all effects. Raises :class:`PluginError` where nothing is mixed.
        """
        if self.desk is None:
            raise PluginError("music and voices are one and the same in an engine without microphones")
        views = self._scratch.views(n_samples)
        return views.songs, views.voices

    def set(self, plugin: str, parameter: str, value: float) -> None:
        """Move a parameter, without a click. Call it between blocks. Raises :class:`PluginError`."""
        self._plugin(plugin).set(parameter, value)
        if self.desk is not None:
            self.desk.follow(plugin, parameter)

    def get(self, plugin: str, parameter: str) -> float:
        """The target value of a parameter. Raises :class:`PluginError`."""
        return self._plugin(plugin).get(parameter)

    def presets(self, plugin: str) -> Mapping[str, Mapping[str, float]]:
        """Presets of a plugin: name to values of some of its parameters. Raises :class:`PluginError`."""
        wanted = self._plugin(plugin)
        return next(self._presets(bus, part) for bus, _, part in self._parts() if part is wanted)

    def warm_up(self) -> None:
        """Run the whole real path on silence, so that nothing happens for the first time while sound runs."""
        n_samples = min(self.max_block, 256)
        block = np.zeros((self.n_inputs, n_samples), np.float32)
        out = np.zeros((self.n_outputs, n_samples), np.float32)
        for _ in range(math.ceil(WARM_UP_S * self.sample_rate / n_samples)):
            self.process(block, out)
        self._scratch.views(self.max_block)
        self.reset()

    def reset(self) -> None:
        """Forget the signal, keep the parameters."""
        for plugin in self.plugins.values():
            plugin.reset()
        if self.desk is not None:
            self.desk.reset()
        self.input_meter.read()
        self.output_meter.read()
        self.n_nonfinite = 0

    def close(self) -> None:
        """End the plugins' threads and free what they hold. May be called twice."""
        for plugin in self.plugins.values():
            plugin.close()

    def _plugin(self, name: str) -> Adjustable:
        try:
            return self.plugins[name]
        except KeyError:
            raise PluginError(f"no plugin {name!r} in the chain: there are {', '.join(self.plugins)}") from None

    def _parts(self) -> Iterator[tuple[str, str, Adjustable]]:
        """Bus, name and part of everything that can be set."""
        if self.desk is None:
            yield from (("music", name, plugin) for name, plugin in self.music.named())
        else:
            yield from self.desk.parts()
        if self.duck is not None:
            yield "music", self.duck.name, self.duck
        yield from (("master", name, plugin) for name, plugin in self.master.named())

    def _presets(self, bus: str, part: Adjustable) -> Mapping[str, Mapping[str, float]]:
        return presets_of(part) if self.desk is None else self.desk.presets(bus, part)

    def _check_master(self) -> None:
        """What stands behind the microphones may not delay them."""
        late = [f"{plugin.name} by {plugin.latency}" for plugin in self.master.plugins if plugin.latency]
        if self.mics and late:
            raise PluginError(
                f"the master bus would delay the microphones: {', '.join(late)} samples. Put what looks ahead on the "
                "music bus"
            )


def music_engine(
    network: MaskNetwork,
    *,
    threaded: bool = False,
    vocals_db: float = -math.inf,
    parameters: Mapping[str, float] | None = None,
    fallback: str = "mixture",
    replay: bytes | None = None,
    on_thread_start: Callable[[], None] | None = None,
) -> Engine:
    """The default engine: the vocal remover on the music bus, a limiter on the master.

    Parameters
    ----------
    network : MaskNetwork
        From :func:`rtkaraoke.load_model`.
    threaded, fallback, replay, on_thread_start
        See :class:`~rtkaraoke.plugins.vocal_remover.VocalRemover`.
    vocals_db : float
        Level of the voice in dB, minus infinity to 0.
    parameters : mapping, optional
        Further parameters of the vocal remover by name.

    Raises
    ------
    PluginError
        For an unknown parameter or a value out of range.
    """
    remover = VocalRemover(
        network, threaded=threaded, fallback=fallback, replay=replay, on_thread_start=on_thread_start
    )
    remover.set("vocals", max(vocals_db, REMOVED_DB) if not math.isnan(vocals_db) else vocals_db)
    for name, value in (parameters or {}).items():
        remover.set(name, value)
    return Engine([remover], [Limiter()])
