"""The part of a plugin's contract that makes no sound: what it says of its parameters and presets is so."""

import numpy as np

from rtkaraoke.errors import ContractError, PluginError
from rtkaraoke.plugins.harness import Create
from rtkaraoke.plugins.protocol import Parameter, Plugin, presets_of


def check_declaration(create: Create) -> str:
    """Parameters and presets say what they are, and what is out of range is refused."""
    plugin = create()
    for name, parameter in plugin.parameters.items():
        _check_parameter(plugin, name, parameter)
    _refuses(plugin, "no such parameter", 0.0)
    for preset, values in presets_of(plugin).items():
        for name, value in values.items():
            if name not in plugin.parameters:
                raise ContractError(
                    f"preset {preset!r} names {name!r}: there are {', '.join(plugin.parameters) or 'none'}"
                )
            plugin.parameters[name].check(value)
    plugin.close()
    return f"{len(plugin.parameters)} parameters, {len(presets_of(plugin))} presets"


def _check_parameter(plugin: Plugin, name: str, parameter: Parameter) -> None:
    low, high = parameter.minimum, parameter.maximum
    if name != parameter.name:
        raise ContractError(f"{name!r} leads to a parameter named {parameter.name!r}")
    if not (np.isfinite([low, high]).all() and low < high and low <= parameter.default <= high):
        raise ContractError(f"{name}: {low:g} to {high:g} with the default {parameter.default:g} is no range")
    if parameter.choices and (low, high) != (0, len(parameter.choices) - 1):
        raise ContractError(f"{name}: {len(parameter.choices)} choices, but a range from {low:g} to {high:g}")
    if plugin.get(name) != parameter.default:
        raise ContractError(f"{name} starts at {plugin.get(name):g}, declared is {parameter.default:g}")
    for value in (low, high, parameter.default):
        plugin.set(name, value)
        if plugin.get(name) != value:
            raise ContractError(f"{name} set to {value:g} says {plugin.get(name):g}")
    for value in (low - 1, high + 1, float("nan")):
        _refuses(plugin, name, value)


def _refuses(plugin: Plugin, name: str, value: float) -> None:
    try:
        plugin.set(name, value)
    except PluginError:
        return
    raise ContractError(f"set({name!r}, {value:g}) is taken: wanted a PluginError")
