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

import difflib
import json
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

from annotated_types import Ge, Gt, Interval, Len, MinLen, Predicate

from rtkaraoke.errors import ConfigError
from rtkaraoke.geometry import MAX_SAMPLE_RATE, MIN_SAMPLE_RATE

Key = tuple[str, ...]  #: ("live", "block") is `block` in the table [live]
Tables = Mapping[str, Any]
SampleRate = Annotated[int, Interval(ge=MIN_SAMPLE_RATE, le=MAX_SAMPLE_RATE)]
Channels = Annotated[tuple[Annotated[int, Ge(1)], ...], MinLen(1)]
BusName = Annotated[str, Predicate(str.isidentifier)]
Value = float | str
_STRICT = {"extra": "forbid"}
_OPTION = "option "


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """Which network, and what computes it."""

    __pydantic_config__ = _STRICT

    name: str = "live"  #: a shipped network (`rtkaraoke models`), "centre", or a file
    provider: Literal["auto", "cpu", "cuda"] = "auto"


@dataclass(frozen=True, slots=True)
class EngineConfig:
    """The chains, by plugin name. ``music`` runs first, ``master`` on the sum of all buses."""

    __pydantic_config__ = _STRICT

    music: tuple[str, ...] = ("vocal_remover",)
    master: tuple[str, ...] = ("limiter",)
    duck: bool = True  #: the guide vocal falls while a microphone is sung into; where there are both


ChannelPair = Annotated[tuple[Annotated[int, Ge(1)], ...], Len(1, 2)]


@dataclass(frozen=True, slots=True)
class MicConfig:
    """A microphone: its input channels and its chain."""

    __pydantic_config__ = _STRICT

    channels: ChannelPair  #: of the card, counted from 1: one, or two for stereo
    chain: tuple[str, ...] = ()
    max_latency: Annotated[int, Interval(ge=0, le=8192)] = 0  #: samples that its chain may add to what the singer hears


@dataclass(frozen=True, slots=True)
class SendConfig:
    """An effect bus."""

    __pydantic_config__ = _STRICT

    chain: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class OutputConfig:
    """Further outputs, such as headphones."""

    __pydantic_config__ = _STRICT

    channels: ChannelPair
    chain: tuple[str, ...] = ("limiter",)


@dataclass(frozen=True, slots=True)
class LiveConfig:
    """Sound cards and time, as :class:`rtkaraoke.live.settings.LiveSettings` explains them."""

    __pydantic_config__ = _STRICT

    input: str | int | None = None
    output: str | int | None = None
    channels_in: Channels = (1, 2)
    channels_out: Channels = (1, 2)
    voice_out: tuple[Annotated[int, Ge(1)], ...] = ()
    sample_rate: SampleRate | None = None
    block: Annotated[int, Interval(ge=16, le=8192)] = 128
    prefill: Annotated[int, Interval(ge=16, le=65536)] = 512
    prefill_without_realtime: Annotated[int, Interval(ge=16, le=65536)] = 2048
    realtime: bool = True
    latency_budget_ms: Annotated[float, Gt(0)] | None = None
    two_clocks: bool | None = None
    fade_in_ms: Annotated[float, Interval(ge=0, le=10_000)] = 50.0
    reconnect: bool = False  #: wait for a sound card that went away, and go on


@dataclass(frozen=True, slots=True)
class Config:
    """Everything that a preset can say."""

    __pydantic_config__ = _STRICT

    description: str = ""
    model: ModelConfig = field(default_factory=ModelConfig)
    engine: EngineConfig = field(default_factory=EngineConfig)
    mics: dict[BusName, MicConfig] = field(default_factory=dict)
    sends: dict[BusName, SendConfig] = field(default_factory=dict)
    outputs: dict[BusName, OutputConfig] = field(default_factory=dict)
    plugins: dict[str, dict[str, Value | dict[str, Value]]] = field(default_factory=dict)
    live: LiveConfig = field(default_factory=LiveConfig)


@dataclass(frozen=True, slots=True)
class Option:
    """A value that came from an option: ``name`` is how the user wrote it, such as ``--block``."""

    name: str
    value: Any


@dataclass(frozen=True, slots=True)
class Effective:
    """What holds, and who said so.

    ``origins`` has an entry for every value that is not the default: ``"preset live.toml:7"`` or
    ``"option --block"``.
    """

    config: Config
    origins: dict[Key, str] = field(default_factory=dict)

    def is_option(self, key: Key) -> bool:
        """Whether an option said what ``key`` is."""
        return self.origins.get(key, "").startswith(_OPTION)


def preset_files() -> dict[str, Path]:
    """The shipped presets: name -> file. Installed, they lie in the package; in the repository, beside it."""
    package = Path(__file__).parent
    for folder in (package / "configs", package.parent / "configs"):
        files = sorted(folder.glob("*.toml"))
        if files:
            return {file.stem: file for file in files}
    return {}


def find_preset(name: str) -> Path:
    """The file of a preset, given by name or as a path.

    Raises
    ------
    ConfigError
        With the names there are, and the nearest.
    """
    presets = preset_files()
    if name in presets:
        return presets[name]
    path = Path(name)
    if path.is_file():
        return path
    if path.suffix == ".toml" or len(path.parts) > 1:
        raise ConfigError(f"{name}: no such preset file; `rtkaraoke presets` lists the shipped ones")
    raise ConfigError(f"no preset {name!r}{_nearest(name, presets)}: there are {', '.join(presets) or 'none'}")


