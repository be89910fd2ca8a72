"""The worker loop on a fake card: live is render, shifted by the declared latency."""

import threading
import time
import tracemalloc
from types import MappingProxyType
from typing import ClassVar

import numpy as np
import pytest

from rtkaraoke.engine import Engine, music_engine
from rtkaraoke.errors import LatencyBudgetError, LiveError, PluginError
from rtkaraoke.live.host import MUTE_S, Host
from rtkaraoke.live.recorder import Recorder
from rtkaraoke.live.settings import LiveSettings
from rtkaraoke.masks.centre import CentreNetwork
from rtkaraoke.plugins.gain import Gain
from tests.support.fake_live import FakeLive, delayed, noise, offline
from tests.support.models import FakeNetwork, constant


def test_live_equals_offline_shifted_by_the_stream_latency():
    signal = noise(30_000)
    live = FakeLive(music_engine(CentreNetwork()), signal, prefill=512)
    live.play(200)
    played = live.device.played
    expected = offline(music_engine(CentreNetwork()), signal)
    assert np.array_equal(played, delayed(expected, 512, len(played)))
    assert live.stream.counters.xruns == 0


@pytest.mark.parametrize("prefill", [256, 512])
def test_an_impulse_comes_out_where_the_latency_is_declared(prefill):
    signal = np.zeros((10_000, 2), np.float32)
    signal[1000] = 0.5
    live = FakeLive(music_engine(constant(0.0)), signal, prefill=prefill, period=128)
    live.play(60)
    assert live.host.latency_terms == {
        "vocal_remover": 512,
        "limiter": 0,
        "prefill": prefill,
        "device out": 128,
        "device in": 0,
    }
    # The fake card hands over and takes in the same callback: a true one adds its own terms.
    own = live.stream.latency_terms["device out"]
    assert np.flatnonzero(live.device.played[:, 0]).tolist() == [1000 + sum(live.host.latency_terms.values()) - own]


def test_a_stall_costs_silence_but_no_latency():
    signal = noise(60_000)
    live = FakeLive(music_engine(CentreNetwork()), signal)
    live.play(80)
    live.stall(30)
    live.play(200)
    played = live.device.played
    wrong = (played != delayed(offline(music_engine(CentreNetwork()), signal), 512, len(played))).any(axis=1)
    assert wrong.sum() == live.stream.counters.silent_output
    assert 26 * 128 <= wrong.sum() <= 30 * 128
    assert not played[wrong].any()
    assert not wrong[-100 * 128 :].any()


def test_late_masks_are_replayed_exactly_from_the_decision_log():
    signal = noise(60_000)

    def slow(spectrum, mask, step):
        if 40 <= step < 60 or step % 7 == 0:
            time.sleep(0.02)
        np.abs(spectrum, out=mask)
        np.minimum(mask, 1.0, out=mask)
        mask *= (step % 5) / 4

    engine = music_engine(FakeNetwork(slow), threaded=True)
    live = FakeLive(engine, signal)
    live.play(300)
    remover = engine.plugins["vocal_remover"]
    assert remover.counters["late"] > 20
    decisions = remover.decisions.drain()
    engine.close()
    played = live.device.played
    replayed = offline(music_engine(FakeNetwork(slow), replay=decisions), signal)
    assert live.stream.counters.silent_output == 0
    assert np.array_equal(played, delayed(replayed, 512, len(played)))


def test_nan_and_inf_from_a_device_are_silenced_and_counted():
    signal = noise(20_000)
    clean = signal.copy()
    signal[5000, 0], signal[6000] = np.nan, np.inf
    clean[5000, 0], clean[6000] = 0.0, 0.0
    live = FakeLive(music_engine(CentreNetwork()), signal)
    live.play(100)
    played = live.device.played
    assert np.array_equal(played, delayed(offline(music_engine(CentreNetwork()), clean), 512, len(played)))
    assert live.host.engine.n_nonfinite == 3


