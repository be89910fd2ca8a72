"""Another key for live sound. Songs from files change theirs at their source, where there is time for more."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import scipy.fft

from rtkaraoke.dsp.kernels import pitch as kernels
from rtkaraoke.plugins.effects.base import Effect
from rtkaraoke.plugins.protocol import Parameter

HOP_S = 0.0213
OVERLAP = 4  #: windows at a time; a Hann window counts twice, so their squares add up to 3 / 8 of them
PADDING = 2  #: the FFT is this much longer than the window, for finer bins


class KeyShift(Effect):
    """Moves all pitches, mono or stereo, at a latency of one window (85 ms): a phase vocoder after Laroche and Dolson.

    With 0 semitones the sound is the input itself, delayed.
    """

    name = "key_shift"
    n_channels_most = 2
    presets: Mapping[str, Mapping[str, float]] = {
        "original": {"semitones": 0.0},
        "lower": {"semitones": -2.0},
        "higher": {"semitones": 2.0},
        "low voice": {"semitones": -5.0},
        "high voice": {"semitones": 5.0},
    }

    def __init__(self) -> None:
        super().__init__(
            [Parameter("semitones", "semitones", -12.0, 12.0, 0.0, "up or down; 0 leaves the sound alone")]
        )
        self._hop = 0

    @property
    def latency(self) -> int:
        """Samples: one window."""
        return OVERLAP * self._hop

    def prepare(self, sample_rate: int, n_channels: int, max_block: int) -> None:
        """See :class:`~rtkaraoke.plugins.protocol.Plugin`."""
        self._hop = scipy.fft.next_fast_len(round(HOP_S * sample_rate), real=True)
        super().prepare(sample_rate, n_channels, max_block)

    def _is_wet(self) -> bool:
        return super()._is_wet() and self.get("semitones") != 0.0

    def _targets(self) -> Sequence[float]:
        self._ratio = 2.0 ** (self.get("semitones") / 12)
        return ()

    def _allocate(self, sample_rate: int, n_channels: int, max_block: int) -> None:
        length = OVERLAP * self._hop
        n_bins = PADDING * length // 2 + 1
        hann = 0.5 - 0.5 * np.cos(2 * math.pi * np.arange(length) / length)
        self._window = (hann / math.sqrt(OVERLAP * 3 / 8)).astype(np.float32)
        self._history, self._delay, self._overlap = (np.zeros((n_channels, length), np.float32) for _ in range(3))
        self._ready = np.zeros((n_channels, self._hop), np.float32)
        self._frame = np.zeros((n_channels, PADDING * length), np.float32)
        self._powers, self._turns = (np.zeros((2, n_bins)) for _ in range(2))
        self._valleys = np.zeros(n_bins, np.int64)
        self._shifted = np.zeros((n_channels, n_bins), np.complex64)

    def _clear(self) -> None:
        for array in (self._history, self._delay, self._overlap, self._ready, self._powers, self._turns):
            array.fill(0.0)
        self._fill = self._delay_at = 0

    def _apply(self, n_samples: int) -> None:
        start = 0
        while start < n_samples:
            run = min(n_samples - start, self._hop - self._fill)
            kernels.exchange(
                self._dry,
                self._wet,
                start,
                run,
                self._delay,
                self._delay_at,
                self._history,
                self._fill,
                self._ready,
            )
            start += run
            self._fill += run
            self._delay_at += run
            if self._fill == self._hop:
                self._fill = 0
                if self._delay_at == self.latency:
                    self._delay_at = 0
                kernels.shift_frame(
                    self._history,
                    self._window,
                    self._ratio,
                    self._frame,
                    self._powers,
                    self._turns,
                    self._valleys,
                    self._shifted,
                    self._overlap,
                    self._ready,
                )
