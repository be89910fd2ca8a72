"""How a preset names a plugin that runs in a child process.

==============================  ===================================================================================
``external:telephone``          a plugin that :func:`~rtkaraoke.plugins.registry.create_plugin` knows, contained
``pedalboard:Chorus``           an effect of the library pedalboard, by the name of its class
``/path/to/Effect.vst3``        a VST3 plugin, or an Audio Unit (``.component``) on macOS
``/path/to/Effects.vst3#Name``  one of several plugins in a file
==============================  ===================================================================================
"""

from collections.abc import Callable
from functools import partial
from importlib.util import find_spec

from rtkaraoke.errors import PluginError
from rtkaraoke.plugins.hosting.external import External
from rtkaraoke.plugins.protocol import Plugin

CONTAINED = "external:"
PEDALBOARD = "pedalboard:"
FILES = (".vst3", ".component")


def is_external(name: str) -> bool:
    """Whether ``name`` is one of a plugin in a child process."""
    return name.startswith((CONTAINED, PEDALBOARD)) or _path(name).endswith(FILES)


def create_external(name: str, on_start: Callable[[], None] | None = None) -> External:
    """A new plugin in a child process.

    Parameters
    ----------
    name : str
        See :mod:`rtkaraoke.plugins.hosting.names`.
    on_start : callable, optional
        See :class:`~rtkaraoke.plugins.hosting.external.External`.

    Raises
    ------
    PluginError
        When it cannot be made, or the extra that it needs is not installed.
    """
    from rtkaraoke.plugins.hosting import pedalboard_effect
    from rtkaraoke.plugins.registry import create_plugin

    if name.startswith(CONTAINED):
        inner = name.removeprefix(CONTAINED)
        if is_external(inner):
            raise PluginError(f"plugin {name!r}: {inner!r} runs in a process of its own as it is")
        factory: Callable[[], Plugin] = partial(create_plugin, inner)
    else:
        if find_spec("pedalboard") is None:
            raise PluginError(f"plugin {name!r} needs pedalboard: pip install 'rtkaraoke[effects]'")
        if name.startswith(PEDALBOARD):
            factory = partial(pedalboard_effect.ShippedEffect, name.removeprefix(PEDALBOARD))
        else:
            path, _, of_several = name.partition("#")
            factory = partial(pedalboard_effect.PluginFile, path, of_several)
    try:
        return External(factory, on_start=on_start)
    except PluginError as error:
        raise PluginError(f"plugin {name!r}: {error}") from None


def _path(name: str) -> str:
    return name.partition("#")[0].rstrip("/\\").lower()
