"""A song as a source of live sound: play, pause, seek.

A reader thread decodes ahead into a ring; the worker takes from it and never waits. A seek prepares a ring of its
own at the new place, and the worker changes over between two fades, so that neither a seek nor a pause clicks::

    file ─► decoder ─► resampler (only where the card has another rate) ─► ring ─► worker
             reader thread ───────────────────────────────────────────────┘
"""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtkaraoke.closing import Closing
from rtkaraoke.dsp import kernels
from rtkaraoke.dsp.dynamics import Ramp
from rtkaraoke.errors import RtkaraokeError
from rtkaraoke.files import AudioReader
from rtkaraoke.plugins.protocol import Block

CHUNK = 4096  # samples decoded at a time
AHEAD_S = 2.0  # what the ring holds
READY_S = 0.2  # what it holds before a seek's new place is played
FADE_S = 0.015
NAP_S = 0.02


class _Ring:
    """One writer, one reader, no lock: each moves its own count and reads the other's."""

    def __init__(self, n_channels: int, size: int, start: int) -> None:
        self.start = start  # the song's sample that came in first
        self.ended = False  # nothing more comes
        self._data = np.zeros((n_channels, size), np.float32)
        self._written = 0
        self._read = 0

    @property
    def position(self) -> int:
        """The song's sample that comes out next."""
        return self.start + self._read

    @property
    def filled(self) -> int:
        """Samples that can be read."""
        return self._written - self._read

    @property
    def free(self) -> int:
        """Samples that can be written."""
        return self._data.shape[1] - self.filled

    def write(self, block: Block) -> None:
        """Append ``block`` ``(channel, n)`` with n up to :attr:`free`."""
        for here, there in self._spans(self._written, block.shape[1]):
            self._data[:, here] = block[:, there]
        self._written += block.shape[1]

    def read(self, out: Block) -> int:
        """Fill ``out`` from the start; returns how many samples there were. Realtime safe."""
        n_samples = min(self.filled, out.shape[1])
        for here, there in self._spans(self._read, n_samples):
            out[:, there] = self._data[:, here]
        self._read += n_samples
        return n_samples

    def _spans(self, count: int, n_samples: int) -> Iterator[tuple[slice, slice]]:
        """Where ``n_samples`` from ``count`` on lie in the ring, and where in a block: one or two pieces."""
        size = self._data.shape[1]
        at = count % size
        first = min(n_samples, size - at)
        yield slice(at, at + first), slice(0, first)
        if first < n_samples:
            yield slice(0, n_samples - first), slice(first, n_samples)


