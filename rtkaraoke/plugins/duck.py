"""The duck: the guide vocal falls while somebody sings into a microphone, and comes back afterwards.

It stands beside the chains. It listens to what the microphones and the music bus take in, and tells a plugin with a
guide vocal (:class:`~rtkaraoke.plugins.protocol.Guided`) sample by sample how much of it to leave.

A microphone also hears the loudspeakers. So it has to be louder than a threshold, and louder than the music by a
ratio, ``bleed``; both can be measured in two seconds in which nobody sings (``calibrate``).
"""

import math

import numpy as np
from numpy.typing import NDArray

from rtkaraoke.dsp.dynamics import db_to_gain
from rtkaraoke.dsp.kernels import ducking as kernels
from rtkaraoke.dsp.meters import FLOOR_DB
from rtkaraoke.plugins.protocol import Block, Parameter, Parameters

HIGH_PASS_HZ = 120.0  #: rumble and the bass of the loudspeakers are below
RISE_S = 0.003  #: time constants of the detector
FALL_S = 0.015
MUSIC_FALL_S = 0.2  #: of the music's held power: slower than a room, on the way from the loudspeakers as well
MUSIC_SILENCE_DB = -60.0  #: music below this is not worth a ratio
CALIBRATION_S = 2.0
MARGIN_DB = 3.0  #: by which even the end of singing lies above what a calibration heard
DEEPEST_DB = 90.0


