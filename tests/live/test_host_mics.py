"""Microphones on a fake card: exact, never late, whatever the music comes from."""

import tracemalloc
from types import MappingProxyType

import numpy as np
import pytest

from rtkaraoke.buses import Mic, Output, Send
from rtkaraoke.engine import Engine, music_engine
from rtkaraoke.errors import LiveError
from rtkaraoke.live.host import Host, Timed
from rtkaraoke.live.settings import LiveSettings
from rtkaraoke.masks.centre import CentreNetwork
from rtkaraoke.plugins.duck import Duck
from rtkaraoke.plugins.gain import Gain
from rtkaraoke.plugins.limiter import Limiter
from rtkaraoke.plugins.vocal_remover import VocalRemover
from tests.support.fake_live import FakeLive, delayed, noise, offline


def night(n_mics: int = 1, *, threaded: bool = False, headphones: bool = False) -> Engine:
    return Engine(
        [VocalRemover(CentreNetwork(), threaded=threaded)],
        [Limiter()],
        mics=[Mic(f"mic{number + 1}", [Gain()]) for number in range(n_mics)],
        sends=[Send("reverb", [Gain()])],
        outputs=[Output("headphones", [Limiter()])] if headphones else [],
        duck=Duck(),
    )


class Counting:
    """A source whose samples are their numbers, small enough for the engine."""

    def __init__(self) -> None:
        self.n_read = 0

    def prepare(self, sample_rate, n_channels):
        pass

    def read(self, out):
        out[:] = (self.n_read + np.arange(out.shape[1])) * 1e-6
        self.n_read += out.shape[1]
        return out.shape[1]

    def command(self, name, value, text=""):
        pass

    def heard_s(self, sample):
        return sample / 44_100

    def close(self):
        pass

    status = MappingProxyType({})


def test_an_impulse_into_a_microphone_comes_out_after_the_prefill_while_the_music_takes_its_time():
    mic = np.zeros((20_000, 1), np.float32)
    mic[[1000, 7001], 0] = 0.5
    live = FakeLive(night(), mic, source=Counting(), prefill=256, channels_in=(), mic_in=(1,))
    live.play(150)
    played = live.device.played[:, 0]
    music = delayed(offline(music_engine(CentreNetwork()), _counted(20_000)), 256, len(played))[:, 0]
    assert np.flatnonzero(np.abs(played - music) > 0.4).tolist() == [1256, 7257]
    assert live.host.mic_latency == 256 + live.stream.latency_terms["device out"]
    assert live.host.latency_terms["vocal_remover"] == 512


def _counted(n_samples):
    return np.repeat((np.arange(n_samples) * 1e-6).astype(np.float32)[:, None], 2, axis=1)


def test_music_of_a_source_beside_a_silent_microphone_is_render():
    live = FakeLive(night(), np.zeros((20_000, 1), np.float32), source=Counting(), channels_in=(), mic_in=(1,))
    live.play(100)
    played = live.device.played
    expected = offline(music_engine(CentreNetwork()), _counted(20_000))
    np.testing.assert_array_equal(played, delayed(expected, 512, len(played)))
    assert live.stream.counters.xruns == 0


def test_music_from_a_line_input_and_two_microphones_keep_to_their_channels():
    signal = noise(20_000, 4)
    signal[:, 2:] = 0.0
    signal[3000, 2], signal[4000, 3] = 0.5, 0.5
    live = FakeLive(night(2), signal, mic_in=(3, 4))
    live.host.set("duck", "on", 0.0)
    live.play(150)
    played = live.device.played
    music = delayed(offline(music_engine(CentreNetwork()), np.ascontiguousarray(signal[:, :2])), 512, len(played))
    assert np.flatnonzero((played != music).any(axis=1)).tolist() == [3512, 4512]


def test_headphones_have_channels_and_levels_of_their_own():
    mic = np.zeros((20_000, 1), np.float32)
    mic[5000] = 0.25
    live = FakeLive(
        night(headphones=True), mic, source=Counting(), channels_in=(), mic_in=(1,), voice_out=(3, 4), more_out=(5, 6)
    )
    live.host.set("headphones", "level_music", -90.0)
    live.play(150)
    played = live.device.played
    assert played.shape[1] == 6
    assert np.flatnonzero(played[2000:, 4]).tolist() == [3512]
    assert played[5512, 5] == 0.25