def test_the_stream_begins_with_a_fade_in_and_is_exact_after_it():
    signal = np.full((20_000, 2), 0.5, np.float32)
    live = FakeLive(Engine([]), signal, fade_in_ms=50.0)
    live.play(100)
    heard = live.device.played[512:, 0]
    fade = round(0.05 * 44_100)
    assert np.all(np.diff(heard[:fade]) >= 0)
    assert np.diff(heard[:fade]).max() < 0.001
    assert np.all(heard[fade:] == 0.5)


def test_mute_is_silence_without_a_click_and_ends_as_softly():
    live = FakeLive(Engine([]), np.full((60_000, 2), 0.5, np.float32))
    live.play(50)
    live.host.mute(True)
    live.play(50)
    live.host.mute(False)
    live.play(50)
    heard = live.device.played[512:, 0]
    assert np.abs(np.diff(heard)).max() < 1.1 * 0.5 / (MUTE_S * 44_100)
    assert (heard == 0).sum() > 40 * 128
    assert heard[-1] == 0.5


def test_the_voice_alone_goes_to_channels_of_its_own():
    signal = noise(30_000)
    live = FakeLive(music_engine(CentreNetwork()), signal, voice_out=(3, 4))
    live.play(200)
    played = live.device.played
    solo = music_engine(CentreNetwork())
    solo.set("vocal_remover", "solo", 1.0)
    solo.prepare(44_100, 2, 1024)
    solo.warm_up()  # the change to solo is a ramp: let it pass
    assert np.array_equal(played[:, :2], delayed(offline(music_engine(CentreNetwork()), signal), 512, len(played)))
    voice = np.concatenate([_through(solo, signal[i : i + 1000]) for i in range(0, 30_000, 1000)])
    np.testing.assert_allclose(played[:, 2:], delayed(voice, 512, len(played)), atol=1e-7)


def _through(engine, block):
    out = np.zeros((2, len(block)), np.float32)
    engine.process(np.ascontiguousarray(block.T), out)
    return out.T


def test_voice_channels_need_a_plugin_that_knows_the_voice():
    with pytest.raises(LiveError, match="no plugin of the chain gives the voice"):
        FakeLive(Engine([Gain()]), noise(100), voice_out=(3, 4))


def test_parameters_move_between_blocks_and_wrong_ones_are_refused_at_once():
    live = FakeLive(music_engine(CentreNetwork()), noise(10_000))
    live.host.set("vocal_remover", "vocals", -12.0)
    assert live.host.engine.get("vocal_remover", "vocals") != -12.0
    live.play(5)
    assert live.host.engine.get("vocal_remover", "vocals") == -12.0
    for wrong in [("vocal_remover", "vocals", 3.0), ("vocal_remover", "volume", 0.0), ("nothing", "vocals", 0.0)]:
        with pytest.raises(PluginError):
            live.host.set(*wrong)


def test_a_budget_that_does_not_fit_names_every_term():
    with pytest.raises(LatencyBudgetError) as caught:
        FakeLive(music_engine(CentreNetwork()), noise(100), prefill=512, latency_budget_ms=20.0)
    for part in ["20 ms", "vocal_remover 512 (11.6 ms)", "limiter 0", "prefill 512", "device out 128", "1152 samples"]:
        assert part in str(caught.value)
    FakeLive(music_engine(CentreNetwork()), noise(100), prefill=512, latency_budget_ms=26.2)


class Tone:
    """A source of ones that ends after so many samples."""

    status: ClassVar = {"position_s": 0.0}

    def __init__(self, n_samples):
        self.left = n_samples

    def prepare(self, sample_rate, n_channels):
        pass

    def read(self, out):
        n_samples = min(self.left, out.shape[1])
        out[:, :n_samples], out[:, n_samples:] = 0.25, 0.0
        self.left -= n_samples
        return n_samples

    def command(self, name, value, text=""):
        pass

    def close(self):
        pass


def test_a_source_is_played_without_an_input():
    live = FakeLive(Engine([]), None, source=Tone(5000), prefill=1024)
    live.play(100)
    played = live.device.played[:, 0]
    assert np.flatnonzero(played).tolist() == list(range(1024, 6024))
    assert live.stream.counters.xruns == 0


