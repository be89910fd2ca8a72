"""Every check of the contract passes on every plugin that ships, and catches a plugin that breaks it."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np
import pytest
from numpy.typing import NDArray

from rtkaraoke.plugins import check
from rtkaraoke.plugins.declaration import check_declaration
from rtkaraoke.plugins.gain import Gain
from rtkaraoke.plugins.harness import run
from rtkaraoke.plugins.protocol import Block, Parameter, Parameters, Plugin
from rtkaraoke.plugins.registry import create_plugin, shipped_names
from rtkaraoke.plugins.vocal_remover import VocalRemover
from tests.support.models import constant

LOGICAL = sorted(check.CHECKS.keys() - {"time"})  # a busy machine must not fail a test


@pytest.mark.parametrize("name", LOGICAL)
@pytest.mark.parametrize("plugin", [*shipped_names(), "vocal_remover"])
def test_what_ships_keeps_the_contract(plugin: str, name: str) -> None:
    if plugin == "vocal_remover":
        check.CHECKS[name](lambda: VocalRemover(constant(0.7)))
    else:
        check.CHECKS[name](partial(create_plugin, plugin))


class Copy(Parameters):
    """A plugin that keeps the contract; subclasses break it in one way each."""

    name = "copy"
    latency = 0

    def __init__(self, declared: Sequence[Parameter] = ()) -> None:
        super().__init__(declared or [Parameter("level", "", 0.0, 1.0, 1.0)])

    def prepare(self, sample_rate: int, n_channels: int, max_block: int) -> None:
        self.reset()

    def process(self, block: Block, out: Block) -> None:
        np.copyto(out, block)
        out[~np.isfinite(out)] = 0.0

    def reset(self) -> None:
        """Nothing is kept."""

    def close(self) -> None:
        """Nothing is held."""


class NoRange(Copy):
    def __init__(self) -> None:
        super().__init__([Parameter("level", "", 0.0, 1.0, 2.0)])


class WrongChoices(Copy):
    def __init__(self) -> None:
        super().__init__([Parameter("mode", "", 0, 3, 0, "", ("off", "on"))])


class TakesAll(Copy):
    def set(self, name: str, value: float) -> None:
        self._values[name] = value


class StrangePreset(Copy):
    presets: Mapping[str, Mapping[str, float]] = {"loud": {"loudness": 1.0}}


class PresetOutOfRange(Copy):
    presets: Mapping[str, Mapping[str, float]] = {"loud": {"level": 11.0}}


class PerBlock(Copy):
    def process(self, block: Block, out: Block) -> None:
        out[:] = block - block.mean(axis=1, keepdims=True)


class LaterThanDeclared(Copy):
    def process(self, block: Block, out: Block) -> None:
        out[:] = np.roll(block, 3, axis=1)


class LetsNanThrough(Copy):
    def process(self, block: Block, out: Block) -> None:
        np.copyto(out, block)


class NeverRecovers(Copy):
    dead = False

    def process(self, block: Block, out: Block) -> None:
        self.dead = self.dead or not np.isfinite(block).all()
        out[:] = 0.0 if self.dead else block


class Explodes(Copy):
    def process(self, block: Block, out: Block) -> None:
        with np.errstate(divide="ignore"):
            out[:] = block / np.float32(self.get("level"))


class Hums(Copy):
    def process(self, block: Block, out: Block) -> None:
        out[:] = block + np.float32(1e-3)


class DiesAwayForEver(Copy):
    def reset(self) -> None:
        self.tail = np.float32(0.0)

    def process(self, block: Block, out: Block) -> None:
        for i in range(block.shape[1]):
            self.tail = np.float32(block[0, i] + np.float32(0.99) * self.tail)
            out[:, i] = self.tail


class Jumps(Copy):
    def process(self, block: Block, out: Block) -> None:
        super().process(block, out)
        out *= np.float32(self.get("level"))


class Remembers(Copy):
    n = 0

    def process(self, block: Block, out: Block) -> None:
        out[:] = block + np.float32(self.n)
        self.n += 1


class Allocates(Copy):
    def process(self, block: Block, out: Block) -> None:
        out[:] = block * np.ones_like(block)


class MonoOnly(Copy):
    def prepare(self, sample_rate: int, n_channels: int, max_block: int) -> None:
        if n_channels > 1:
            raise ValueError("mono only")


class HalfASample(Copy):
    latency = 0.5  # type: ignore[assignment]


class GrowsLater(Copy):
    def process(self, block: Block, out: Block) -> None:
        super().process(block, out)
        self.latency += 1


class Slow(Copy):
    def process(self, block: Block, out: Block) -> None:
        for _ in range(20):
            np.fft.fft(block, 1 << 14)
        super().process(block, out)


@pytest.mark.parametrize(
    ("plugin", "name", "words"),
    [
        (NoRange, "declaration", "0 to 1 with the default 2 is no range"),
        (WrongChoices, "declaration", "2 choices, but a range from 0 to 3"),
        (TakesAll, "declaration", "is taken: wanted a PluginError"),
        (StrangePreset, "declaration", "preset 'loud' names 'loudness': there are level"),
        (PresetOutOfRange, "declaration", "PluginError: level = 11.0"),
        (PerBlock, "partition", "blocks of 1, 1, 1, 1, 1, 1, ... differ from blocks of 4096 from sample 0 on"),
        (LaterThanDeclared, "latency", "comes out after 3 samples, declared are 0"),
        (GrowsLater, "latency", "it must stay"),
        (Hums, "latency", "comes out before the impulse is due"),
        (LetsNanThrough, "NaN and Inf", "samples are NaN or Inf"),
        (NeverRecovers, "NaN and Inf", "instead of"),
        (Explodes, "limits", "NaN or Inf at full scale with {'level': 0.0}"),
        (Hums, "silence", "silence in, -60 dB out"),
        (DiesAwayForEver, "denormals", "denormal samples come out of a tail"),
        (Jumps, "clicks", "level from 0 to 1: a step of 0.25"),
        (Remembers, "reset", "other bits after a reset"),
        (Allocates, "allocation", "allocate in prepare"),
        (MonoOnly, "rates", "ValueError: mono only"),
        (HalfASample, "rates", "a latency of 0.5 at 16000 Hz"),
        (Slow, "time", "too much for 2667 µs"),
    ],
)
def test_a_broken_contract_is_found(
    plugin: Callable[[], Plugin], name: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check, "CHECKS", {name: check.CHECKS[name]})
    monkeypatch.setattr(check, "N_TIMED", 20)
    (result,) = check.check_plugin(plugin)
    assert result.check == name
    assert not result.passed
    assert words in result.detail


def test_a_good_plugin_passes_every_check(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check, "CHECKS", {name: check.CHECKS[name] for name in LOGICAL})
    results = list(check.check_plugin(Gain))
    assert [result.check for result in results] == LOGICAL
    assert all(result.passed for result in results)


def test_a_plugin_without_parameters_or_presets_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    class Bare(Copy):
        def __init__(self) -> None:
            self._declared, self._values = {}, {}

    assert check_declaration(Bare) == "0 parameters, 0 presets"
    assert check.check_clicks(Bare) == "nothing to move"


def test_blocks_end_where_a_parameter_changes() -> None:
    seen: list[int] = []

    class Notes(Copy):
        def process(self, block: NDArray[np.float32], out: NDArray[np.float32]) -> None:
            seen.append(block.shape[1])
            super().process(block, out)

    plugin = Notes()
    out = run(plugin, np.ones((1, 100), np.float32), (40,), [(30, "level", 0.5), (30, "level", 0.2)])
    assert seen == [30, 40, 30]
    assert plugin.get("level") == 0.2
    assert (out == 1).all()
