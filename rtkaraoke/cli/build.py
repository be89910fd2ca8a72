"""Where objects are wired together: settings -> network -> engine. Nothing else in the package does this for a user."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rtkaraoke.cli.console import say_once
from rtkaraoke.config import Config, Effective, Key
from rtkaraoke.errors import ConfigError, PluginError

if TYPE_CHECKING:
    from rtkaraoke.engine import Engine
    from rtkaraoke.live.host import Source
    from rtkaraoke.live.process import LiveSession
    from rtkaraoke.live.settings import LiveSettings
    from rtkaraoke.masks.protocol import MaskNetwork, ModelInfo
    from rtkaraoke.plugins.protocol import Plugin
    from rtkaraoke.transport import Song


def network(config: Config) -> "MaskNetwork":
    """The network that ``config`` names, loaded and checked; what it has to say is said on its first run."""
    from rtkaraoke.masks.models import load_model

    loaded = load_model(config.model.name, config.model.provider)
    for line in getattr(loaded, "notes", ()):
        say_once(line)
    return loaded


def engine(
    settings: Effective,
    loaded: "MaskNetwork",
    *,
    threaded: bool = False,
    replay: bytes | None = None,
    on_thread_start: Callable[[], None] | None = None,
    mics: bool = False,
) -> "Engine":
    """The chains of ``settings`` around a network, every parameter set.

    With ``mics`` also the microphones, sends and further outputs, which only live sound has.

    Raises
    ------
    ConfigError
        For a plugin, parameter or value that cannot be, naming the preset's line or the option.
    """
    from rtkaraoke.buses import Mic, Output, Send
    from rtkaraoke.engine import Engine
    from rtkaraoke.plugins.duck import Duck
    from rtkaraoke.plugins.hosting.names import is_external
    from rtkaraoke.plugins.registry import create_plugin, plugin_names
    from rtkaraoke.plugins.vocal_remover import VocalRemover

    def create(name: str) -> "Plugin":
        if name == VocalRemover.name:
            return VocalRemover(loaded, threaded=threaded, replay=replay, on_thread_start=on_thread_start)
        if name not in plugin_names() and not is_external(name):
            raise PluginError(f"no plugin {name!r}: there are {', '.join((VocalRemover.name, *plugin_names()))}")
        return create_plugin(name, on_thread_start)

    def chain(*key: str, names: Sequence[str]) -> "list[Plugin]":
        with _naming(settings, key):
            return [create(name) for name in names]

    config = settings.config
    music = chain("engine", "music", names=config.engine.music)
    master = chain("engine", "master", names=config.engine.master)
    beside: dict[str, Any] = {}
    if mics:
        beside = {
            "mics": [
                Mic(name, chain("mics", name, "chain", names=mic.chain), len(mic.channels), mic.max_latency)
                for name, mic in config.mics.items()
            ],
            "sends": [
                Send(name, chain("sends", name, "chain", names=each.chain)) for name, each in config.sends.items()
            ],
            "outputs": [
                Output(name, chain("outputs", name, "chain", names=each.chain), len(each.channels))
                for name, each in config.outputs.items()
            ],
        }
        if config.engine.duck and config.mics and VocalRemover.name in config.engine.music:
            beside["duck"] = Duck()
    with _naming(settings, ("engine", "music")):
        built = Engine(music, master, **beside)
    absent = () if mics else (*config.mics, *config.sends, *config.outputs, *_BESIDE)
    for key, value in assignments(settings):
        _, *plugin, name = key
        if plugin[0] not in absent:
            with _naming(settings, key):
                set_parameter(built, ".".join(plugin), name, value)
    return built


_BESIDE = ("music", "duck")  #: parts of an engine with microphones that no other has
PRESET = "preset"  #: stands where a parameter does and names one of the plugin's presets


def assignments(settings: Effective) -> list[tuple[Key, float | str]]:
    """Everything under ``[plugins]`` with its key, in the order in which it holds.

    A plugin's preset comes before what is set by hand, and options come after all of the file.
    """
    found = [(("plugins", *keys), value) for keys, value in _parameters(settings.config.plugins)]
    return sorted(found, key=lambda each: (settings.is_option(each[0]), each[0][-1] != PRESET))


def _parameters(plugins: Mapping[str, Any]) -> Iterator[tuple[Key, float | str]]:
    """Every parameter of ``[plugins]`` with its place: (plugin, parameter), or (bus, plugin, parameter)."""
    for plugin, values in plugins.items():
        for name, value in values.items():
            if isinstance(value, dict):
                yield from (((plugin, name, inner), each) for inner, each in value.items())
            else:
                yield (plugin, name), value


def check_budget(settings: Effective, loaded: "MaskNetwork") -> None:
    """Refuse an engine that alone, at the network's own rate, is later than the budget allows.

    For files, where latency is taken out: the budget then says whether the same settings could do it live.
    """
    from rtkaraoke.live import budget

    sample_rate = loaded.info.geometry.sample_rate
    with engine(settings, loaded) as built:
        built.prepare(sample_rate, loaded.info.n_channels, 256)
        budget.check(built.latency_terms, sample_rate, settings.config.live.latency_budget_ms)


@contextmanager
def _naming(settings: Effective, key: Key) -> Iterator[None]:
    """Say in an error who asked for it."""
    try:
        yield
    except PluginError as error:
        raise ConfigError(f"{settings.origins.get(key, '.'.join(key))}: {error}") from None


def set_parameter(built: "Engine", plugin: str, name: str, value: float | str) -> None:
    """Set what ``name = value`` means to a plugin. Raises :class:`PluginError`, see :func:`meaning`."""
    for parameter, number in meaning(built, plugin, name, value).items():
        built.set(plugin, parameter, number)


def meaning(built: "Engine", plugin: str, name: str, value: float | str) -> Mapping[str, float]:
    """The parameters that ``name = value`` moves, and where: one, or those of a preset.

    ``value`` is a number, the name of one of the parameter's choices or, where ``name`` is ``preset``, that of one of
    the plugin's presets.

    Raises
    ------
    PluginError
        When there is no such plugin, parameter, choice or preset. Ranges are for the plugin to check.
    """
    from rtkaraoke.plugins.protocol import find_preset

    if plugin not in built.plugins:
        raise PluginError(f"no plugin {plugin!r} in the chain: there are {', '.join(built.plugins)}")
    parameters = built.plugins[plugin].parameters
    if name == PRESET and name not in parameters:
        preset = value if isinstance(value, str) else f"{value:g}"  # an option that looks like a number has become one
        try:
            return find_preset(built.presets(plugin), preset)
        except PluginError as error:
            raise PluginError(f"{plugin}: {error}") from None
    if (parameter := parameters.get(name)) is None:
        raise PluginError(f"no parameter {name!r}: there are {', '.join(parameters) or 'none'}")
    if isinstance(value, str):
        if value not in parameter.choices:
            wanted = ", ".join(parameter.choices) or f"a number from {parameter.minimum:g} to {parameter.maximum:g}"
            raise PluginError(f"{plugin}.{name} = {value!r}: wanted {wanted}")
        value = parameter.choices.index(value)
    if parameter.unit == "dB" and value == float("-inf"):
        value = parameter.minimum  # the lowest level of every plugin is silence
    return {name: float(value)}


@dataclass(frozen=True, slots=True)
class EngineFactory:
    """Builds the engine of ``settings`` in the engine process: plain data, so that it travels there."""

    settings: Effective

    def __call__(self) -> "Engine":
        """A new engine with a network thread of its own. The network's notes come as events of the session."""
        from rtkaraoke.live.priority import raise_network_priority
        from rtkaraoke.masks.models import load_model

        model = self.settings.config.model
        loaded = load_model(model.name, model.provider)
        return engine(self.settings, loaded, threaded=True, on_thread_start=raise_network_priority, mics=True)