def test_a_source_loses_nothing_in_a_stall():
    live = FakeLive(Engine([]), None, source=Tone(5000), prefill=1024)
    live.play(15)
    live.stall(20)
    live.play(100)
    assert (live.device.played[:, 0] != 0).sum() == 5000
    assert live.stream.counters.underruns == 1


def test_source_and_input_exclude_each_other():
    with pytest.raises(LiveError, match="source"):
        FakeLive(Engine([]), None)
    with pytest.raises(LiveError, match="source"):
        FakeLive(Engine([]), noise(100), source=Tone(1))


def test_what_the_engine_is_fed_is_recorded_from_sample_0(tmp_path):
    signal = noise(20_000)
    live = FakeLive(Engine([]), signal)
    with Recorder(tmp_path / "in.f32", 2, 44_100) as recorder:
        live.host = Host(live.host.engine, live.stream, live.settings, None, recorder)
        live.play(100)
    recorded = np.fromfile(tmp_path / "in.f32", np.float32).reshape(-1, 2)
    assert np.array_equal(recorded, signal[: len(recorded)])
    assert len(recorded) == live.host.n_samples == 100 * 128
    assert recorder.lost == 0


def test_load_is_counted_per_hop():
    live = FakeLive(music_engine(CentreNetwork()), noise(30_000))
    live.play(100)
    assert live.host.load.count == 50
    assert 0 < live.host.load.percentile(50) <= live.host.load.maximum


class Endless:
    """A stream that always has a block and takes every block, in memory of its own."""

    sample_rate, n_inputs, n_outputs, readable, latency_terms = 44_100, 2, 2, 128, MappingProxyType({})
    block = noise(128)

    def read(self, out):
        out[:] = self.block
        return len(out)

    def write(self, block):
        pass

    def dry_ns(self):
        return time.monotonic_ns() + 10**9


@pytest.mark.parametrize("threaded", [False, True])
def test_ten_thousand_hops_of_the_worker_allocate_no_array(tmp_path, threaded):
    engine = music_engine(CentreNetwork(), threaded=threaded)
    engine.prepare(44_100, 2, 1024)
    engine.warm_up()
    with Recorder(tmp_path / "in.f32", 2, 44_100) as recorder:
        host = Host(engine, Endless(), LiveSettings(), None, recorder)
        tracemalloc.start()
        try:
            for _ in range(64):
                host.poll()
            tracemalloc.reset_peak()
            before = tracemalloc.get_traced_memory()[0]
            for _ in range(20_000):
                host.poll()
            after, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
            engine.close()
    assert host.n_samples == 20_064 * 128
    assert peak - before < 4096  # a stereo block of 128 would be 1 024 bytes, its spectra 16 400
    assert after - before < 2048


def test_run_polls_until_told_to_stop_and_keeps_an_exception():
    live = FakeLive(Engine([]), noise(10_000))
    thread = threading.Thread(target=live.host.run)
    thread.start()
    live.device.tick(2)
    deadline = time.monotonic() + 10
    while live.host.n_samples < 256 and time.monotonic() < deadline:
        time.sleep(0.001)
    live.host.stop()
    thread.join(10)
    assert live.host.n_samples == 256
    assert live.host.error is None

    broken = FakeLive(Engine([]), noise(10_000))
    broken.host.engine.process = None
    broken.device.tick()
    broken.host.run()
    assert isinstance(broken.host.error, TypeError)


def test_a_machine_that_cannot_keep_up_stays_usable(monkeypatch):
    """However much there is to do, the worker gives way now and then."""
    live = FakeLive(Engine([]), noise(10_000))
    naps = []
    monkeypatch.setattr(live.host, "poll", lambda: True)

    def nap(seconds):
        naps.append(seconds)
        live.host.stop()

    monkeypatch.setattr("rtkaraoke.live.host.time.sleep", nap)
    live.host.run()
    assert len(naps) == 1
