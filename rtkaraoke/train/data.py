"""Endless training examples, mixed as they are drawn: true pairs, and voices over the music of others."""

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from rtkaraoke.errors import ConfigError
from rtkaraoke.evaluate.data import Audio
from rtkaraoke.train import augment
from rtkaraoke.train.config import MixConfig
from rtkaraoke.train.pack import SAMPLE_RATE, Clip, Packed, load_packed

Families = dict[str, list[Clip]]
TRIES = 6  # crops looked at before a silent one is taken


class MixDataset(Dataset[tuple[Tensor, Tensor]]):
    """Example ``number`` as ``(voice, music)``, each float32 ``(2, sample)``; their sum is the mixture.

    Each is drawn by a generator of its own, seeded by ``seed`` and its number: what a run hears at a step depends
    neither on who prepares it nor on when the run was interrupted.
    """

    def __init__(self, cache: Path, config: MixConfig, n_samples: int, seed: int) -> None:
        self.cache, self.config, self.n_samples, self.seed = cache, config, n_samples, seed
        self.mixer: Mixer | None = None  # made where it is used: a map of the cache cannot travel between processes

    def __getitem__(self, number: int) -> tuple[Tensor, Tensor]:
        random = np.random.default_rng((self.seed, number))
        if self.mixer is None:
            self.mixer = Mixer(load_packed(self.cache), self.config, self.n_samples, random)
        self.mixer.random = random
        voice, music = self.mixer.draw()
        return torch.from_numpy(voice), torch.from_numpy(music)


class Mixer:
    """Draws examples from packed clips.

    Raises
    ------
    ConfigError
        When none of the families that the recipe names has clips of the kind that it asks for.
    """

    def __init__(self, packed: Packed, config: MixConfig, n_samples: int, random: Generator) -> None:
        self.packed, self.config, self.n_samples, self.random = packed, config, n_samples, random
        self.voices = _by_family(packed.clips, "voice", config.voices)
        self.musics = _by_family(packed.clips, "music", config.musics)
        self.pairs = _by_family([c for c in packed.clips if c.pair >= 0], "voice", config.pairs)
        self.partner = {c.pair: c for c in packed.clips if c.pair >= 0 and c.role == "music"}
        mixed = 1.0 - config.true_pair - config.no_voice - config.no_music
        for name, families, share in (
            ("pairs", self.pairs, config.true_pair),
            ("voices", self.voices, mixed + config.no_music),
            ("musics", self.musics, mixed + config.no_voice),
        ):
            if share > 0 and not families:
                wanted, held = sorted(getattr(config, name)), sorted({clip.family for clip in packed.clips})
                raise ConfigError(
                    f"mix: {name} names {', '.join(wanted) or 'no family'}, but the cache holds {', '.join(held)}: "
                    "name some of these with a weight above 0, or give another cache"
                )

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
        voice = self._other_throat(voice)
        gain_db = random.normal(0, 2.5)
        voice_rms, music_rms = augment.rms(voice), augment.rms(music)
        if voice_rms > 0 and music_rms > 0:  # some productions bury the voice: keep it audible
            level_db = 20 * np.log10(voice_rms / music_rms)
            gain_db += np.clip(level_db, -10, 8) - level_db
        if random.random() < 0.5:
            voice, music = voice[::-1], music[::-1]
        if random.random() < self.config.colour:
            voice = augment.equalise(voice, random, 4.0)
        if random.random() < self.config.colour:
            music = augment.equalise(music, random, 4.0)
        return voice * np.float32(augment.db_to_gain(gain_db)), music

    def _random_pair(self) -> tuple[Audio, Audio]:
        """A voice over the music of another song at a random level."""
        config, random = self.config, self.random
        voice, music = self._voice(), self._music()
        if config.mashup and random.random() < config.mashup:  # at 0 nothing is drawn: older runs stay as they were
            other = self._music()
            ratio = augment.rms(music) / max(augment.rms(other), 1e-4)
            music = music + other * np.float32(ratio * augment.db_to_gain(random.uniform(-10, 0)))
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
        return augment.dress_voice(self._other_throat(audio), random, dry)

    def _music(self) -> Audio:
        """One dressed backing."""
        clip = self._pick(self.musics, self.config.musics)
        factor = self._speed(self.config.speed)
        return augment.dress_music(self._crop(clip, self._offset(clip, factor), factor), self.random)

    def _speed(self, most: float) -> float:
        return 1.0 + self.random.uniform(-most, most) if self.random.random() < 0.7 else 1.0

    def _other_throat(self, voice: Audio) -> Audio:
        """Half of the voices with their formants elsewhere; at 0 nothing is drawn: older runs stay as they were."""
        most = self.config.formants
        if not most or self.random.random() < 0.5:
            return voice
        return augment.shift_formants(voice, float(np.exp(self.random.uniform(-1, 1) * np.log1p(most))))

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
    dataset: MixDataset, numbers: Iterable[range], n_workers: int
) -> DataLoader[tuple[Tensor, Tensor]]:
    """Batches ``(example, 2, sample)`` of voice and music, one for each range of example numbers.

    ``n_workers`` processes prepare them, or with 0 this one does.
    """
    return DataLoader(
        dataset,
        batch_sampler=numbers,  # type: ignore[arg-type]
        num_workers=n_workers,
        prefetch_factor=4 if n_workers else None,
    )


def batch_numbers(steps: range, batch: int, rank: int, n_ranks: int) -> list[range]:
    """The examples of each step: in order, those of a step dealt out to the ranks.

    Two processes with a batch of three hear what one process with a batch of six hears.
    """
    return [range((step * n_ranks + rank) * batch, (step * n_ranks + rank + 1) * batch) for step in steps]
