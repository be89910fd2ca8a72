"""Microphones beside the music: their own chains, strips, sends and outputs, exact and without a click."""

import tracemalloc
from itertools import pairwise
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from rtkaraoke.buses import Mic, Output, Send
from rtkaraoke.dsp import kernels
from rtkaraoke.dsp.kernels import ducking
from rtkaraoke.engine import Engine
from rtkaraoke.errors import PluginError
from rtkaraoke.masks.centre import CentreNetwork
from rtkaraoke.plugins.duck import Duck
from rtkaraoke.plugins.gain import RAMP_S, Gain
from rtkaraoke.plugins.limiter import Limiter
from rtkaraoke.plugins.protocol import Parameter
from rtkaraoke.plugins.vocal_remover import VocalRemover
from tests.support.models import constant, counting

RATE = 44_100
RNG = np.random.default_rng(0)
INPUT = (0.3 * RNG.standard_normal((5, 9_000))).astype(np.float32)  # music, a mono and a stereo microphone


class Late(Gain):
    """Says that it looks ahead by 64 samples, and does."""

    name = "late"
    latency = 64

    def prepare(self, sample_rate: int, n_channels: int, max_block: int) -> None:
        super().prepare(sample_rate, n_channels, max_block)
        self._line = np.zeros((n_channels, self.latency), np.float32)

    def process(self, block, out) -> None:
        joined = np.concatenate([self._line, block], axis=1)
        self._line = joined[:, -self.latency :]
        out[:] = joined[:, : block.shape[1]]


class Wet(Gain):
    """An effect with a mix, and presets that set it."""

    name = "wet"
    presets: ClassVar = {"hall": {"mix": 30.0, "level": -3.0}}

    def __init__(self) -> None:
        super().__init__()
        self._declared["mix"] = Parameter("mix", "%", 0.0, 100.0, 20.0)
        self._values["mix"] = 20.0


def night(network=None, threaded: bool = False, mic=(), send=(), music=()) -> Engine:
    """Two microphones, a send bus and headphones."""
    remover = VocalRemover(network or counting(), threaded=threaded)
    return Engine(
        [remover, *music],
        [Limiter()],
        mics=[Mic("mic1", mic or [Gain()]), Mic("mic2", [Gain()], n_channels=2)],
        sends=[Send("reverb", send or [Gain()])],
        outputs=[Output("headphones", [Limiter()])],
        duck=Duck(),
    )


def run(engine: Engine, audio: NDArray[np.float32], blocks: list[int], changes=None) -> NDArray[np.float32]:
    """``changes``: sample -> settings, made between two blocks at that sample."""
    engine.prepare(RATE, 2, max(blocks))
    marks = sorted(changes or {})
    out = np.zeros((engine.n_outputs, audio.shape[1]), np.float32)
    start = n = 0
    while start < audio.shape[1]:
        for change in (changes or {}).get(start, ()):
            engine.set(*change)
        following = next((mark for mark in marks if mark > start), audio.shape[1])
        size = min(blocks[n % len(blocks)], following - start)
        engine.process(audio[:, start : start + size], out[:, start : start + size])
        start, n = start + size, n + 1
    engine.close()
    return out


CHANGES = {
    2000: [("mic1", "send_reverb", -6.0), ("reverb", "pan", 0.3), ("vocal_remover", "vocals", -3.0)],
    3000: [("mic1", "pan", -0.5), ("mic2", "level", -90.0), ("headphones", "level_music", -20.0)],
    5000: [("mic1.gain", "bypass", 1.0), ("mic1.gain", "level", 6.0), ("music", "mute", 1.0)],
}


@settings(max_examples=12)
@given(st.lists(st.integers(1, 4096), min_size=1, max_size=8))
def test_any_partition_gives_the_same_bits(blocks: list[int]) -> None:
    np.testing.assert_array_equal(run(night(), 2 * INPUT, blocks, CHANGES), run(night(), 2 * INPUT, [4096], CHANGES))


