"""``plugins``: what can stand in a chain, what it can be told, and whether it keeps the contract."""

from collections.abc import Callable
from dataclasses import asdict
from functools import cache, partial
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from rtkaraoke.cli.console import show, show_json, stdout
from rtkaraoke.cli.listing import table
from rtkaraoke.cli.options import OTHER, JsonFlag
from rtkaraoke.errors import PluginError

if TYPE_CHECKING:
    from rtkaraoke.masks.protocol import MaskNetwork
    from rtkaraoke.plugins.protocol import Parameter as PluginParameter
    from rtkaraoke.plugins.protocol import Plugin

FAILED = 1
RATE = 48_000  #: where latencies are told
MAX_BLOCK = 4096

TestFlag = Annotated[
    bool,
    Parameter(
        name="--test", negative=(), group=OTHER, show_default=False, help="Check that NAME keeps a plugin's contract."
    ),
]


def plugins(name: str | None = None, *, test: TestFlag = False, json: JsonFlag = False) -> int:
    """List the plugins; describe the one called NAME, with its parameters and presets; or test it.

    Those of other packages are found under the entry point `rtkaraoke.plugins`. The exit code of a test is 1 when the
    plugin breaks the contract, and 2 when it hangs, crashes, or is not there.

    Parameters
    ----------
    name
        Of the plugin to describe or to test.
    """
    if name is None:
        if test:
            raise PluginError("--test wants the name of a plugin: rtkaraoke plugins NAME --test")
        _list(json)
        return 0
    create = _factory(name)
    if test:
        return _test(create, json)
    _describe(create(), json)
    return 0


def _factory(name: str) -> "Callable[[], Plugin]":
    """What makes the plugin called ``name``; the vocal remover with the default network."""
    from rtkaraoke.plugins.registry import create_plugin
    from rtkaraoke.plugins.vocal_remover import VocalRemover

    if name != VocalRemover.name:
        return partial(create_plugin, name)
    return _vocal_remover


def _vocal_remover() -> "Plugin":
    from rtkaraoke.plugins.vocal_remover import VocalRemover

    return VocalRemover(_default_network())


@cache
def _default_network() -> "MaskNetwork":
    from rtkaraoke.cli import build
    from rtkaraoke.config import load

    return build.network(load().config)


def _list(json: bool) -> None:
    from rtkaraoke.plugins.registry import plugin_names
    from rtkaraoke.plugins.vocal_remover import VocalRemover

    found: list[dict[str, object]] = []
    for name in (VocalRemover.name, *plugin_names()):
        entry: dict[str, object] = {"name": name, "latency": None, "latency_ms": None, "summary": "", "error": None}
        try:
            plugin = _factory(name)()
            entry |= {"summary": _summary(plugin)} | _latency(plugin)
        except Exception as error:  # noqa: BLE001 - foreign code: one that does not load must not hide the others
            entry["error"] = str(error)
        found.append(entry)
    if json:
        show_json(found)
        return
    rows = [
        (entry["name"], "-" if entry["error"] else _in_words(entry), entry["error"] or entry["summary"])
        for entry in found
    ]
    show(table(["plugin", "latency", "what"], rows))
    show("\n`rtkaraoke plugins NAME` tells its parameters and presets, `--test` checks it.")


def _describe(plugin: "Plugin", json: bool) -> None:
    from rtkaraoke.plugins.protocol import presets_of

    latency, presets = _latency(plugin), presets_of(plugin)
    if json:
        parameters = [asdict(parameter) for parameter in plugin.parameters.values()]
        show_json(
            {"name": plugin.name, "summary": _summary(plugin), **latency, "parameters": parameters, "presets": presets}
        )
        return
    show(f"{plugin.name}: {_summary(plugin)}")
    show(f"latency: {_in_words(latency)}\n")
    rows = [
        (name, parameter.unit, _range(parameter), _value(parameter, parameter.default), parameter.description)
        for name, parameter in plugin.parameters.items()
    ]
    show(table(["parameter", "unit", "range", "default", "what"], rows))
    if presets:
        show("")
        named = [
            (preset, ", ".join(f"{name} {_value(plugin.parameters[name], value)}" for name, value in values.items()))
            for preset, values in presets.items()
        ]
        show(table(["preset", "values"], named))


def _test(create: "Callable[[], Plugin]", json: bool) -> int:
    from rtkaraoke.plugins.hosting.checking import check_contained

    results = []
    console = stdout()
    for result in check_contained(create):
        results.append(result)
        if not json:
            console.print("pass" if result.passed else "FAIL", style="green" if result.passed else "bold red", end="  ")
            console.print(f"{result.check:<12} {result.detail}", markup=False)
    if json:
        show_json([asdict(result) for result in results])
    return 0 if all(result.passed for result in results) else FAILED


def _latency(plugin: "Plugin") -> dict[str, object]:
    """In samples and milliseconds, for stereo at ``RATE``; closes the plugin."""
    try:
        plugin.prepare(RATE, 2, MAX_BLOCK)
        return {"latency": plugin.latency, "latency_ms": 1e3 * plugin.latency / RATE}
    finally:
        plugin.close()


def _in_words(entry: dict[str, object]) -> str:
    return f"{entry['latency_ms']:.1f} ms" if entry["latency"] else "none"


def _summary(plugin: "Plugin") -> str:
    """The first line of its class's docstring."""
    return (type(plugin).__doc__ or "").strip().partition("\n")[0]


def _range(parameter: "PluginParameter") -> str:
    return " | ".join(parameter.choices) or f"{parameter.minimum:g} to {parameter.maximum:g}"


def _value(parameter: "PluginParameter", value: float) -> str:
    return parameter.choices[int(value)] if parameter.choices else f"{value:g}"
