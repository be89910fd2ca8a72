"""Endless training examples, mixed as they are drawn: true pairs, and voices over the music of others."""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from rtkaraoke.evaluate.data import Audio
from rtkaraoke.train import augment
from rtkaraoke.train.config import MixConfig
from rtkaraoke.train.pack import SAMPLE_RATE, Clip, Packed, load_packed

Families = dict[str, list[Clip]]
TRIES = 6  # crops looked at before a silent one is taken


class MixDataset(IterableDataset[tuple[Tensor, Tensor]]):
    """Yields ``(voice, music)``, each float32 ``(2, sample)``; their sum is the mixture.

    Every worker draws from a stream of its own, seeded by ``seed`` and its number.
    """

    def __init__(self, cache: Path, config: MixConfig, n_samples: int, seed: tuple[int, ...]) -> None:
        self.cache, self.config, self.n_samples, self.seed = cache, config, n_samples, seed

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        worker = torch.utils.data.get_worker_info()
        torch.set_num_threads(1)
        random = np.random.default_rng((*self.seed, worker.id if worker else 0))
        mixer = Mixer(load_packed(self.cache), self.config, self.n_samples, random)
        while True:
            voice, music = mixer.draw()
            yield torch.from_numpy(voice), torch.from_numpy(music)


class Mixer:
    """Draws examples from packed clips."""

    def __init__(self, packed: Packed, config: MixConfig, n_samples: int, random: Generator) -> None:
        self.packed, self.config, self.n_samples, self.random = packed, config, n_samples, random
        self.voices = _by_family(packed.clips, "voice", config.voices)
        self.musics = _by_family(packed.clips, "music", config.musics)
        self.pairs = _by_family([c for c in packed.clips if c.pair >= 0], "voice", config.pairs)
        self.partner = {c.pair: c for c in packed.clips if c.pair >= 0 and c.role == "music"}

    def draw(self) -> tuple[Audio, Audio]:
        """One example: voice and music, at a random common level."""
        config, random = self.config, self.random
        chance = random.random()
        if chance < config.true_pair:
            voice, music = self._true_pair()
        elif chance < config.true_pair + config.no_voice:
            voice, music = np.zeros((2, self.n_samples), np.float32), self._music()
        elif chance < config.true_pair + config.no_voice + config.no_music:
            voice, music = self._voice(), np.zeros((2, self.n_samples), np.float32)
        else:
            voice, music = self._random_pair()
        peak = max(float(np.abs(voice + music).max()), 1e-3)
        gain = augment.db_to_gain(random.uniform(-14, 0)) / peak
        return (voice * gain).astype(np.float32), (music * gain).astype(np.float32)

    def _true_pair(self) -> tuple[Audio, Audio]:
        """Voice and backing of one song, with the levels moved a little and the same speed."""
        random = self.random
        clip = self._pick(self.pairs, self.config.pairs)
        factor = self._speed(self.config.speed)
        offset = self._offset(clip, factor)
        voice, music = (self._crop(c, offset, factor) for c in (clip, self.partner[clip.pair]))
        gain_db = random.normal(0, 2.5)
        voice_rms, music_rms = augment.rms(voice), augment.rms(music)
        if voice_rms > 0 and music_rms > 0:  # some productions bury the voice: keep it audible
            level_db = 20 * np.log10(voice_rms / music_rms)
            gain_db += np.clip(level_db, -10, 8) - level_db
        if random.random() < 0.5:
            voice, music = voice[::-1], music[::-1]
        if random.random() < 0.3:
            voice = augment.equalise(voice, random, 4.0)
        if random.random() < 0.3:
            music = augment.equalise(music, random, 4.0)
        return voice * np.float32(augment.db_to_gain(gain_db)), music

    def _random_pair(self) -> tuple[Audio, Audio]:
        """A voice over the music of another song at a random level."""
        config, random = self.config, self.random
        voice, music = self._voice(), self._music()
        voice_rms, music_rms = augment.rms(voice), augment.rms(music)
        if voice_rms > 0 and music_rms > 0:
            level_db = np.clip(random.normal(config.voice_db, config.voice_db_spread), -16, 10)
            voice = voice * np.float32(augment.db_to_gain(level_db) * music_rms / voice_rms)
        return voice, music

    def _voice(self) -> Audio:
        """One dressed voice, at times with a second one behind it."""
        voice = self._single_voice()
        if self.random.random() < 0.15:
            other = self._single_voice()
            ratio = augment.rms(voice) / max(augment.rms(other), 1e-4)
            voice = voice + other * np.float32(ratio * augment.db_to_gain(self.random.uniform(-14, 0)))
        return voice

    def _single_voice(self) -> Audio:
        """A crop; short recordings of one singer follow each other until it is full."""
        random = self.random
        clip = self._pick(self.voices, self.config.voices)
        factor = self._speed(1.7 * self.config.speed)
        dry = clip.kind != "pair"
        if clip.n_samples > 1.2 * self.n_samples:
            audio = self._crop(clip, self._offset(clip, factor), factor)
        else:
            audio = np.zeros((2, self.n_samples), np.float32)
            same = [c for c in self.voices[clip.family] if c.group == clip.group]
            position = -int(random.uniform(0, 0.7) * min(clip.n_samples, self.n_samples // 2))
            while position < self.n_samples:
                part = augment.change_speed(
                    self.packed.crop(clip, 0, clip.n_samples), factor, int(clip.n_samples / factor)
                )
                begin = max(position, 0)
                end = max(begin, min(position + part.shape[1], self.n_samples))
                audio[:, begin:end] = part[:, begin - position : end - position]
                position += part.shape[1] + int(random.exponential(0.3) * SAMPLE_RATE)
                clip = same[random.integers(len(same))]
        return augment.dress_voice(audio, random, dry)

    def _music(self) -> Audio:
        """One dressed backing."""
        clip = self._pick(self.musics, self.config.musics)
        factor = self._speed(self.config.speed)
        return augment.dress_music(self._crop(clip, self._offset(clip, factor), factor), self.random)

    def _speed(self, most: float) -> float:
        return 1.0 + self.random.uniform(-most, most) if self.random.random() < 0.7 else 1.0

    def _pick(self, families: Families, weights: dict[str, float]) -> Clip:
        """A family by weight, then a clip in proportion to the root of its length."""
        names = list(families)
        share = np.array([weights[name] for name in names])
        clips = families[names[self.random.choice(len(names), p=share / share.sum())]]
        length = np.sqrt([c.n_samples for c in clips])
        return clips[self.random.choice(len(clips), p=length / length.sum())]

    def _offset(self, clip: Clip, factor: float) -> int:
        """A random start from which the clip sounds, if a few tries find one."""
        needed = int(self.n_samples * factor) + 64
        for _ in range(TRIES):
            offset = int(self.random.integers(max(1, clip.n_samples - needed)))
            start = clip.start + offset
            taken = self.packed.samples[start : start + needed : 16].astype(np.float32)
            if len(taken) and (np.abs(taken) > 300).mean() > 0.15:
                break
        return offset

    def _crop(self, clip: Clip, offset: int, factor: float) -> Audio:
        if factor == 1.0:
            return self.packed.crop(clip, offset, self.n_samples)
        raw = self.packed.crop(clip, offset, int(self.n_samples * factor) + 64)
        return augment.change_speed(raw, factor, self.n_samples)


def _by_family(clips: list[Clip], role: str, weights: dict[str, float]) -> Families:
    families: Families = defaultdict(list)
    for clip in clips:
        if clip.role == role and weights.get(clip.family, 0) > 0:
            families[clip.family].append(clip)
    return dict(families)


def training_batches(
    cache: Path, config: MixConfig, n_samples: int, seed: tuple[int, ...], n_workers: int = 1
) -> DataLoader[tuple[Tensor, Tensor]]:
    """Batches ``(example, 2, sample)`` of voice and music, prepared in processes of their own."""
    dataset = MixDataset(cache, config, n_samples, seed)
    return DataLoader(dataset, batch_size=config.batch, num_workers=n_workers, prefetch_factor=4 if n_workers else None)