def test_a_microphone_is_not_delayed_while_the_music_is() -> None:
    audio = np.zeros((5, 2_000), np.float32)
    audio[0, 100], audio[2, 300] = 0.5, 0.25
    engine = night(constant(0.0))
    out = run(engine, audio, [128])
    assert engine.latency == 512
    assert np.flatnonzero(out[0]).tolist() == [300, 612]
    assert out[:2, 300].tolist() == [0.25, 0.25]
    assert out[2:, 300].tolist() == [0.25, 0.25]  # the headphones
    assert [mic.latency for mic in engine.mics] == [0, 0]


def test_music_alone_is_what_an_engine_without_microphones_makes_of_it() -> None:
    audio = INPUT.copy()
    audio[2:] = 0.0
    with Engine([VocalRemover(counting())], [Limiter()]) as plain:
        plain.prepare(RATE, 2, 9_000)
        expected = np.zeros((2, 9_000), np.float32)
        plain.process(audio[:2], expected)
    engine = night()
    engine.set("duck", "on", 0.0)
    np.testing.assert_array_equal(run(engine, audio, [256])[:2], expected)


def test_pan_level_mute_and_sends_go_where_they_say() -> None:
    audio = np.zeros((5, 4_000), np.float32)
    audio[2] = 0.25
    engine = night()
    for setting in [("mic1", "pan", 1.0), ("mic1", "send_reverb", -6.0206), ("reverb", "pan", -1.0)]:
        engine.set(*setting)
    out = run(engine, audio, [500], {2000: [("mic1", "mute", 1.0)]})
    assert out[:2, 1000].tolist() == [0.0, 0.25]  # the send is as far right as its source, and then left
    engine.set("mic1", "mute", 0.0)
    engine.set("mic1", "pan", 0.0)
    engine.set("reverb", "pan", 0.0)
    np.testing.assert_allclose(run(engine, audio, [500])[:2, 1000], [0.375, 0.375], rtol=1e-5)
    assert not out[:, 3500].any()
    stereo = np.zeros((5, 4_000), np.float32)
    stereo[3], stereo[4] = 0.1, 0.2
    np.testing.assert_allclose(run(night(), stereo, [500])[:2, 1000], [0.1, 0.2], rtol=1e-6)


def test_an_output_has_levels_of_its_own_and_follows_the_mutes() -> None:
    audio = np.zeros((5, 4_000), np.float32)
    audio[2] = 0.25
    engine = night()
    engine.set("mic1", "level", -90.0)
    engine.set("headphones", "level_mic1", 6.0206)
    out = run(engine, audio, [500], {2000: [("mic1", "mute", 1.0)]})
    assert not out[:2].any()
    np.testing.assert_allclose(out[2:, 1000], [0.5, 0.5], rtol=1e-5)
    assert not out[2:, 3500].any()


TOGGLES = [
    ("mic1.gain", "bypass", 1.0),
    ("mic1", "mute", 1.0),
    ("mic1", "level", -90.0),
    ("mic1", "pan", -1.0),
    ("mic1", "send_reverb", 12.0),
    ("reverb", "mute", 1.0),
    ("reverb.gain", "bypass", 1.0),
    ("headphones", "mute", 1.0),
    ("headphones", "level_mic1", -90.0),
    ("headphones", "level", -40.0),
]


@pytest.mark.parametrize("toggle", TOGGLES, ids=lambda toggle: ".".join(map(str, toggle)))
def test_a_change_is_a_ramp_and_not_a_step(toggle: tuple[str, str, float]) -> None:
    """Of a constant, whose own steps are none."""
    audio = np.zeros((5, 6_000), np.float32)
    audio[2] = 0.2
    engine = night()
    for name in ("mic1.gain", "reverb.gain"):
        engine.set(name, "level", 6.0)
    engine.set("mic1", "send_reverb", -12.0)
    before = engine.get(*toggle[:2])
    out = run(engine, audio, [100], {2000: [toggle], 2500: [(*toggle[:2], before)], 2700: [toggle]})
    assert np.abs(out[:, 1500] - out[:, -1]).max() > 0.05  # it is heard
    assert np.abs(np.diff(out)).max() < 4.5 * 1.1 / (RAMP_S * RATE)


