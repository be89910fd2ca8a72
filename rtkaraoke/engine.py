"""The engine: buses of plugins, one block in, one block out. Files and live sound run this same code.

It knows no file, no device and no thread of its own. Its latency is fixed when it is prepared.
"""

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from rtkaraoke.closing import Closing
from rtkaraoke.dsp import kernels
from rtkaraoke.dsp.meters import Meter
from rtkaraoke.errors import PluginError
from rtkaraoke.geometry import MAX_SAMPLE_RATE, MIN_SAMPLE_RATE
from rtkaraoke.masks.protocol import MaskNetwork
from rtkaraoke.masks.runner import NO_DEADLINE
from rtkaraoke.plugins.limiter import Limiter
from rtkaraoke.plugins.protocol import Block, DeadlineAware, Plugin
from rtkaraoke.plugins.vocal_remover import REMOVED_DB, VocalRemover

WARM_UP_S = 0.2


class Bus:
    """A chain of plugins over one signal."""

    def __init__(self, name: str, plugins: Sequence[Plugin]) -> None:
        self.name = name
        self.plugins = tuple(plugins)

    @property
    def latency(self) -> int:
        """Samples: the sum over its plugins."""
        return sum(plugin.latency for plugin in self.plugins)

    def process(self, block: Block) -> None:
        """Run ``block`` ``(channel, sample)`` through the chain, in place. Realtime safe."""
        for plugin in self.plugins:
            plugin.process(block, block)


class Engine(Closing):
    """Music through a bus of plugins into a master bus.

    Parameters
    ----------
    music : sequence of Plugin
        The chain of the music bus.
    master : sequence of Plugin
        The chain behind all buses.

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

    def __init__(self, music: Sequence[Plugin], master: Sequence[Plugin] = ()) -> None:
        self.music = Bus("music", music)
        self.master = Bus("master", master)
        self.plugins: dict[str, Plugin] = {}
        for plugin in (*self.music.plugins, *self.master.plugins):
            if plugin.name in self.plugins:
                raise PluginError(f"two plugins are named {plugin.name!r}: give one of them another name")
            self.plugins[plugin.name] = plugin
        self._deadline_aware = [plugin for plugin in self.plugins.values() if isinstance(plugin, DeadlineAware)]
        self.sample_rate = self.n_channels = self.max_block = 0
        self.n_nonfinite = 0

    @property
    def latency(self) -> int:
        """Samples from input to output, valid once prepared."""
        return self.music.latency + self.master.latency

    @property
    def latency_terms(self) -> dict[str, int]:
        """The latency in samples by plugin, in the order of the signal."""
        return {name: plugin.latency for name, plugin in self.plugins.items()}

    def prepare(self, sample_rate: int, n_channels: int, max_block: int) -> None:
        """Allocate everything for blocks ``(n_channels, up to max_block)`` at ``sample_rate`` Hz.

        Raises
        ------
        PluginError
            When a value cannot work, or a plugin refuses it.
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
        for plugin in self.plugins.values():
            plugin.prepare(sample_rate, n_channels, max_block)
        self.sample_rate, self.n_channels, self.max_block = sample_rate, n_channels, max_block
        self._memory = np.zeros(n_channels * max_block, np.float32)
        self._views: dict[int, Block] = {}
        self.input_meter, self.output_meter = Meter(n_channels), Meter(n_channels)
        self.n_nonfinite = 0

    def process(self, block: Block, out: Block, deadline_ns: int = NO_DEADLINE) -> None:
        """Fill ``out`` from ``block``, both float32 ``(channel, n)`` with n up to ``max_block``. Realtime safe.

        NaN and Inf in the input count as 0 and are counted in ``n_nonfinite``. ``deadline_ns``
        (``time.monotonic_ns``) is until when a threaded network may be waited for.

        Raises
        ------
        PluginError
            When the engine is not prepared for blocks of this shape.
        """
        if block.shape != out.shape or block.shape[0] != self.n_channels or block.shape[1] > self.max_block:
            raise PluginError(
                f"block {block.shape} into {out.shape}: prepared for ({self.n_channels}, up to {self.max_block})"
            )
        work = self._view(block.shape[1])
        for plugin in self._deadline_aware:
            plugin.deadline_ns = deadline_ns
        self.n_nonfinite += kernels.take_in(block, work, self.input_meter.sums)
        self.input_meter.n_samples += block.shape[1]
        self.music.process(work)
        self.master.process(work)
        self.output_meter.add(work)
        np.copyto(out, work)

    def set(self, plugin: str, parameter: str, value: float) -> None:
        """Move a parameter, without a click. Call it between blocks. Raises :class:`PluginError`."""
        self._plugin(plugin).set(parameter, value)

    def get(self, plugin: str, parameter: str) -> float:
        """The target value of a parameter. Raises :class:`PluginError`."""
        return self._plugin(plugin).get(parameter)

    def warm_up(self) -> None:
        """Run the whole real path on silence, so that nothing happens for the first time while sound runs."""
        block = np.zeros((self.n_channels, min(self.max_block, 256)), np.float32)
        for _ in range(math.ceil(WARM_UP_S * self.sample_rate / block.shape[1])):
            self.process(block, block)
        self._view(self.max_block)
        self.reset()

    def reset(self) -> None:
        """Forget the signal, keep the parameters."""
        for plugin in self.plugins.values():
            plugin.reset()
        self.input_meter.read()
        self.output_meter.read()
        self.n_nonfinite = 0

    def close(self) -> None:
        """End the plugins' threads and free what they hold. May be called twice."""
        for plugin in self.plugins.values():
            plugin.close()

    def _plugin(self, name: str) -> Plugin:
        try:
            return self.plugins[name]
        except KeyError:
            raise PluginError(f"no plugin {name!r} in the chain: there are {', '.join(self.plugins)}") from None

    def _view(self, n_samples: int) -> Block:
        """A C-contiguous scratch block ``(channel, n_samples)``, made when a size is first met."""
        view = self._views.get(n_samples)
        if view is None:
            view = self._memory[: self.n_channels * n_samples].reshape(self.n_channels, n_samples)
            self._views[n_samples] = view
        return view


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
