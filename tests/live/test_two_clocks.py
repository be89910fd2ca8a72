"""Two fake cards whose clocks differ, in a time of their own."""

import numpy as np
import pytest

from rtkaraoke.live.fake_backend import FakeDevice
from rtkaraoke.live.two_clocks import TwoClockStream

RATE = 44_100
FREQUENCY = 441.0
PREFILL = 1024
PERIOD = 256


class TwoCards:
    """A sine is captured by a card that is ``ppm`` fast, and copied to another, by polls that come when they like."""

    def __init__(self, ppm, seconds):
        self.now_s = 0.0
        self.rate_in = RATE * (1 + 1e-6 * ppm)
        tone = np.sin(2 * np.pi * FREQUENCY * np.arange(round((seconds + 1) * self.rate_in)) / self.rate_in)
        self.source = FakeDevice(tone.astype(np.float32).reshape(-1, 1), 1, period=PERIOD)
        self.sink = FakeDevice(None, 1, period=PERIOD)
        self.stream = TwoClockStream(self.source, self.sink, PREFILL, PERIOD, now_ns=lambda: round(1e9 * self.now_s))
        self._rng = np.random.default_rng(0)
        self._buffer = np.zeros((1024, 1), np.float32)
        self._n_in = self._n_out = 1
        assert self.stream.readable == 0  # a poll before the start
        self.stream.start()

    def run(self, until_s, *, work=True):
        while self.now_s < until_s:
            self.now_s += self._rng.uniform(0.0004, 0.0012)
            while min(times := (self._n_in * PERIOD / self.rate_in, 0.003 + self._n_out * PERIOD / RATE)) <= self.now_s:
                if times[0] <= times[1]:
                    self.source.tick()
                    self._n_in += 1
                else:
                    self.sink.tick()
                    self._n_out += 1
            if work:
                self._work()

    def _work(self):
        while (n_samples := self.stream.readable) > 0:
            n_samples = self.stream.read(self._buffer[: min(n_samples, 1024)])
            self.stream.dry_ns()
            self.stream.write(self._buffer[:n_samples])

    def latencies(self, window=4410):
        """Samples between the input card's callback and the output card's, per window, from the tone's phase."""
        played = self.sink.played[:, 0]
        result = []
        for start in range(RATE, len(played) - window, window):
            time_s = 0.003 + np.arange(start, start + window) / RATE
            phase = np.angle(1j * np.sum(played[start : start + window] * np.exp(-2j * np.pi * FREQUENCY * time_s)))
            result.append(-phase / (2 * np.pi * FREQUENCY) * RATE)
        cycle = RATE / FREQUENCY
        declared = sum(n for name, n in self.stream.latency_terms.items() if not name.startswith("device"))
        return declared, declared + (np.array(result) - declared + cycle / 2) % cycle - cycle / 2


@pytest.mark.parametrize("ppm", [-100.0, 10.0, 100.0])
def test_the_latency_is_the_declared_one_and_stays_it(ppm):
    cards = TwoCards(ppm, 25.0)
    cards.run(25.0)
    declared, latencies = cards.latencies()
    assert np.abs(latencies - declared).max() < 3.0
    assert np.ptp(latencies[-100:]) < 1.5
    assert cards.stream.drift_ppm == pytest.approx(ppm, abs=8.0)
    assert cards.stream.counters.xruns == 0
    heard = cards.sink.played[2 * RATE :, 0]
    assert np.abs(np.diff(heard, 2)).max() == pytest.approx((2 * np.pi * FREQUENCY / RATE) ** 2, rel=0.02)


def test_a_stall_of_the_worker_leaves_the_latency():
    cards = TwoCards(50.0, 12.0)
    cards.run(6.0)
    cards.run(6.2, work=False)
    cards.run(12.0)
    declared, latencies = cards.latencies()
    assert cards.stream.counters.underruns == 1
    assert cards.stream.counters.silent_output > 0.1 * RATE
    assert np.abs(latencies[-20:] - declared).max() < 3.0


def test_it_declares_its_terms_and_closes_both_cards():
    cards = TwoCards(0.0, 1.0)
    assert list(cards.stream.latency_terms) == ["prefill", "drift resampler", "clock phase", "device out", "device in"]
    assert cards.stream.drift_ppm is None
    assert cards.stream.writable == 0
    assert cards.stream.active
    cards.run(0.1)
    assert cards.stream.period == PERIOD
    cards.source.vanish()
    cards.run(0.3)
    clock = cards.stream.clock
    cards.run(0.6)
    assert cards.stream.clock == clock  # the heartbeat stops with either card
    cards.sink.xruns = 2
    cards.stream.update_counters()
    assert cards.stream.counters.device_output_underflows == 2
    cards.stream.stop()
    assert not cards.stream.active
    cards.stream.close()
    assert cards.source.closed
    assert cards.sink.closed