@pytest.mark.parametrize(("parameter", "value"), [("solo", 1.0), ("bypass", 1.0), ("vocals", 0.0)])
def test_the_voice_of_the_record_changes_without_a_click(parameter: str, value: float) -> None:
    audio = np.zeros((5, 12_000), np.float32)
    audio[:2] = 0.2 * np.sin(2 * np.pi * 100 * np.arange(12_000) / RATE)
    out = run(night(constant(0.5)), audio, [100], {4000: [("vocal_remover", parameter, value)]})
    assert np.abs(np.diff(out[0, 1000:])).max() < 0.2 * 2 * np.pi * 100 / RATE + 1.5 * 0.2 / (0.03 * RATE)


def test_a_bypassed_plugin_that_looks_ahead_still_delays() -> None:
    audio = np.zeros((5, 2_000), np.float32)
    audio[0, 100] = 0.5
    engine = night(constant(0.0), music=[Late()])
    engine.set("late", "bypass", 1.0)
    assert np.flatnonzero(run(engine, audio, [100])[0]).tolist() == [100 + 512 + 64]
    assert engine.latency_terms == {"vocal_remover": 512, "late": 64, "limiter": 0}


def test_what_looks_ahead_is_refused_before_and_behind_microphones() -> None:
    with pytest.raises(PluginError, match=r"mic1 may be late by 0 samples.*: late by 64 samples.*max_latency = 64"):
        night(mic=[Gain(), Late()]).prepare(RATE, 2, 256)
    with pytest.raises(PluginError, match="master bus would delay the microphones: late by 64"):
        Engine([Gain()], [Late()], mics=[Mic("mic1")]).prepare(RATE, 2, 256)


def test_a_delay_that_was_allowed_is_allowed() -> None:
    engine = Engine([], mics=[Mic("mic1", [Late()], max_latency=64)])
    audio = np.zeros((3, 1_000), np.float32)
    audio[2, 100] = 0.5
    assert np.flatnonzero(run(engine, audio, [100])[0]).tolist() == [164]
    assert (engine.latency, engine.mics[0].latency) == (0, 64)


def test_the_layout_names_everything_that_can_be_set() -> None:
    engine = night()
    engine.prepare(RATE, 2, 256)
    layout = engine.layout()
    assert [(part.bus, part.name, part.kind) for part in layout] == [
        ("music", "vocal_remover", "vocal_remover"),
        ("music", "music", "strip"),
        ("mic1", "mic1.gain", "gain"),
        ("mic1", "mic1", "strip"),
        ("mic2", "mic2.gain", "gain"),
        ("mic2", "mic2", "strip"),
        ("reverb", "reverb.gain", "gain"),
        ("reverb", "reverb", "strip"),
        ("headphones", "headphones", "output"),
        ("headphones", "headphones.limiter", "limiter"),
        ("music", "duck", "duck"),
        ("master", "limiter", "limiter"),
    ]
    assert [part.name for part in layout] == list(engine.plugins)
    names = {part.name: [parameter.name for parameter in part.parameters] for part in layout}
    assert names["mic1"] == ["level", "pan", "mute", "send_reverb"]
    assert names["reverb"] == ["level", "pan", "mute"]
    assert names["headphones"] == ["level", "mute", "level_music", "level_mic1", "level_mic2", "level_reverb"]
    assert names["mic1.gain"] == ["level", "bypass"]
    assert layout[0].latency == 512
    for part in layout:
        for parameter in part.parameters:
            engine.set(part.name, parameter.name, parameter.maximum)
            assert engine.get(part.name, parameter.name) == parameter.maximum
    engine.close()


def test_a_send_bus_hears_nothing_but_its_effect() -> None:
    engine = Engine([], mics=[Mic("mic1", [Wet()])], sends=[Send("reverb", [Wet()])])
    engine.prepare(RATE, 2, 256)
    assert engine.get("reverb.wet", "mix") == 100.0
    assert engine.get("mic1.wet", "mix") == 20.0
    presets = {part.name: part.presets for part in engine.layout()}
    assert presets["reverb.wet"] == {"hall": {"level": -3.0}}
    assert presets["mic1.wet"] == {"hall": {"mix": 30.0, "level": -3.0}}


