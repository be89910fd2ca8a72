"""Buses: chains of plugins over a signal of their own."""

from collections.abc import Iterator, Sequence

from rtkaraoke.errors import PluginError
from rtkaraoke.plugins.protocol import Block, Plugin
from rtkaraoke.plugins.switched import Switched

MIX = "mix"  #: the parameter of effects that says how much of them is heard beside their input


class Bus:
    """A chain of plugins over one signal.

    Parameters
    ----------
    name : str
    plugins : sequence of Plugin
        In the order of the signal.
    prefix : str
        Before the plugins' names, where the engine tells them apart.
    """

    def __init__(self, name: str, plugins: Sequence[Plugin], prefix: str = "") -> None:
        self.name = name
        self.plugins = tuple(plugins)
        self.prefix = prefix

    @property
    def latency(self) -> int:
        """Samples: the sum over its plugins."""
        return sum(plugin.latency for plugin in self.plugins)

    def named(self) -> Iterator[tuple[str, Plugin]]:
        """Every plugin with its name in the engine."""
        for plugin in self.plugins:
            yield self.prefix + plugin.name, plugin

    def switch(self) -> None:
        """Give every plugin that has none a ``bypass``."""
        self.plugins = tuple(Switched(plugin) if Switched.wanted(plugin) else plugin for plugin in self.plugins)

    def process(self, block: Block) -> None:
        """Run ``block`` ``(channel, sample)`` through the chain, in place. Realtime safe."""
        for plugin in self.plugins:
            plugin.process(block, block)


class Mic(Bus):
    """A bus of a microphone, or of any other input that must not be late.

    Parameters
    ----------
    name : str
    plugins : sequence of Plugin
    n_channels : int
        1 or 2: input channels of its own.
    max_latency : int
        In samples: what its chain may add to what the singer hears. 0 allows no plugin that looks ahead.
    """

    def __init__(self, name: str, plugins: Sequence[Plugin] = (), n_channels: int = 1, max_latency: int = 0) -> None:
        super().__init__(name, plugins, f"{name}.")
        if n_channels not in (1, 2):
            raise PluginError(f"{name} has {n_channels} channels: a microphone has 1 or 2")
        self.n_channels = n_channels
        self.max_latency = max_latency

    def check_latency(self) -> None:
        """Refuse a chain that delays too much, once it is prepared. Raises :class:`PluginError`."""
        late = [f"{plugin.name} by {plugin.latency}" for plugin in self.plugins if plugin.latency]
        if self.latency > self.max_latency:
            raise PluginError(
                f"{self.name} may be late by {self.max_latency} samples, but its chain delays what the singer hears: "
                f"{', '.join(late)} samples. Take that plugin out of this chain, or allow it with max_latency = "
                f"{self.latency}"
            )


class Send(Bus):
    """An effect bus, fed by the sends of other buses, such as a reverb.

    What goes to it is in the mix already: plugins with a parameter ``mix`` start with nothing but their effect.

    Parameters
    ----------
    name : str
    plugins : sequence of Plugin
    """

    def __init__(self, name: str, plugins: Sequence[Plugin] = ()) -> None:
        super().__init__(name, plugins, f"{name}.")
        for plugin in self.plugins:
            if (mix := plugin.parameters.get(MIX)) is not None:
                plugin.set(MIX, mix.maximum)


class Output(Bus):
    """Further output channels with a mix of their own, such as headphones.

    Parameters
    ----------
    name : str
    plugins : sequence of Plugin
        Behind its mix: usually a limiter.
    n_channels : int
        1 or 2.
    """

    def __init__(self, name: str, plugins: Sequence[Plugin] = (), n_channels: int = 2) -> None:
        super().__init__(name, plugins, f"{name}.")
        if n_channels not in (1, 2):
            raise PluginError(f"{name} has {n_channels} channels: an output has 1 or 2")
        self.n_channels = n_channels