def live_settings(settings: Effective, **more: Any) -> "LiveSettings":
    """What a live run of ``settings`` is asked to do; ``more`` are values that no preset has."""
    from rtkaraoke.live.settings import LiveSettings

    config = settings.config
    values = {item.name: getattr(config.live, item.name) for item in fields(config.live) if item.name != "reconnect"}
    values["mic_in"] = tuple(channel for mic in config.mics.values() for channel in mic.channels)
    values["more_out"] = tuple(channel for each in config.outputs.values() for channel in each.channels)
    return LiveSettings(**values | more)


def with_voice_untouched(settings: Effective) -> Effective:
    """The same with the vocal level at 0 dB: what goes in comes out."""
    plugins = {**settings.config.plugins}
    plugins["vocal_remover"] = plugins.get("vocal_remover", {}) | {"vocals": 0.0}
    return replace(settings, config=replace(settings.config, plugins=plugins))


def live_session(
    settings: Effective,
    *,
    song: Path | None = None,
    source: "Callable[[], Source] | None" = None,
    record: Path | None = None,
) -> "LiveSession":
    """A live run of ``settings``: music from the input device, of a ``song``, or of a ``source``.

    ``source`` makes a source of music in the engine's process: a picklable callable.
    """
    from rtkaraoke.live.process import LiveSession

    source_factory = partial(_song, song) if song is not None else source
    more: dict[str, Any] = {"record": record}
    if source_factory is not None:
        more["channels_in"] = ()
    return LiveSession(
        live_settings(settings, **more),
        EngineFactory(settings),
        source_factory=source_factory,
        reconnect=settings.config.live.reconnect,
    )


def _song(path: Path) -> "Song":
    """Open a song in the engine process: this one does without what it imports."""
    from rtkaraoke.transport import Song

    return Song(path)


def shipped_networks() -> "list[tuple[ModelInfo, Path | None]]":
    """Everything that ``--model`` knows by name, with the file where there is one."""
    from rtkaraoke.masks.centre import CentreNetwork
    from rtkaraoke.masks.onnx import load_model, shipped_models

    found: list[tuple[ModelInfo, Path | None]] = [
        (load_model(name, "cpu").info, path) for name, path in shipped_models().items()
    ]
    return [*found, (CentreNetwork.info, None)]
