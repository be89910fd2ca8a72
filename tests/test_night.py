"""The preset of a karaoke night: nothing on the microphone's way delays it, and nothing that is switched clicks."""

import numpy as np
import pytest
from numpy.typing import NDArray

from rtkaraoke.cli import build
from rtkaraoke.config import load
from rtkaraoke.engine import Engine
from rtkaraoke.masks.centre import CentreNetwork

RATE = 44_100
BLOCK = 441
GAP = 10  # blocks between two switches
RAMP_S = 0.02


@pytest.fixture
def night() -> Engine:
    engine = build.engine(load("night"), CentreNetwork(), mics=True)
    engine.prepare(RATE, 2, BLOCK)
    return engine


def tone(n_samples: int) -> NDArray[np.float32]:
    """A hum as music and a sung note on every microphone: what they do by themselves is smooth."""
    t = np.arange(n_samples) / RATE
    return np.stack([0.1 * np.sin(2 * np.pi * 60 * t)] * 2 + [0.15 * np.sin(2 * np.pi * 220 * t)] * 8).astype(
        np.float32
    )


def played(engine: Engine, switches: list[tuple[str, str, float]]) -> NDArray[np.float32]:
    """What comes out while they are made one after another, from the moment that everything has settled."""
    settle = 50
    n_blocks = settle + GAP * (len(switches) + 1)
    signal = tone(n_blocks * BLOCK)[: engine.n_inputs]
    out = np.zeros((engine.n_outputs, n_blocks * BLOCK), np.float32)
    for block in range(n_blocks):
        number, rest = divmod(block - settle, GAP)
        if rest == 0 and 0 <= number < len(switches):
            engine.set(*switches[number])
        here = slice(block * BLOCK, (block + 1) * BLOCK)
        engine.process(signal[:, here], out[:, here])
    return out[:, (settle - 1) * BLOCK :]


def test_the_microphone_is_not_delayed_by_anything_on_its_way(night: Engine) -> None:
    assert night.mics
    assert all(mic.latency == 0 for mic in night.mics)
    assert all(plugin.latency == 0 for mic in night.mics for plugin in mic.plugins)
    assert night.latency == 512
    night.close()


def test_every_plugin_is_switched_and_every_bus_muted_without_a_click(night: Engine) -> None:
    switches = []
    for part in night.layout():
        for parameter in part.parameters:
            if parameter.name in ("bypass", "mute", "solo", "on"):
                away = 1.0 - parameter.default
                switches += [(part.name, parameter.name, away), (part.name, parameter.name, parameter.default)]
            elif parameter.name in ("level", "pan", "vocals") or parameter.name.startswith("send_"):
                for value in (parameter.minimum, parameter.maximum, parameter.default):
                    switches.append((part.name, parameter.name, value))
    assert len(switches) > 30
    calm = np.abs(np.diff(played(night, []))).max()
    night.reset()
    out = played(night, switches)
    # A ramp over the loudest level, which +12 dB makes of the mix, and four times the tones' own steps.
    assert np.abs(np.diff(out)).max() < 4 * calm + np.abs(out).max() / (RAMP_S * RATE) * 2
    night.close()


@pytest.mark.parametrize("block", [1, 64, 441])
def test_the_whole_desk_gives_the_same_bits_in_any_partition(night: Engine, block: int) -> None:
    signal = tone(4_410)[: night.n_inputs]
    expected, out = np.zeros((night.n_outputs, 4_410), np.float32), np.zeros((night.n_outputs, 4_410), np.float32)
    for size, into in ((BLOCK, expected), (block, out)):
        night.reset()
        for start in range(0, 4_410, size):
            night.process(signal[:, start : start + size], into[:, start : start + size])
    np.testing.assert_array_equal(out, expected)
    night.close()
