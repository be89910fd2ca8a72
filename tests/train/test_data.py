"""Examples: finite, of the right length, voices and music where they are promised."""

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from rtkaraoke.train import augment  # noqa: E402
from rtkaraoke.train.config import MixConfig  # noqa: E402
from rtkaraoke.train.data import Mixer, training_batches  # noqa: E402
from rtkaraoke.train.pack import SAMPLE_RATE, Clip, Packed, replicate_band  # noqa: E402

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


def mixer(packed: Packed, **options: float) -> Mixer:
    weights = {"pairs": {"band": 1.0}, "voices": {"band": 1.0, "studio": 2.0}, "musics": {"band": 1.0, "game": 1.0}}
    chances = {"true_pair": 0.0, "no_voice": 0.0, "no_music": 0.0} | options
    return Mixer(packed, MixConfig(**chances, **weights), N_SAMPLES, np.random.default_rng(1))


@pytest.mark.parametrize("kind", ["true_pair", "no_voice", "no_music", "random"])
def test_examples_are_what_they_are_called(packed: Packed, kind: str) -> None:
    draw = mixer(packed, **({} if kind == "random" else {kind: 1.0})).draw
    for _ in range(12):
        voice, music = draw()
        for part in (voice, music):
            assert part.shape == (2, N_SAMPLES)
            assert part.dtype == np.float32
            assert np.isfinite(part).all()
        assert np.abs(voice + music).max() <= 1.0 + 1e-6
        assert np.any(voice) == (kind != "no_voice")
        assert np.any(music) == (kind != "no_music")


def test_pairs_stay_in_time(packed: Packed) -> None:
    draws = mixer(Packed(np.repeat(packed.samples[:132_300], 3, axis=0)[:400_000], packed.clips[:2]), true_pair=1.0)
    clip = draws.pairs["band"][0]
    np.testing.assert_array_equal(
        draws._crop(clip, 500, 1.0), draws.packed.samples[500 : 500 + N_SAMPLES].T / np.float32(32_000.0)
    )
    assert draws.partner[clip.pair].role == "music"


def test_same_seed_same_examples(packed: Packed) -> None:
    first, second = mixer(packed).draw(), mixer(packed).draw()
    np.testing.assert_array_equal(first[0], second[0])
    np.testing.assert_array_equal(first[1], second[1])


@pytest.mark.parametrize(
    "effect", [augment.equalise, augment.pan, augment.reverberate, augment.compress, augment.saturate, augment.double]
)
def test_effects_keep_shape_and_survive_silence(effect: object) -> None:
    random = np.random.default_rng(2)
    sound = (0.1 * random.standard_normal((2, 20_000))).astype(np.float32)
    for audio in (sound, np.zeros_like(sound)):
        out = effect(audio, random)  # type: ignore[operator]
        assert out.shape == audio.shape
        assert out.dtype == np.float32
        assert np.isfinite(out).all()


def test_speed_moves_pitch_with_time() -> None:
    t = np.arange(SAMPLE_RATE) / SAMPLE_RATE
    tone = np.tile(np.sin(2 * np.pi * 1000 * t), (2, 1)).astype(np.float32)
    faster = augment.change_speed(tone, 1.1, SAMPLE_RATE // 2)
    assert np.argmax(np.abs(np.fft.rfft(faster[0]))) * 2 == pytest.approx(1100, abs=2)


def test_replicated_band_fills_the_top_and_leaves_the_rest() -> None:
    random = np.random.default_rng(4)
    narrow = np.fft.irfft(np.fft.rfft(random.standard_normal((2, SAMPLE_RATE))) * (np.arange(22_051) < 7500))
    full = replicate_band(narrow.astype(np.float32))
    before, after = (np.square(np.abs(np.fft.rfft(x))).sum(axis=0) for x in (narrow, full))
    assert after[9000:11_000].sum() > 100 * before[9000:11_000].sum() + 1.0
    assert after[:6000].sum() == pytest.approx(before[:6000].sum(), rel=0.02)


def test_batches_come_from_a_packed_folder(packed: Packed, tmp_path: Path) -> None:
    import json
    from dataclasses import asdict

    packed.samples.tofile(tmp_path / "samples.int16")
    (tmp_path / "clips.json").write_text(json.dumps([asdict(clip) for clip in packed.clips]))
    config = MixConfig(batch=2, pairs={"band": 1.0}, voices={"studio": 1.0}, musics={"game": 1.0})
    voice, music = next(iter(training_batches(tmp_path, config, N_SAMPLES, seed=(1,), n_workers=0)))
    assert voice.shape == music.shape == (2, 2, N_SAMPLES)
    assert voice.dtype == torch.float32