def test_levels_are_told_for_every_bus_and_output() -> None:
    audio = np.zeros((5, 4_096), np.float32)
    audio[0], audio[2] = 0.5, 0.25
    engine = night(constant(0.0))
    engine.set("mic1", "level", -6.0206)
    run(engine, audio, [4096])
    levels = engine.desk.levels(engine.input_meter.read(), 2)
    assert levels["mic1"]["input_peak_db"] == pytest.approx(-12.04, abs=0.01)
    assert levels["mic1"]["peak_db"] == pytest.approx(-18.06, abs=0.01)
    assert levels["mic2"] == dict.fromkeys(("peak_db", "rms_db", "input_peak_db", "input_rms_db"), -120.0)
    assert levels["music"]["peak_db"] == pytest.approx(-6.02, abs=0.01)
    assert levels["headphones"]["peak_db"] > -6.0
    assert engine.desk.levels(engine.input_meter.read(), 2)["music"]["rms_db"] == -120.0


def test_stems_add_up_to_what_goes_into_the_master() -> None:
    engine = night(constant(0.0))
    engine.prepare(RATE, 2, 1000)
    engine.set("duck", "on", 0.0)
    out = np.zeros((4, 1000), np.float32)
    engine.process(0.1 * INPUT[:, :1000], out)
    songs, voices = engine.stems(1000)
    assert songs.any()
    assert voices.any()
    np.testing.assert_array_equal(songs + voices, out[:2])
    engine.close()
    with pytest.raises(PluginError, match="without microphones"):
        Engine([]).stems(1)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"mics": [Mic("music")]}, "two plugins are named 'music'"),
        ({"mics": [Mic("mic1"), Mic("mic1")]}, "two plugins are named 'mic1'"),
        ({"outputs": [Output("gain")]}, "two plugins are named 'gain'"),
        ({"duck": Duck()}, "a duck wants a microphone"),
        ({"mics": [Mic("mic1")], "duck": Duck()}, "a vocal remover on the music bus"),
    ],
)
def test_names_that_clash_and_a_duck_without_use_are_refused(arguments, words: str) -> None:
    with pytest.raises(PluginError, match=words):
        Engine([Gain()], **arguments)


@pytest.mark.parametrize("make", [Mic, Output])
def test_more_than_two_channels_are_refused(make) -> None:
    with pytest.raises(PluginError, match="3 channels"):
        make("wide", [], n_channels=3)


def test_thousands_of_blocks_allocate_no_array_and_compile_nothing() -> None:
    dispatchers = [
        kernel for module in (kernels, ducking) for kernel in vars(module).values() if hasattr(kernel, "signatures")
    ]
    with night(CentreNetwork(), threaded=True) as engine:
        engine.prepare(RATE, 2, 128)
        engine.warm_up()
        block, out = np.ascontiguousarray(INPUT[:, :128]), np.zeros((4, 128), np.float32)
        compiled = [len(kernel.signatures) for kernel in dispatchers]
        tracemalloc.start()
        try:
            for _ in range(64):
                engine.process(block, out)
            tracemalloc.reset_peak()
            before = tracemalloc.get_traced_memory()[0]
            for _ in range(3_000):
                engine.process(block, out)
            after, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak - before < 4096
        assert after - before < 2048
        assert [len(kernel.signatures) for kernel in dispatchers] == compiled


def test_warm_up_and_reset_leave_no_trace() -> None:
    engine = night()
    engine.prepare(RATE, 2, 1000)
    engine.warm_up()
    first, second = np.zeros((4, 1000), np.float32), np.zeros((4, 1000), np.float32)
    engine.process(INPUT[:, :1000], first)
    engine.reset()
    engine.process(INPUT[:, :1000], second)
    np.testing.assert_array_equal(first, second)
    engine.close()


def test_a_ramp_that_is_turned_around_stays_a_ramp() -> None:
    audio = np.zeros((5, 4_000), np.float32)
    audio[2] = 0.2
    levels = [-90.0, 0.0, -3.0, 12.0, -90.0]
    marks = [1000, 1100, 1250, 1300, 2000]
    assert all(earlier < later for earlier, later in pairwise(marks))
    out = run(
        night(), audio, [50], {mark: [("mic1", "level", level)] for mark, level in zip(marks, levels, strict=True)}
    )
    assert np.abs(np.diff(out[0])).max() < 0.2 * 4 / (RAMP_S * RATE) * 1.1
    assert out[0, -1] == 0.0
