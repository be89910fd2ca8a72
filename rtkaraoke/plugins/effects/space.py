"""Echo and reverb: repeats, and rooms."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from rtkaraoke.dsp.kernels import reverberation as kernels
from rtkaraoke.plugins.effects.base import GLIDE_S, Effect
from rtkaraoke.plugins.protocol import Parameter

LONGEST_ECHO_S = 2.0
LONGEST_PRE_DELAY_S = 0.2
TAP_FADE_S = 0.05  #: between two taps of the echo
ROOM_GLIDE_S = 0.5  #: a room grows and shrinks slowly: a faster change would bend the pitch more
ECHO_LOW_CUT_HZ = 80.0  #: in the loop
DAMPED_HZ = 5000.0  #: where the reverb's damping says how much shorter it rings
# Lengths of the reverb's lines at full size. Left and right take turns; no two share a short common multiple.
LINES_S = (
    0.0311, 0.0333, 0.0359, 0.0387, 0.0419, 0.0443, 0.0482, 0.0521,
    0.0557, 0.0603, 0.0641, 0.0692, 0.0743, 0.0797, 0.0859, 0.0923,
)  # fmt: skip
DIFFUSERS_S = ((0.00477, 0.00360, 0.01273, 0.00931), (0.00509, 0.00331, 0.01187, 0.00997))  #: after Dattorro
DIFFUSER_GAINS = (0.75, 0.75, 0.625, 0.625)
VIBRATO_HZ = (0.31, 1.13)  #: from the slowest line to the fastest
VIBRATO_S = 0.00016

_STEREO = 2


def _mix(share: float) -> tuple[float, float]:
    """Gains of dry and wet of a mix from 0 to 1: both are whole in the middle, so that the voice keeps its level."""
    return min(1.0, 2.0 - 2.0 * share), min(1.0, 2.0 * share)


def _ring_length(n_samples: float) -> int:
    """The power of two that holds ``n_samples`` and the neighbours that interpolation asks for."""
    return 1 << math.ceil(math.log2(n_samples + 4))


class Echo(Effect):
    """Repeats, each duller than the one before; with ping-pong they go from side to side."""

    name = "echo"
    n_channels_most = _STEREO
    presets: Mapping[str, Mapping[str, float]] = {
        "dry": {"time": 350.0, "feedback": 0.0, "damping": 6000.0, "ping_pong": 0, "mix": 0.0},
        "slap": {"time": 110.0, "feedback": 0.0, "damping": 6000.0, "ping_pong": 0, "mix": 18.0},
        "vocal": {"time": 340.0, "feedback": 25.0, "damping": 4000.0, "ping_pong": 0, "mix": 14.0},
        "ping-pong": {"time": 300.0, "feedback": 45.0, "damping": 5000.0, "ping_pong": 1, "mix": 18.0},
        "canyon": {"time": 620.0, "feedback": 60.0, "damping": 2500.0, "ping_pong": 1, "mix": 28.0},
        "karaoke bar": {"time": 220.0, "feedback": 40.0, "damping": 3500.0, "ping_pong": 0, "mix": 22.0},
    }

    def __init__(self) -> None:
        super().__init__(
            [
                Parameter("time", "ms", 20.0, 1e3 * LONGEST_ECHO_S, 340.0, "from one repeat to the next"),
                Parameter("feedback", "%", 0.0, 95.0, 25.0, "what is left of a repeat in the next"),
                Parameter("damping", "Hz", 500.0, 20_000.0, 4000.0, "highs above fade from repeat to repeat"),
                Parameter("ping_pong", "", 0, 1, 0, "from side to side", ("off", "on")),
                Parameter("mix", "%", 0.0, 100.0, 14.0, "50 is all of the voice and all of the echo, 100 no voice"),
            ]
        )

    def _allocate(self, sample_rate: int, n_channels: int, max_block: int) -> None:
        self._lines = np.zeros((n_channels, _ring_length(LONGEST_ECHO_S * sample_rate)), np.float32)
        self._poles = np.zeros((n_channels, 2))
        self._state = np.zeros(4, np.int64)
        self._fade = round(TAP_FADE_S * sample_rate)
        self._low_cut = 1.0 - self._shrinkage(1.0 / (2 * math.pi * ECHO_LOW_CUT_HZ))

    def _clear(self) -> None:
        self._lines.fill(0.0)
        self._poles.fill(0.0)
        self._state.fill(0)
        self._state[kernels.TAP] = self._delay

    def _targets(self) -> Sequence[float]:
        self._delay = round(1e-3 * self.get("time") * self._sample_rate)
        damping = 1.0 - self._shrinkage(1.0 / (2 * math.pi * self.get("damping")))
        return (0.01 * self.get("feedback"), damping, self.get("ping_pong"), *_mix(0.01 * self.get("mix")))

    def _apply(self, n_samples: int) -> None:
        kernels.echo(
            self._dry,
            self._wet,
            n_samples,
            self._controls,
            self._delay,
            self._fade,
            self._low_cut,
            self._state,
            self._lines,
            self._poles,
        )


class Reverb(Effect):
    """A room of any size: a feedback delay network after Jot and Chaigne (1991), diffused after Dattorro (1997).

    At a mix of 50 the room is about as loud as the voice, whatever its decay.
    """

    name = "reverb"
    n_channels_most = _STEREO
    glide_s = (
        *(GLIDE_S,) * 2,  # mix
        *(ROOM_GLIDE_S,) * 2,  # pre-delay, size
        GLIDE_S,  # low cut
        *(ROOM_GLIDE_S,) * (2 * kernels.N_LINES),
    )
    presets: Mapping[str, Mapping[str, float]] = {
        "dry": {"mix": 0.0, "decay": 1.5, "size": 50.0, "pre_delay": 15.0, "damping": 50.0, "low_cut": 150.0},
        "hall": {"mix": 20.0, "decay": 2.6, "size": 90.0, "pre_delay": 25.0, "damping": 55.0, "low_cut": 150.0},
        "plate": {"mix": 17.0, "decay": 1.6, "size": 35.0, "pre_delay": 8.0, "damping": 30.0, "low_cut": 200.0},
        "slap": {"mix": 15.0, "decay": 0.25, "size": 30.0, "pre_delay": 90.0, "damping": 40.0, "low_cut": 200.0},
        "room": {"mix": 14.0, "decay": 0.6, "size": 25.0, "pre_delay": 3.0, "damping": 60.0, "low_cut": 120.0},
        "club": {"mix": 17.0, "decay": 1.1, "size": 50.0, "pre_delay": 12.0, "damping": 65.0, "low_cut": 180.0},
        "cathedral": {"mix": 26.0, "decay": 6.0, "size": 100.0, "pre_delay": 45.0, "damping": 65.0, "low_cut": 120.0},
    }

    def __init__(self) -> None:
        super().__init__(
            [
                Parameter("mix", "%", 0.0, 100.0, 17.0, "50 is all of the voice and all of the room, 100 no voice"),
                Parameter("decay", "s", 0.1, 15.0, 1.6, "time in which the room falls by 60 dB"),
                Parameter("size", "%", 10.0, 100.0, 50.0, "small sounds dense, large wide"),
                Parameter("pre_delay", "ms", 0.0, 1e3 * LONGEST_PRE_DELAY_S, 15.0, "before the room answers"),
                Parameter("damping", "%", 0.0, 95.0, 50.0, f"how much sooner {DAMPED_HZ:.0f} Hz falls"),
                Parameter("low_cut", "Hz", 20.0, 1000.0, 150.0, "lows below stay out of the room"),
            ]
        )

    def _allocate(self, sample_rate: int, n_channels: int, max_block: int) -> None:
        n_lines = kernels.N_LINES
        self._depth = VIBRATO_S * sample_rate
        self._line_lengths = np.array(LINES_S) * sample_rate
        self._lines = np.zeros((n_lines, _ring_length(self._line_lengths.max() + 2 * self._depth)), np.float32)
        self._pre_delays = np.zeros((n_channels, _ring_length(LONGEST_PRE_DELAY_S * sample_rate)), np.float32)
        self._low_poles = np.zeros(n_channels)
        self._diffuser_lengths = np.round(np.array(DIFFUSERS_S) * sample_rate).astype(np.int64)
        self._diffuser_gains = np.array(DIFFUSER_GAINS)
        n_diffusers = n_channels * kernels.N_DIFFUSERS
        self._diffusers = np.zeros((n_diffusers, _ring_length(self._diffuser_lengths.max())), np.float32)
        self._vibrato = np.zeros((n_lines, 4))
        self._scratch = np.zeros((2, n_lines))
        self._at = np.zeros(1, np.int64)

    def _clear(self) -> None:
        for array in (self._lines, self._pre_delays, self._low_poles, self._diffusers, self._scratch, self._at):
            array.fill(0)
        n_lines = kernels.N_LINES
        phases = 2 * math.pi * (7 * np.arange(n_lines) % n_lines) / n_lines
        steps = 2 * math.pi * np.geomspace(*VIBRATO_HZ, n_lines) / self._sample_rate
        for slot, values in enumerate((np.sin(phases), np.cos(phases), np.sin(steps), np.cos(steps))):
            self._vibrato[:, slot] = values

    def _targets(self) -> Sequence[float]:
        decay_s, size = self.get("decay"), 0.01 * self.get("size")
        damped_s = decay_s * (1.0 - 0.01 * self.get("damping"))
        delays_s = [size * line_s + VIBRATO_S for line_s in LINES_S]
        gains = [10.0 ** (-3.0 * delay_s / decay_s) for delay_s in delays_s]
        poles = [
            _pole(10.0 ** (-3.0 * delay_s * (1 / damped_s - 1 / decay_s)), DAMPED_HZ / self._sample_rate)
            for delay_s in delays_s
        ]
        dry, wet = _mix(0.01 * self.get("mix"))
        n_channels = self._dry.shape[0]
        # What goes round loses 1 - g^2 of its energy each time: this makes up for the sum of all rounds.
        level = math.sqrt(2 * (1 - float(np.mean(np.square(gains)))) * n_channels / kernels.N_LINES)
        pre_delay = max(2.0, 1e-3 * self.get("pre_delay") * self._sample_rate)
        low_cut = 1.0 - self._shrinkage(1.0 / (2 * math.pi * self.get("low_cut")))
        return (dry, wet * level, pre_delay, size, low_cut, *gains, *poles)

    def _apply(self, n_samples: int) -> None:
        kernels.reverb(
            self._dry,
            self._wet,
            n_samples,
            self._controls,
            self._at,
            self._pre_delays,
            self._low_poles,
            self._diffuser_lengths,
            self._diffuser_gains,
            self._diffusers,
            self._line_lengths,
            self._depth,
            self._vibrato,
            self._lines,
            self._scratch,
        )


def _pole(gain: float, frequency: float) -> float:
    """Pole of the one-pole low pass that has ``gain`` at ``frequency`` (share of the sample rate), and 1 at 0."""
    power = gain * gain
    if power >= 1.0:
        return 0.0
    b = 1.0 - power * math.cos(2 * math.pi * frequency)
    return (b - math.sqrt(b * b - (1.0 - power) ** 2)) / (1.0 - power)
