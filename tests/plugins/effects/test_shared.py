"""What all effects share: bypass, presets, limits on channels, states that stay in bounds and end in zeros."""

from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtkaraoke.errors import PluginError
from rtkaraoke.plugins.effects.base import Effect
from rtkaraoke.plugins.harness import MAX_BLOCK, noise, prepared, run
from rtkaraoke.plugins.registry import create_plugin, shipped_names

RATE = 48_000
EFFECTS = [name for name in shipped_names() if isinstance(create_plugin(name), Effect)]


def test_every_effect_of_the_evening_is_there() -> None:
    assert set(EFFECTS) == {
        "high_pass", "equaliser", "gate", "compressor", "de_esser", "echo", "reverb", "limiter", "key_shift",
    }  # fmt: skip


@pytest.mark.parametrize("name", EFFECTS)
@pytest.mark.parametrize("n_channels", [1, 2])
def test_bypass_is_the_input_bit_for_bit(name: str, n_channels: int) -> None:
    signal = noise(20_000, n_channels)
    with prepared(lambda: create_plugin(name), RATE, n_channels, {"bypass": 1}) as plugin:
        out = run(plugin, signal)
        np.testing.assert_array_equal(out[:, plugin.latency :], signal[:, : signal.shape[1] - plugin.latency])


@settings(max_examples=40)
@given(
    st.sampled_from(EFFECTS),
    st.lists(st.integers(1, 4096), min_size=1, max_size=12),
    st.sampled_from([1, 2]),
    st.sampled_from([16_000, 44_100, 96_000]),
    st.randoms(use_true_random=False),
)
def test_any_partition_gives_the_same_bits_while_parameters_move(
    name: str, sizes: list[int], n_channels: int, sample_rate: int, random: Random
) -> None:
    parameters = create_plugin(name).parameters.values()
    changes = [
        (random.randrange(12_000), parameter.name, random.choice((parameter.minimum, parameter.maximum)))
        for parameter in parameters
    ]
    outs = []
    for partition in (sizes, [4096]):
        with prepared(lambda: create_plugin(name), sample_rate, n_channels) as plugin:
            outs.append(run(plugin, noise(12_000, n_channels), partition, changes))
    np.testing.assert_array_equal(*outs)


@pytest.mark.parametrize("name", EFFECTS)
def test_a_preset_says_all_but_the_bypass(name: str) -> None:
    plugin = create_plugin(name)
    assert len(plugin.presets) >= 3
    for preset, values in plugin.presets.items():
        assert set(values) == set(plugin.parameters) - {"bypass"}
        plugin.use_preset(preset)
        assert {parameter: plugin.get(parameter) for parameter in values} == values


def test_an_unknown_preset_is_refused_with_those_there_are() -> None:
    with pytest.raises(PluginError, match="no preset 'tunnel': there are dry, hall, plate, slap"):
        create_plugin("reverb").use_preset("tunnel")
    with pytest.raises(PluginError, match="there are none"):
        create_plugin("gain").use_preset("tunnel")


@pytest.mark.parametrize("name", ["echo", "reverb"])
def test_dry_is_the_input_bit_for_bit(name: str) -> None:
    signal = noise(20_000)
    plugin = create_plugin(name)
    plugin.use_preset("dry")
    plugin.prepare(RATE, 2, MAX_BLOCK)
    np.testing.assert_array_equal(run(plugin, signal), signal)


@pytest.mark.parametrize(("name", "most"), [("echo", 2), ("reverb", 2), ("key_shift", 2), ("limiter", 64)])
def test_too_many_channels_are_refused_and_as_many_as_there_may_be_work(name: str, most: int) -> None:
    plugin = create_plugin(name)
    with pytest.raises(PluginError, match=f"{name} takes 1 to {most} channels, not {most + 1}"):
        plugin.prepare(RATE, most + 1, MAX_BLOCK)
    plugin.prepare(RATE, most, MAX_BLOCK)
    assert run(plugin, noise(500, most)).shape == (most, 500)


@pytest.mark.parametrize("name", EFFECTS)
def test_the_loudest_numbers_there_are_leave_a_finite_state_that_ends_in_silence(name: str) -> None:
    signal = np.zeros((2, 40 * RATE), np.float32)
    signal[:, :RATE] = np.finfo(np.float32).max * np.sign(noise(RATE))
    with prepared(lambda: create_plugin(name)) as plugin:
        out = run(plugin, signal, (MAX_BLOCK,))
        arrays = [value for value in vars(plugin).values() if isinstance(value, np.ndarray)]
    assert np.isfinite(out).all()
    assert not out[:, -RATE:].any()
    for array in arrays:
        assert np.isfinite(array).all()
        sizes = np.abs(array)
        assert not ((sizes > 0) & (sizes < np.finfo(np.float32).tiny)).any()


@pytest.mark.parametrize("name", EFFECTS)
def test_set_before_prepare_and_after_reach_the_same_place(name: str) -> None:
    signal = noise(RATE)
    outs = []
    for early in (True, False):
        plugin = create_plugin(name)
        preset = list(plugin.presets)[-1]
        if early:
            plugin.use_preset(preset)
        plugin.prepare(RATE, 2, MAX_BLOCK)
        if not early:
            plugin.use_preset(preset)
            plugin.reset()  # parameters arrive
        outs.append(run(plugin, signal))
    np.testing.assert_array_equal(*outs)
