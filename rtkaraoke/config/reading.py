"""From a preset's text and the options to what holds, and what is wrong with either, by file, line and key."""

import difflib
import json
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

from rtkaraoke.config.tables import Config
from rtkaraoke.errors import ConfigError

Key = tuple[str, ...]  #: ("live", "block") is `block` in the table [live]
Tables = Mapping[str, Any]
_OPTION = "option "


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
    package = Path(__file__).parents[1]
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
