"""Examples: finite, of the right length, voices and music where they are promised."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.signal import lfilter, sosfilt

torch = pytest.importorskip("torch")

from rtkaraoke.errors import ConfigError  # noqa: E402
from rtkaraoke.train import augment  # noqa: E402
from rtkaraoke.train.augment import rms  # noqa: E402
from rtkaraoke.train.config import MixConfig  # noqa: E402
from rtkaraoke.train.data import CPU, MixDataset, Mixer, batch_numbers, training_batches  # noqa: E402
from rtkaraoke.train.pack import INT16_SCALE, SAMPLE_RATE, Clip, Packed, replicate_band  # noqa: E402

N_SAMPLES = SAMPLE_RATE


@pytest.fixture(scope="module")
def packed() -> Packed:
    """A pair of three seconds, a singer with two short clips, a backing."""
    random = np.random.default_rng(5)
    layout = [
        ("pair", "band", "voice", 132_300, 0),
        ("pair", "band", "music", 132_300, 0),
        ("singing", "studio", "voice", 9_000, -1),
        ("singing", "studio", "voice", 31_000, -1),
        ("music", "game", "music", 80_000, -1),
    ]
    clips, start = [], 0
    for kind, family, role, length, pair in layout:
        clips.append(Clip(kind, family, family, role, start, length, pair))
        start += length
    return Packed((random.standard_normal((start, 2)) * 3000).astype(np.int16), clips)


def mixer(packed: Packed, device: torch.device = CPU, **options: float) -> Mixer:
    weights = {"pairs": {"band": 1.0}, "voices": {"band": 1.0, "studio": 2.0}, "musics": {"band": 1.0, "game": 1.0}}
    chances = {"true_pair": 0.0, "no_voice": 0.0, "no_music": 0.0} | options
    return Mixer(packed, MixConfig(**chances, **weights), N_SAMPLES, np.random.default_rng(1), device)


@pytest.mark.parametrize("kind", ["true_pair", "no_voice", "no_music", "random"])
def test_examples_are_what_they_are_called(packed: Packed, kind: str) -> None:
    draw = mixer(packed, **({} if kind == "random" else {kind: 1.0})).draw
    for _ in range(12):
        voice, music = draw()
        for part in (voice, music):
            assert part.shape == (2, N_SAMPLES)
            assert part.dtype == torch.float32
            assert part.isfinite().all()
        assert (voice + music).abs().max() <= 1.0 + 1e-6
        assert voice.any() == (kind != "no_voice")
        assert music.any() == (kind != "no_music")


@pytest.mark.parametrize("kind", ["true_pair", "no_voice", "no_music", "random"])
def test_no_value_of_the_audio_is_read_back(packed: Packed, kind: str) -> None:
    """On a device that has no values, whatever asks for one fails: a GPU would have to be waited for there."""
    options = {"codec": 0.5, "formants": 0.2, "mashup": 0.5} | ({} if kind == "random" else {kind: 1.0})
    draw = mixer(packed, torch.device("meta"), **options).draw
    for _ in range(12):
        for part in draw():
            assert part.is_meta
            assert part.shape == (2, N_SAMPLES)


def test_a_data_set_on_another_device_makes_its_batches_there(dataset: MixDataset) -> None:
    dataset.device = torch.device("meta")
    (voice, music), _ = training_batches(dataset, [range(2), range(2, 4)], 1)
    assert voice.is_meta
    assert voice.shape == music.shape == (2, 2, N_SAMPLES)


def test_levels_are_those_that_were_drawn(packed: Packed) -> None:
    """A random voice lies 4 dB below its music when the recipe allows no spread, a buried one is lifted to -10 dB."""
    draws = mixer(packed, voice_db=-4.0, voice_db_spread=0.0)
    voice, music = draws._random_pair()
    assert 20 * torch.log10(rms(voice) / rms(music)) == pytest.approx(-4.0, abs=0.01)
    buried = packed.samples.copy()
    buried[:132_300] = buried[:132_300] // 30
    draws = mixer(Packed(buried, packed.clips), speed=0.0, colour=0.0)
    levels = [
        float(20 * torch.log10(rms(voice) / rms(music))) for voice, music in (draws._true_pair() for _ in range(40))
    ]
    assert np.mean(levels) == pytest.approx(-10.0, abs=1.5)  # and 2.5 dB of chance around it


def test_a_mashup_is_louder_in_the_music_alone(packed: Packed) -> None:
    """The second backing comes in above nothing and at most as loud as the first."""
    plain, mashed = (mixer(packed, mashup=mashup) for mashup in (0.0, 1.0))
    levels = [[rms(draws._random_pair()[1]) for _ in range(20)] for draws in (plain, mashed)]
    assert np.median(levels[1]) > np.median(levels[0])


def test_pairs_stay_in_time(packed: Packed) -> None:
    draws = mixer(Packed(np.repeat(packed.samples[:132_300], 3, axis=0)[:400_000], packed.clips[:2]), true_pair=1.0)
    clip = draws.pairs["band"].clips[0]
    np.testing.assert_array_equal(
        draws._crop(clip, 500, 1.0), draws.packed.samples[500 : 500 + N_SAMPLES].T / np.float32(INT16_SCALE)
    )
    assert draws.partner[clip.pair].role == "music"


def test_same_seed_same_examples(packed: Packed) -> None:
    first, second = mixer(packed).draw(), mixer(packed).draw()
    np.testing.assert_array_equal(first[0], second[0])
    np.testing.assert_array_equal(first[1], second[1])


@pytest.mark.parametrize(
    "effect",
    [
        augment.equalise,
        augment.pan,
        augment.reverberate,
        augment.compress,
        augment.saturate,
        augment.double,
        lambda audio, random: augment.shift_formants(audio, random.uniform(0.8, 1.25)),
        lambda audio, random: augment.lose_to_codec(audio, audio.flip(0), random)[0],
    ],
)
def test_effects_keep_shape_and_survive_silence(effect: object) -> None:
    random = np.random.default_rng(2)
    sound = torch.from_numpy((0.1 * random.standard_normal((2, 20_000))).astype(np.float32))
    for audio in (sound, torch.zeros_like(sound), sound[:, :3000]):
        before = audio.clone()
        for _ in range(5):
            out = effect(audio, random)  # type: ignore[operator]
            assert out.shape == audio.shape
            assert out.dtype == torch.float32
            assert out.isfinite().all()
            assert torch.equal(audio, before)


def tone(hz: float, n_samples: int = SAMPLE_RATE) -> torch.Tensor:
    """A sine on both sides."""
    return torch.from_numpy(np.tile(np.sin(2 * np.pi * hz * np.arange(n_samples) / SAMPLE_RATE), (2, 1))).float()


@pytest.mark.parametrize("factor", [0.8, 0.93, 1.0, 1.004, 1.1, 1.34])
def test_speed_moves_pitch_with_time(factor: float) -> None:
    n_samples = SAMPLE_RATE // 2
    before, after = augment.resampling_lengths(SAMPLE_RATE, factor)
    assert before / after == pytest.approx(factor, rel=2e-3)
    faster = augment.change_speed(tone(1000.0), factor, n_samples)
    inner = slice(500, n_samples - 500)  # a band limit rings where the sound begins at once
    wanted = tone(1000.0 * before / after, n_samples)
    torch.testing.assert_close(faster[:, inner], wanted[:, inner], atol=2e-3, rtol=0)


def test_what_is_played_quicker_ends_earlier() -> None:
    faster = augment.change_speed(tone(1000.0), 1.25, SAMPLE_RATE)
    before, after = augment.resampling_lengths(SAMPLE_RATE, 1.25)
    end = SAMPLE_RATE * after // before
    assert not faster[:, end + 2 :].any()
    assert faster[:, end - 50 : end - 2].abs().max() > 0.5


def test_quick_lengths_have_small_factors() -> None:
    lengths = augment.fast_lengths(1000)
    assert lengths[:12] == [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 14]
    assert lengths[-2:] == [980, 1000]
    assert augment.long_enough(44_101) == 44_800


def test_peaks_are_those_of_the_recursive_filter() -> None:
    """Beside one that scipy runs sample by sample, from the same draws."""
    click = torch.zeros(2, 20_000)
    click[:, 100] = 1.0
    equalised = augment.equalise(click, np.random.default_rng(3))
    random, sections = np.random.default_rng(3), []
    for _ in range(random.integers(2, 4)):
        hz = float(np.exp(random.uniform(np.log(80), np.log(14_000))))
        sections.append(augment.peak_filter(hz, float(random.normal(0, 3.0)), 0.7))
    wanted = sosfilt(np.array(sections) / np.array(sections)[:, 3:4], click.numpy())
    np.testing.assert_allclose(equalised, wanted, atol=1e-5)


def vowel() -> torch.Tensor:
    """A second of a note of 200 Hz, formant at 1000 Hz."""
    pulses = np.zeros(SAMPLE_RATE)
    pulses[::220] = 0.3
    section = augment.peak_filter(1000, 20, 1.0)
    return torch.from_numpy(np.tile(lfilter(section[:3], section[3:], pulses), (2, 1)).astype(np.float32))


@pytest.mark.parametrize(("factor", "harmonic"), [(0.8, 4), (1.0, 5), (1.2, 6)])
def test_formants_move_and_the_note_stays(factor: float, harmonic: int) -> None:
    shifted = augment.shift_formants(vowel(), factor)
    power = np.square(np.abs(np.fft.rfft(shifted[0].numpy() * np.hanning(SAMPLE_RATE))))
    near = [power[int(k * 200.45) - 5 : int(k * 200.45) + 6].sum() for k in range(1, 11)]
    assert 1 + int(np.argmax(near)) == harmonic
    assert sum(near) > 0.99 * power[100:2100].sum()  # still harmonics of the same note, nothing between them
    assert rms(shifted) == pytest.approx(float(rms(vowel())), rel=0.25)


def test_formants_at_their_place_change_nothing() -> None:
    np.testing.assert_allclose(augment.shift_formants(vowel(), 1.0), vowel(), atol=1e-5)


def power_above(audio: torch.Tensor, hz: float) -> float:
    """Of both sides, in what a second holds above a frequency."""
    return float(torch.fft.rfft(audio)[:, int(hz * audio.shape[1] / SAMPLE_RATE) :].abs().square().sum())


def test_a_codec_leaves_holes_and_no_top_but_the_same_sum() -> None:
    random = np.random.default_rng(6)
    voice = vowel()
    music = torch.from_numpy(0.02 * random.standard_normal((2, SAMPLE_RATE))).float()
    coded_voice, coded_music = augment.lose_to_codec(voice, music, random)
    kept, lost = coded_voice + coded_music, voice + music
    assert power_above(kept, 19_100) < 1e-3 * power_above(lost, 19_100)
    assert power_above(kept, 0) > 0.5 * power_above(lost, 0)
    # one gain for both: where the codec hears only music, what is left of the voice is as little as of the mixture
    both = augment.lose_to_codec(0.3 * lost, 0.7 * lost, np.random.default_rng(1))
    torch.testing.assert_close(both[0] / 0.3, both[1] / 0.7, atol=1e-4, rtol=1e-4)


def test_half_the_voices_get_another_throat(packed: Packed) -> None:
    voice = vowel()
    assert mixer(packed)._other_throat(voice) is voice
    draws = mixer(packed, formants=0.2)
    assert 8 < sum(draws._other_throat(voice) is not voice for _ in range(40)) < 32


def test_replicated_band_fills_the_top_and_leaves_the_rest() -> None:
    random = np.random.default_rng(4)
    narrow = np.fft.irfft(np.fft.rfft(random.standard_normal((2, SAMPLE_RATE))) * (np.arange(22_051) < 7500))
    full = replicate_band(narrow.astype(np.float32))
    before, after = (np.square(np.abs(np.fft.rfft(x))).sum(axis=0) for x in (narrow, full))
    assert after[9000:11_000].sum() > 100 * before[9000:11_000].sum() + 1.0
    assert after[:6000].sum() == pytest.approx(before[:6000].sum(), rel=0.02)


@pytest.fixture
def dataset(packed: Packed, tmp_path: Path) -> MixDataset:
    packed.samples.tofile(tmp_path / "samples.int16")
    (tmp_path / "clips.json").write_text(json.dumps([asdict(clip) for clip in packed.clips]))
    config = MixConfig(batch=2, pairs={"band": 1.0}, voices={"studio": 1.0}, musics={"game": 1.0})
    return MixDataset(tmp_path, config, N_SAMPLES, seed=1)


def test_examples_depend_on_seed_and_number_alone(dataset: MixDataset) -> None:
    in_order = [dataset[i] for i in range(6)]
    for n_workers in (0, 2):
        batches = list(training_batches(dataset, [range(4, 6), range(2)], n_workers))
        for batch, first in zip(batches, (4, 0), strict=True):
            voice, music = batch
            assert voice.shape == music.shape == (2, 2, N_SAMPLES)
            for i in range(2):
                assert torch.equal(voice[i], in_order[first + i][0])
                assert torch.equal(music[i], in_order[first + i][1])
    dataset.seed = 2
    assert not torch.equal(dataset[0][1], in_order[0][1])


def test_every_example_of_every_step_goes_to_one_rank() -> None:
    dealt = [batch_numbers(range(3, 5), batch=2, rank=rank, n_ranks=3) for rank in range(3)]
    assert [sorted(i for rank in dealt for i in rank[step]) for step in range(2)] == [
        list(range(18, 24)), list(range(24, 30)),
    ]  # fmt: skip
    assert batch_numbers(range(3, 5), batch=6, rank=0, n_ranks=1) == [range(18, 24), range(24, 30)]


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"pairs": {"bend": 1.0}}, "pairs names bend, but the cache holds band, game, studio"),
        ({"voices": {"studio": 0.0}}, "voices"),
        ({"musics": {}}, "musics names no family"),
    ],
)
def test_families_that_are_not_there_are_refused(packed: Packed, options: dict[str, Any], named: str) -> None:
    weights = {"pairs": {"band": 1.0}, "voices": {"studio": 1.0}, "musics": {"game": 1.0}} | options
    with pytest.raises(ConfigError, match=named):
        Mixer(packed, MixConfig(**weights), N_SAMPLES, np.random.default_rng(1))
    alone = {name: {"band": 1.0} if name == "pairs" else {} for name in weights}
    Mixer(packed, MixConfig(true_pair=1.0, no_voice=0.0, no_music=0.0, **alone), N_SAMPLES, np.random.default_rng(1))
