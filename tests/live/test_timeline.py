"""Constant latency, whatever the worker does: on a card made of arrays."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtkaraoke.live.fake_backend import FakeDevice
from rtkaraoke.live.stream import DeviceStream
from rtkaraoke.live.timeline import CallbackClock, Origin
from tests.support.fake_live import delayed, noise

PREFILL = 384
RING = 1 << 12


class Loop:
    """A worker that copies its input to its output."""

    def __init__(self, signal, *, period=128, prefill=PREFILL, ring=RING):
        self.device = FakeDevice(signal, signal.shape[1], period=period, ring=ring)
        self.stream = DeviceStream(self.device, prefill)
        self.buffer = np.zeros((ring, signal.shape[1]), np.float32)
        self.heard = []
        self.stream.start()

    def work(self, limit=10**9):
        n_samples = self.stream.read(self.buffer[: min(self.stream.readable, limit, len(self.buffer))])
        if n_samples:
            self.heard.append(self.buffer[:n_samples].copy())
            self.stream.write(self.buffer[:n_samples])

    @property
    def wrong(self):
        """Positions of the output that do not hold the sample that belongs there, those of silence among them."""
        played = self.device.played
        return np.flatnonzero((played != delayed(self.signal, PREFILL, len(played))).any(axis=1))


@pytest.mark.parametrize("period", [16, 100, 128, 384])
def test_output_is_the_input_delayed_by_the_prefill(period):
    signal = noise(20_000)
    loop = Loop(signal, period=period)
    for _ in range(60):
        loop.device.tick()
        loop.work()
    played = loop.device.played
    assert np.array_equal(played, delayed(signal, PREFILL, len(played)))
    assert loop.stream.counters.xruns == 0


@given(
    st.lists(st.tuples(st.integers(1, 12), st.integers(1, 3), st.integers(1, 2000)), min_size=1, max_size=25),
    st.sampled_from([32, 128, 200]),
)
@settings(max_examples=150)
def test_every_silent_sample_is_counted_and_every_other_is_in_its_place(stalls, period):
    """``stalls``: callbacks without work, then passes of the worker of at most so many samples each."""
    signal = noise(12 * 25 * 200 + 40 * 200)
    loop = Loop(signal, period=period)
    loop.signal = signal
    for n_callbacks, n_passes, limit in stalls:
        loop.device.tick(n_callbacks)
        for _ in range(n_passes):
            loop.work(limit)
    for _ in range(20 + 4000 // period):  # the worker is well again
        loop.device.tick()
        loop.work()
        loop.work()
    counters = loop.stream.counters
    if counters.overruns:
        fed = np.concatenate(loop.heard)
        lost = (fed == 0).all(axis=1)
        assert lost.sum() == counters.lost_input
        assert np.array_equal(fed[~lost], signal[: len(fed)][~lost])
    else:
        assert len(loop.wrong) == counters.silent_output
        assert not loop.device.played[loop.wrong].any()
    tail = loop.device.played[-10 * period :]
    length = len(loop.device.played)
    assert np.array_equal(tail, delayed(signal, PREFILL, length)[-10 * period :])


def test_input_that_the_card_lost_is_read_as_zeros_and_counted():
    signal = noise(40_000)
    loop = Loop(signal)
    loop.signal = signal
    for _ in range(10):
        loop.device.tick()
        loop.work()
    loop.device.tick(60)  # more than the ring holds
    for _ in range(30):
        loop.work()
        loop.device.tick()
    loop.work()
    heard = np.concatenate(loop.heard)
    lost = np.flatnonzero((heard == 0).all(axis=1))
    assert loop.stream.counters.overruns == 1
    assert loop.stream.counters.lost_input == len(lost) == lost[-1] - lost[0] + 1
    assert np.array_equal(np.delete(heard, lost, axis=0), np.delete(signal[: len(heard)], lost, axis=0))


def test_a_source_that_can_wait_goes_on_where_it_stopped():
    device = FakeDevice(None, 2)
    stream = DeviceStream(device, PREFILL)
    stream.start()
    signal, position = noise(20_000), 0
    for callback in range(100):
        device.tick()
        if 20 <= callback < 30:
            continue
        n_samples = stream.writable
        stream.write(signal[position : position + n_samples])
        position += n_samples
    played = device.played
    sound = played[(played != 0).any(axis=1)]
    assert np.array_equal(sound, signal[: len(sound)])
    assert stream.counters.underruns == 1
    assert len(played) - PREFILL - len(sound) == stream.counters.silent_output > 0


def test_a_torn_reading_of_the_counters_is_put_right():
    class Port:
        running = True
        clock = done = 0

    port, origin = Port(), Origin()
    assert origin.known
    origin.forget()
    for clock, done in [(128, 0), (384, 128), (384, 128), (384, 256), (512, 384)]:
        port.clock, port.done = clock, done
        origin.observe(port)
    assert origin.known
    assert origin.value == 128


def test_callback_times_are_those_of_the_earliest_sightings():
    clock = CallbackClock(48_000)
    rng = np.random.default_rng(1)
    period_ns = 128 / 48_000 * 1e9
    errors = []
    for callback in range(1, 2000):
        lateness_ns = rng.uniform(0, 500_000)
        seen_ns = clock.observe(128 * callback, int(callback * period_ns + lateness_ns))
        errors.append(seen_ns - callback * period_ns)
    assert min(errors[100:]) >= -1
    assert max(errors[100:]) < 150_000


def test_callback_times_follow_a_server_that_lost_time():
    clock = CallbackClock(48_000)
    assert clock.observe(0, 77) == 0.0  # a poll before the start says nothing
    period_ns = 128 / 48_000 * 1e9
    for callback in range(1, 400):
        true_ns = callback * period_ns + (20_000_000 if callback >= 200 else 0)
        seen_ns = clock.observe(128 * callback, int(true_ns + 100_000))
        if not 200 <= callback < 390:
            assert seen_ns == pytest.approx(true_ns + 100_000, abs=2)


def test_the_deadline_is_the_callback_that_finds_too_little(monkeypatch):
    loop = Loop(noise(4000), prefill=512)
    now_ns = [5_000_000]
    monkeypatch.setattr("rtkaraoke.live.stream.time.monotonic_ns", lambda: now_ns[0])
    loop.device.tick()
    # 384 samples are queued: the callbacks 1, 2 and 3 periods from now are served, the fourth is not.
    assert loop.stream.dry_ns() == pytest.approx(5_000_000 + 4 * 128 / 44_100 * 1e9, abs=2)