def load(preset: str | None = None, options: Mapping[Key, Option] | None = None) -> Effective:
    """Defaults, then the preset, then the options.

    Parameters
    ----------
    preset : str, optional
        A name or a file; without it there are only defaults and options.
    options : mapping, optional
        Key -> option. An option whose value is None was not given.

    Raises
    ------
    ConfigError
        Naming file, line and key, or the option, with the value and the rule.
    """
    given = {key: option for key, option in (options or {}).items() if option.value is not None}
    tables: dict[str, Any] = {}
    origins: dict[Key, str] = {}
    if preset is not None:
        path = find_preset(preset)
        text = _read(path)
        tables = _parse(text, path)
        _validate(tables, lambda key: f"{path}, line {line_of(text, key)}: {'.'.join(key)}")
        origins = {key: f"preset {path.name}:{line_of(text, key)}" for key in _leaves(tables)}
    for key, option in given.items():
        table = tables
        for name in key[:-1]:
            table = table.setdefault(name, {})
        table[key[-1]] = option.value
        origins[key] = _OPTION + option.name
    return Effective(_validate(tables, lambda key: _option_name(given, key)), origins)


def line_of(text: str, key: Key) -> int:
    """The line on which ``key`` begins in a valid TOML ``text``, counted from 1.

    ``tomllib`` keeps no positions. But the shortest run of leading lines that is valid TOML and has the key ends
    with that key's value, and the value begins right after the run before it.
    """
    lines = text.splitlines(keepends=True)
    start = 0
    for end in range(1, len(lines) + 1):
        try:
            table: Any = tomllib.loads("".join(lines[:end]))
        except tomllib.TOMLDecodeError:
            continue  # in the middle of a value of several lines
        for name in key:
            table = table.get(name) if isinstance(table, dict) else None
        if table is not None:
            return start + 1
        start = end
    return 1


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: byte {error.start} is not UTF-8: a preset is a text file (TOML)") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror or error}") from None


def _parse(text: str, path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = re.match(r"(.*) \(at (?:line (\d+), column (\d+)|end of document)\)$", str(error), re.DOTALL)
        if found is None:
            raise ConfigError(f"{path}: no valid TOML: {error}") from None
        message, line, column = found.groups()
        place = f"line {line}, column {column}" if line else f"line {len(text.splitlines()) or 1}"
        raise ConfigError(f"{path}, {place}: no valid TOML: {message[:1].lower()}{message[1:]}") from None


def _validate(tables: Tables, place: Any) -> Config:
    """``tables`` as a :class:`Config`; ``place(key)`` says where a wrong key stands."""
    from pydantic import TypeAdapter, ValidationError

    try:
        # Through JSON, because that is where pydantic's strict mode (no "5" for 5) still takes a dict for a dataclass.
        return TypeAdapter(Config).validate_json(json.dumps(tables, default=str), strict=True)
    except ValidationError as error:
        messages: dict[Key, str] = {}
        for detail in error.errors():
            key = _real_key(tables, detail["loc"])
            messages.setdefault(key, f"{place(key)}{_explain(key, detail)}")
        raise ConfigError("\n".join(dict.fromkeys(messages.values()))) from None


def _real_key(tables: Tables, loc: Sequence[int | str]) -> Key:
    """The part of pydantic's location that stands in the file: without list indices and members of a union."""
    key: Key = ()
    node: Any = tables
    for part in loc:
        if not isinstance(node, Mapping):
            break
        if part not in node:
            continue
        key += (str(part),)
        node = node[part]
    return key


def _explain(key: Key, detail: Any) -> str:
    if detail["type"] == "unexpected_keyword_argument":
        known: Any = Config
        for name in key[:-1]:
            # A table of tables, such as [mics.mic1]: its names are the user's, what is in them is not.
            known = get_args(known)[1] if get_origin(known) is dict else get_type_hints(known)[name]
        names = [item.name for item in fields(known)]
        what = f"[{'.'.join(key[:-1])}]" if key[:-1] else "a preset"
        return f" is unknown{_nearest(key[-1], names)}: {what} has {', '.join(names)}"
    if detail["type"] == "missing":
        return f" lacks {detail['loc'][-1]!r}, which has no default"
    if detail["type"] == "predicate_failed":
        return ": a name of letters, digits and _ was wanted, such as mic1"
    rule = str(detail["msg"]).replace("Input should be a valid", "should be of type").replace("Input should", "should")
    rule = rule.replace("an object", "a table").replace("of type dictionary", "a table")
    return f" = {json.dumps(detail['input'], default=str)}: {rule[:1].lower()}{rule[1:]}"


def _option_name(given: Mapping[Key, Option], key: Key) -> str:
    return next((option.name for at, option in given.items() if at[: len(key)] == key), ".".join(key))


def _nearest(name: str, known: Iterator[str] | Sequence[str] | Mapping[str, Any]) -> str:
    near = difflib.get_close_matches(name, list(known), 1, 0.5)
    return f" (did you mean {near[0]!r}?)" if near else ""


def leaves(config: Config) -> Iterator[tuple[Key, Any]]:
    """Every value of ``config`` with its key, in the order of the dataclasses."""

    def walk(node: Any, key: Key) -> Iterator[tuple[Key, Any]]:
        if is_dataclass(node):
            for item in fields(node):
                yield from walk(getattr(node, item.name), (*key, item.name))
        elif isinstance(node, dict):
            for name, value in node.items():
                yield from walk(value, (*key, name))
        else:
            yield key, node

    yield from walk(config, ())


def _leaves(tables: Tables, key: Key = ()) -> Iterator[Key]:
    for name, value in tables.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, (*key, name))
        else:
            yield (*key, name)
