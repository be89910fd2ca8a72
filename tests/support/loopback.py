"""A second JACK client beside the program under test: plays on loopback 1-2, hears everything.

What leaves channels 1-2 is captured there by every client in the same callback, so channels 1-2 of the recording
are the program's input as it was, and channels 3-4 its output one period after it left.
"""

import time

import numpy as np
from numpy.typing import NDArray

MARK = 0.75  #: the first sample of every injected signal, louder than the rest


def decodable(n_samples: int, seed: int = 0) -> NDArray[np.float32]:
    """Two channels of noise below 0.5 in which no two samples are alike, with a mark in front: ``(sample, 2)``."""
    signal = np.random.default_rng(seed).uniform(-0.5, 0.5, (n_samples, 2)).astype(np.float32)
    signal[0] = MARK
    return signal


class Loopback:
    """Plays ``signal`` ``(sample, 2)`` and records ``n_samples`` of all four channels, from one callback on."""

    def __init__(self, signal: NDArray[np.float32], n_samples: int, sample_rate: int = 44_100) -> None:
        import rtmixer

        self.recorded = np.zeros((n_samples, 4), np.float32)
        self._signal = np.ascontiguousarray(signal)
        self._stream = rtmixer.MixerAndRecorder(
            device="loopback", channels=(4, 2), samplerate=sample_rate, blocksize=0, latency="low"
        )
        self._record = self._stream.record_buffer(self.recorded, channels=4)
        self._play = self._stream.play_buffer(self._signal, channels=2)
        self._stream.start()

    @property
    def n_recorded(self) -> int:
        return int(self._record.done_frames)

    def finish(self) -> NDArray[np.float32]:
        """Wait for the end of the recording and close; returns it."""
        while self._record in self._stream.actions:
            time.sleep(0.01)
        self._stream.stop()
        self._stream.close()
        return self.recorded


def mark(recorded: NDArray[np.float32]) -> int:
    """Where the injected signal begins in a recording ``(sample, channel)``."""
    return int(np.argmax(recorded[:, 0] == MARK))