class Duck(Parameters):
    """Detector with threshold, hysteresis and hold; the gain of the guide vocal moves in straight lines."""

    name = "duck"
    latency = 0

    def __init__(self) -> None:
        super().__init__(
            [
                Parameter("on", "", 0, 1, 1, "the guide vocal falls while somebody sings", ("off", "on")),
                Parameter("threshold", "dB", -70.0, 0.0, -42.0, "level of a microphone above which it is a singer"),
                Parameter("bleed", "dB", -60.0, 12.0, -13.0, "the same, relative to the music: what leaks in is none"),
                Parameter("hysteresis", "dB", 0.0, 20.0, 4.0, "how far below both the singing ends"),
                Parameter("hold", "ms", 0.0, 2000.0, 350.0, "pauses shorter than this are none"),
                Parameter("depth", "dB", 0.0, DEEPEST_DB, DEEPEST_DB, "how far the guide falls; the highest: all"),
                Parameter("attack", "ms", 5.0, 200.0, 20.0, "time in which it falls"),
                Parameter("release", "ms", 20.0, 2000.0, 300.0, "time in which it comes back"),
                Parameter("calibrate", "", 0, 1, 0, "measure threshold and bleed: 2 s without a singer", ("no", "yes")),
            ]
        )
        self._sample_rate = 44_100
        self._n_music = 0
        self._settings = np.zeros(kernels.DUCK_SETTINGS)
        self._state = np.zeros(kernels.DUCK_STATE)
        self._channels = np.zeros((0, kernels.DUCK_CHANNEL_STATE))
        self._filter: NDArray[np.float64] = np.zeros(5)
        self._news: list[str] = []
        self.weights: NDArray[np.float64] = np.zeros(0)  #: a factor of power for each channel; 0: not listened to
        self._update()

    @property
    def status(self) -> dict[str, float]:
        """What it does at the moment.

        ``gain_db``, from 0 down to -90, is what the guide vocal is lowered by; ``singing`` (0 or 1, the hold
        included); ``calibrating`` (0 or 1).
        """
        gain = float(self._state[kernels.DUCK_GAIN])
        return {
            "gain_db": max(20.0 * math.log10(gain), -DEEPEST_DB) if gain > 0.0 else -DEEPEST_DB,
            "singing": float(self._state[kernels.DUCK_SINGING]),
            "calibrating": self.get("calibrate"),
        }

    def set(self, name: str, value: float) -> None:
        """See :class:`~rtkaraoke.plugins.protocol.Plugin`. ``calibrate`` goes back to 0 by itself after two seconds."""
        super().set(name, value)
        if name == "calibrate":
            self._state[kernels.DUCK_MIC_MAX] = self._state[kernels.DUCK_RATIO_MAX] = 0.0
            self._state[kernels.DUCK_MEASURE] = round(value) * round(CALIBRATION_S * self._sample_rate)
        self._update()

    def prepare(self, sample_rate: int, n_music: int, n_mics: int) -> None:
        """Allocate everything for blocks of ``n_music + n_mics`` channels at ``sample_rate`` Hz."""
        self._sample_rate = sample_rate
        self._n_music = n_music
        self._channels = np.zeros((n_music + n_mics, kernels.DUCK_CHANNEL_STATE))
        self.weights = np.ones(n_music + n_mics)
        self._filter = _high_pass(HIGH_PASS_HZ, sample_rate)
        self._update()
        self.reset()

    def listen(self, block: Block, out: NDArray[np.float32]) -> None:
        """What ``block`` ``(music's channels, then the microphones', n)`` means for the guide vocal. Realtime safe.

        ``out`` ``(n or more,)`` gets gain - 1 for each sample, as :class:`~rtkaraoke.plugins.protocol.Guided` wants it.
        """
        kernels.duck(block, self._n_music, self.weights, self._filter, self._channels, self._state, self._settings, out)
        if self.get("calibrate") >= 0.5 and self._state[kernels.DUCK_MEASURE] == 0.0:
            self._finish_calibration()

    def news(self) -> list[str]:
        """What a calibration has found, once; for a thread that is not in a hurry."""
        news = self._news[:]
        del self._news[: len(news)]
        return news

    def reset(self) -> None:
        """See :class:`~rtkaraoke.plugins.protocol.Plugin`. Ends a calibration."""
        self._channels.fill(0.0)
        self._state.fill(0.0)
        self._state[kernels.DUCK_GAIN] = 1.0
        super().set("calibrate", 0.0)

    def close(self) -> None:
        """See :class:`~rtkaraoke.plugins.protocol.Plugin`."""

    def _finish_calibration(self) -> None:
        super().set("calibrate", 0.0)
        text = ""
        for name, slot in (("threshold", kernels.DUCK_MIC_MAX), ("bleed", kernels.DUCK_RATIO_MAX)):
            power = float(self._state[slot])
            if name == "bleed" and power == 0.0:
                continue  # no music was playing: what leaks in is as unknown as before
            parameter = self.parameters[name]
            wanted_db = MARGIN_DB + self.get("hysteresis") + (10.0 * math.log10(power) if power > 0.0 else FLOOR_DB)
            super().set(name, min(max(wanted_db, parameter.minimum), parameter.maximum))
            text += f"{', ' if text else ''}{name} {self.get(name):.1f} dB"
        self._news.append(f"the duck is calibrated: {text}")
        self._update()

    def _update(self) -> None:
        """Bring the parameters into the kernel's units."""
        rate, settings = self._sample_rate, self._settings
        floor = 0.0 if self.get("depth") >= DEEPEST_DB else db_to_gain(-self.get("depth"))
        if self.get("on") < 0.5:
            floor = 1.0
        settings[kernels.DUCK_THRESHOLD] = 10.0 ** (self.get("threshold") / 10.0)
        settings[kernels.DUCK_BLEED] = 10.0 ** (self.get("bleed") / 10.0)
        settings[kernels.DUCK_HYSTERESIS] = 10.0 ** (-self.get("hysteresis") / 10.0)
        settings[kernels.DUCK_HOLD_SAMPLES] = round(1e-3 * self.get("hold") * rate)
        settings[kernels.DUCK_FLOOR] = floor
        settings[kernels.DUCK_DOWN] = 1e3 / (self.get("attack") * rate)
        settings[kernels.DUCK_UP] = 1e3 / (self.get("release") * rate)
        settings[kernels.DUCK_RISE] = -math.expm1(-1.0 / (RISE_S * rate))
        settings[kernels.DUCK_FALL] = -math.expm1(-1.0 / (FALL_S * rate))
        settings[kernels.DUCK_MUSIC_FALL] = -math.expm1(-1.0 / (MUSIC_FALL_S * rate))
        settings[kernels.DUCK_SILENCE] = 10.0 ** (MUSIC_SILENCE_DB / 10.0)


def _high_pass(hz: float, sample_rate: int) -> NDArray[np.float64]:
    """Butterworth's high-pass of second order by the bilinear transform: b0, b1, b2, a1, a2."""
    warped = math.tan(math.pi * hz / sample_rate)
    damped = math.sqrt(2.0) * warped
    scale = 1.0 / (1.0 + damped + warped**2)
    return np.array([scale, -2.0 * scale, scale, 2.0 * (warped**2 - 1.0) * scale, (1.0 - damped + warped**2) * scale])
