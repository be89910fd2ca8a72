"""What an engine's network says of its own steps."""

from rtkaraoke.engine import Engine
from rtkaraoke.masks.runner import StepTimes
from rtkaraoke.plugins.vocal_remover import VocalRemover


def step_times(engine: Engine) -> StepTimes:
    """Those of the vocal remover. Raises :class:`ValueError` for an engine without one."""
    for plugin in engine.music.plugins:
        if isinstance(plugin, VocalRemover):
            return plugin.step_times
    raise ValueError(f"an engine without a vocal remover: it has {', '.join(engine.plugins)}")