def test_a_stall_costs_silence_but_neither_microphone_nor_music_is_late_afterwards():
    mic = np.zeros((60_000, 1), np.float32)
    mic[50_000] = 0.5
    live = FakeLive(night(), mic, source=Counting(), channels_in=(), mic_in=(1,))
    live.play(80)
    live.stall(30)
    live.play(320)
    played = live.device.played[:, 0]
    assert live.stream.counters.underruns == 1
    music = delayed(offline(music_engine(CentreNetwork()), _counted(60_000)), 512, len(played))[:, 0]
    assert np.flatnonzero(played[45_000:] - music[45_000:] > 0.4).tolist() == [5_512]


def test_the_host_knows_which_sample_of_the_source_leaves_the_card():
    """What has just been played, the driver's own latency apart, is the number that the samples themselves say."""
    source = Counting()
    live = FakeLive(night(), np.zeros((40_000, 1), np.float32), source=source, channels_in=(), mic_in=(1,))
    assert isinstance(source, Timed)
    live.host.set("vocal_remover", "bypass", 1.0)
    live.play(200)
    count, time_ns = live.stream._callbacks.sighting
    played = live.device.played[count - 1 - live.device.latency_out, 0]
    assert live.host.leaving(round(time_ns)) == round(1e6 * played) + 1
    later = live.host.leaving(round(time_ns + 1e9 * 441 / 44_100))
    assert later == live.host.leaving(round(time_ns)) + 441


def test_before_the_first_sample_nothing_of_the_source_has_left():
    live = FakeLive(night(), np.zeros((4_000, 1), np.float32), source=Counting(), channels_in=(), mic_in=(1,))
    assert live.host.leaving(10**18) == 0


@pytest.mark.parametrize(
    ("engine", "options", "words"),
    [
        (lambda: night(2), {"mic_in": (1,)}, r"microphones have 2 channels, the card gives them \(1,\)"),
        (night, {"mic_in": ()}, "microphones have 1 channels"),
        (lambda: night(headphones=True), {"mic_in": (1,)}, "further outputs have 2 channels"),
        (night, {"mic_in": (1,), "channels_in": (2, 3)}, "source"),
    ],
)
def test_channels_that_do_not_fit_are_refused(engine, options, words):
    with pytest.raises(LiveError, match=words):
        FakeLive(engine(), noise(100, 1), source=Counting(), **{"channels_in": (), **options})


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"mic_in": (2,)}, r"mic_in \(2,\) and channels_in \(1, 2\) share a channel \(2\)"),
        ({"more_out": (1, 2)}, "more_out .* share a channel"),
        ({"voice_out": (3, 4), "more_out": (4, 5)}, "more_out .* voice_out"),
        ({"mic_in": (3, 3)}, "different channels"),
        ({"mic_in": (0,)}, "counted from 1"),
    ],
)
def test_settings_refuse_a_channel_with_two_meanings(values, words):
    with pytest.raises(LiveError, match=words):
        LiveSettings(**values)


class Endless:
    """A stream that always has a block and takes every block, in memory of its own."""

    sample_rate, n_inputs, n_outputs, readable, latency_terms = 44_100, 1, 4, 128, MappingProxyType({})
    block = noise(128, 1)

    def read(self, out):
        out[:] = self.block
        return len(out)

    def write(self, block):
        pass

    def dry_ns(self):
        return 0


class Still(Counting):
    def read(self, out):
        out.fill(0.1)
        return out.shape[1]


def test_thousands_of_blocks_of_a_night_allocate_no_array():
    engine = night(threaded=True, headphones=True)
    engine.prepare(44_100, 2, 1024)
    engine.warm_up()
    settings = LiveSettings(channels_in=(), mic_in=(1,), more_out=(3, 4))
    host = Host(engine, Endless(), settings, Still())
    tracemalloc.start()
    try:
        for _ in range(64):
            host.poll()
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(3_000):
            host.poll()
        after, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        engine.close()
    assert host.n_samples == 3_064 * 128
    assert peak - before < 4096
    assert after - before < 2048