class Song(Closing):
    """A file to be played; a :class:`rtkaraoke.live.host.Source`.

    Mono is played on every channel; of more channels than the card's the first are played.

    Parameters
    ----------
    path : str or Path
    start_s : float
        Where to begin, in seconds.

    Raises
    ------
    AudioFileError
        When the file cannot be read.
    """

    def __init__(self, path: str | Path, start_s: float = 0.0) -> None:
        self._reader = AudioReader(path)
        self._start_s = start_s
        self._wanted_s: float | None = None
        self._next: _Ring | None = None
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        self._error: Exception | None = None
        self._gain = Ramp(1.0)
        self.paused = False
        self.n_starved = 0

    def prepare(self, sample_rate: int, n_channels: int) -> None:
        """Decode the beginning and start the reader thread. Raises :class:`~rtkaraoke.errors.AudioFileError`."""
        self._sample_rate = sample_rate
        self._n_channels = n_channels
        self._fade = round(FADE_S * sample_rate)
        self._raw = np.zeros((self._reader.info.n_channels, CHUNK), np.float32)
        self._ring = self._new_ring(self._start_s)
        while self._ring.filled < READY_S * sample_rate and not self._ring.ended:
            self._decode(self._ring)
        self._thread = threading.Thread(target=self._run, name="rtkaraoke-song", daemon=True)
        self._thread.start()

    def read(self, out: Block) -> int:
        """Fill ``out`` ``(channel, sample)``, silence where there is nothing; returns how many were the song's.

        Realtime safe.
        """
        following = self._next
        self._steer(following is not None)
        silent = self._gain.target == 0.0 and self._gain.state[kernels.GAIN_NOW] == 0.0
        if silent and following is not None:
            self._ring, self._next = following, None
            self._steer(False)
            silent = self.paused
        n_samples = 0 if silent else self._ring.read(out)
        out[:, n_samples:] = 0.0
        if n_samples:
            kernels.ramp_gain(out, out, self._gain.state)
        if n_samples < out.shape[1] and not silent:
            if self._error is not None:
                raise self._error
            self.n_starved += not self._ring.ended
        return n_samples

    def command(self, name: str, value: float, text: str = "") -> None:  # noqa: ARG002  the protocol's signature
        """``pause`` (1 or 0), ``seek`` (to a second), ``skip`` (by so many seconds). Raises :class:`RtkaraokeError`."""
        if name == "pause":
            self.paused = bool(value)
        elif name == "seek":
            self._wanted_s = max(0.0, value)
        elif name == "skip":
            base_s = self._wanted_s if self._wanted_s is not None else self.position_s
            self._wanted_s = max(0.0, base_s + value)
        else:
            raise RtkaraokeError(f"a song knows no command {name!r}: there are pause, seek, skip")

    @property
    def position_s(self) -> float:
        """The song's time that is played next."""
        ring = self._next or self._ring
        return ring.position / self._sample_rate

    @property
    def status(self) -> dict[str, float]:
        """``position_s``, ``length_s`` where the file says it, ``paused`` and ``ended`` (0 or 1), ``starved`` reads."""
        ring = self._next or self._ring
        status = {
            "position_s": self.position_s,
            "paused": float(self.paused),
            "ended": float(ring.ended and not ring.filled and self._wanted_s is None),
            "starved": float(self.n_starved),
        }
        length_s = self._reader.info.duration_s
        return status if length_s is None else {**status, "length_s": length_s}

    def close(self) -> None:
        """End the thread and close the file. May be called twice."""
        self._closing.set()
        if self._thread is not None:
            self._thread.join()
        self._reader.close()

    def _steer(self, leaving: bool) -> None:
        """Fade out before a pause and a change of place, in after them."""
        target = 0.0 if leaving or self.paused else 1.0
        if target != self._gain.target:
            self._gain.move(target, self._fade)

    # From here on: the reader thread.

    def _run(self) -> None:
        try:
            while not self._closing.is_set():
                if self._wanted_s is not None and self._next is None:
                    wanted_s, self._wanted_s = self._wanted_s, None
                    ring = self._new_ring(wanted_s)
                    while ring.filled < READY_S * self._sample_rate and not ring.ended:
                        self._decode(ring)
                    self._filling = ring
                    self._next = ring
                elif self._filling.ended or self._filling.free < 2 * self._largest:
                    self._closing.wait(NAP_S)
                else:
                    self._decode(self._filling)
        except Exception as error:  # noqa: BLE001  told by the worker when it gets there
            self._error = error
            self._filling.ended = True

    def _new_ring(self, start_s: float) -> _Ring:
        """A ring at ``start_s``, the file and the resampler made ready for it."""
        info = self._reader.info
        if info.duration_s is not None:
            start_s = min(start_s, info.duration_s)
        if start_s > 0 or self._thread is not None:
            self._reader.seek(round(start_s * info.sample_rate))
        self._resampler: Any = None
        if info.sample_rate != self._sample_rate:
            import soxr

            self._resampler = soxr.ResampleStream(
                info.sample_rate, self._sample_rate, self._n_channels, dtype="float32", quality="HQ"
            )
        ratio = self._sample_rate / info.sample_rate
        self._largest = int(2 * CHUNK * ratio) + CHUNK
        size = max(int(AHEAD_S * self._sample_rate), 4 * self._largest)
        ring = _Ring(self._n_channels, size, round(start_s * self._sample_rate))
        self._filling = ring
        return ring

    def _decode(self, ring: _Ring) -> None:
        """One chunk more into ``ring``."""
        n_samples = self._reader.read(self._raw)
        ended = n_samples < CHUNK
        block = self._fit(self._raw[:, :n_samples])
        if self._resampler is not None:
            block = self._resampler.resample_chunk(np.ascontiguousarray(block.T), last=ended).T
        ring.write(block)
        ring.ended = ended

    def _fit(self, block: NDArray[np.float32]) -> NDArray[np.float32]:
        """As many channels as the card plays."""
        if len(block) == 1:
            return np.repeat(block, self._n_channels, axis=0)
        if len(block) < self._n_channels:
            return np.concatenate([block, np.zeros((self._n_channels - len(block), block.shape[1]), np.float32)])
        if self._n_channels == 1:
            return block[:2].mean(axis=0, keepdims=True, dtype=np.float32)
        return block[: self._n_channels]
