"""Engines and sources for live tests: importable, so that they can be made in the engine process."""

import os
import time

import numpy as np

from rtkaraoke.buses import Mic, Send
from rtkaraoke.engine import Engine, music_engine
from rtkaraoke.masks.centre import CentreNetwork
from rtkaraoke.masks.models import load_model
from rtkaraoke.masks.protocol import Mask, MaskModel, Spectrum
from rtkaraoke.plugins.duck import Duck
from rtkaraoke.plugins.gain import Gain
from rtkaraoke.plugins.limiter import Limiter
from rtkaraoke.plugins.protocol import Block
from rtkaraoke.plugins.vocal_remover import VocalRemover


def passthrough() -> Engine:
    """No plugin at all: the output is the input."""
    return Engine([])


def centre(*switched_on: str) -> Engine:
    """The default chain with the classical mask, waiting for every mask."""
    return music_engine(CentreNetwork(), parameters=dict.fromkeys(switched_on, 1.0))


MODEL_VARIABLE = "RTKARAOKE_TEST_MODEL"  #: the file of :func:`from_file`


def from_file() -> Engine:
    """The default chain with the network of an ONNX file, waiting for every mask."""
    return music_engine(load_model(os.environ[MODEL_VARIABLE], "cpu"))


def night() -> Engine:
    """The shipped network on a thread of its own, and a microphone with a chain."""
    remover = VocalRemover(load_model("live", "cpu"), threaded=True)
    remover.set("vocals", 0.0)  # a tone may pass for a voice: whatever the network says, it is heard
    return Engine([remover], [Limiter()], mics=[Mic("mic1", [Gain()])], sends=[Send("reverb", [Gain()])], duck=Duck())


class Hum:
    """A source: a quiet tone without an end, which says of which second its samples are."""

    def __init__(self) -> None:
        self._at = 0
        self.status: dict[str, float] = {}

    def prepare(self, sample_rate: int, n_channels: int) -> None:
        self._rate = sample_rate

    def read(self, out: Block) -> int:
        n_samples = out.shape[1]
        out[:] = 0.1 * np.sin(2 * np.pi * 441 / self._rate * (self._at + np.arange(n_samples)))
        self._at += n_samples
        return n_samples

    def command(self, name: str, value: float, text: str = "") -> None:
        pass

    def heard_s(self, sample: int) -> float:
        return sample / self._rate

    def close(self) -> None:
        pass


class _Slow:
    """A network that needs 20 ms now and then, 300 ms once."""

    info = CentreNetwork.info

    def open(self, sample_rate: int) -> "_SlowMask":
        return _SlowMask(CentreNetwork().open(sample_rate))


class _SlowMask:
    def __init__(self, mask: MaskModel) -> None:
        self._mask = mask
        self.info, self.geometry, self.reset, self.close = mask.info, mask.geometry, mask.reset, mask.close
        self._step = 0

    def step(self, spectrum: Spectrum, mask: Mask) -> None:
        self._step += 1
        if self._step % 60 == 0:
            time.sleep(0.3 if self._step == 180 else 0.02)
        self._mask.step(spectrum, mask)


def slow() -> Engine:
    """The default chain, threaded, with masks that are late."""
    return music_engine(_Slow(), threaded=True)


class Stalling(Gain):
    """Holds the worker up for 0.3 s when its level is set to -1 dB: the worst that a plugin can do."""

    name = "stalling"

    def set(self, name: str, value: float) -> None:
        if value == -1.0:
            time.sleep(0.3)


def stalling() -> Engine:
    return Engine([Stalling()])
