"""Plugins by name: those that ship, and those that other packages declare under the entry point ``rtkaraoke.plugins``.

An entry point names a class, or a function that returns a plugin when called without arguments::

    [project.entry-points."rtkaraoke.plugins"]
    telephone = "my_package:Telephone"

Any of them may run in a process of its own (``external:telephone``), and so do the plugins of other makers: see
:mod:`rtkaraoke.plugins.hosting.names` and docs/plugins.md.
"""

from collections.abc import Callable
from importlib import import_module
from importlib.metadata import entry_points

from rtkaraoke.errors import PluginError
from rtkaraoke.plugins.protocol import Plugin

ENTRY_POINT_GROUP = "rtkaraoke.plugins"

# Named, not imported: an engine without a reverb does not load its kernels.
_SHIPPED = {
    "compressor": "rtkaraoke.plugins.effects.dynamics:Compressor",
    "de_esser": "rtkaraoke.plugins.effects.dynamics:DeEsser",
    "echo": "rtkaraoke.plugins.effects.space:Echo",
    "equaliser": "rtkaraoke.plugins.effects.filters:Equaliser",
    "gain": "rtkaraoke.plugins.gain:Gain",
    "gate": "rtkaraoke.plugins.effects.dynamics:Gate",
    "high_pass": "rtkaraoke.plugins.effects.filters:HighPass",
    "key_shift": "rtkaraoke.plugins.effects.key_shift:KeyShift",
    "limiter": "rtkaraoke.plugins.limiter:Limiter",
    "reverb": "rtkaraoke.plugins.effects.space:Reverb",
}


def shipped_names() -> list[str]:
    """Those of :func:`plugin_names` that come with rtkaraoke, sorted."""
    return sorted(_SHIPPED)


def plugin_names() -> list[str]:
    """Every name that :func:`create_plugin` knows, sorted; nothing is imported."""
    return sorted({*_SHIPPED, *(entry.name for entry in entry_points(group=ENTRY_POINT_GROUP))})


def create_plugin(name: str, on_start: Callable[[], None] | None = None) -> Plugin:
    """A new plugin. Those that ship come before others of the same name.

    Parameters
    ----------
    name : str
        One of :func:`plugin_names`, or a plugin for a process of its own, see
        :mod:`rtkaraoke.plugins.hosting.names`.
    on_start : callable, optional
        Picklable; raises the priority of such a process.

    Raises
    ------
    PluginError
        When there is none of that name, or it cannot be made.
    """
    from rtkaraoke.plugins.hosting.names import create_external, is_external

    if is_external(name):
        return create_external(name, on_start)
    if name in _SHIPPED:
        module, _, made_by = _SHIPPED[name].partition(":")
        shipped: Plugin = getattr(import_module(module), made_by)()
        return shipped
    for entry in entry_points(group=ENTRY_POINT_GROUP, name=name):
        try:
            plugin = entry.load()()
        except Exception as error:  # foreign code: whatever it raises, the user is told which plugin it was
            raise PluginError(f"plugin {name!r} from {entry.value} failed: {type(error).__name__}: {error}") from error
        if not isinstance(plugin, Plugin):
            raise PluginError(
                f"plugin {name!r} from {entry.value} is no plugin: it wants all of rtkaraoke.plugins.protocol.Plugin"
            )
        return plugin
    raise PluginError(f"no plugin {name!r}: there are {', '.join(plugin_names())}")
