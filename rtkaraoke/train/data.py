"""Endless training examples, mixed as they are drawn: true pairs, and voices over the music of others.

On a GPU the recordings lie in its memory, and an example is made where it is learned. On a CPU other processes make
examples while this one learns. Both run the same code.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset

from rtkaraoke.errors import ConfigError
from rtkaraoke.train import augment
from rtkaraoke.train.config import MixConfig
from rtkaraoke.train.pack import INT16_SCALE, SAMPLE_RATE, Clip, Packed, load_packed

CPU = torch.device("cpu")
QUIET = 1e-4  # below it nothing is divided by a level
TRIES = 6  # crops looked at before a silent one is taken


@dataclass(frozen=True)
class Family:
    """Clips of one family and role; ``chances`` rise to one, each clip's share the root of its length."""

    clips: list[Clip]
    weight: float

    @cached_property
    def chances(self) -> NDArray[np.float64]:
        """The sum of the shares up to each clip."""
        shares = np.sqrt([clip.n_samples for clip in self.clips]).cumsum()
        return shares / shares[-1]

    @cached_property
    def groups(self) -> dict[str, list[Clip]]:
        """The clips by singer."""
        groups: dict[str, list[Clip]] = defaultdict(list)
        for clip in self.clips:
            groups[clip.group].append(clip)
        return groups


Families = dict[str, Family]


class MixDataset(Dataset[tuple[Tensor, Tensor]]):
    """Example ``number`` as ``(voice, music)``, each float32 ``(2, sample)`` on ``device``; their sum is the mixture.

    Each is drawn by a generator of its own, seeded by ``seed`` and its number: what a run hears at a step depends
    neither on who prepares it nor on when the run was interrupted.
    """

    def __init__(self, cache: Path, config: MixConfig, n_samples: int, seed: int, device: torch.device = CPU) -> None:
        self.cache, self.config, self.n_samples, self.seed, self.device = cache, config, n_samples, seed, device
        self.mixer: Mixer | None = None  # made where it is used: a map of the cache cannot travel between processes

    def __getitem__(self, number: int) -> tuple[Tensor, Tensor]:
        random = np.random.default_rng((self.seed, number))
        if self.mixer is None:
            self.mixer = Mixer(load_packed(self.cache), self.config, self.n_samples, random, self.device)
        self.mixer.random = random
        return self.mixer.draw()


class Mixer:
    """Draws examples from packed clips, whose samples it copies to ``device``.

    Raises
    ------
    ConfigError
        When none of the families that the recipe names has clips of the kind that it asks for.
    """

    def __init__(
        self, packed: Packed, config: MixConfig, n_samples: int, random: Generator, device: torch.device = CPU
    ) -> None:
        self.samples = torch.from_numpy(packed.samples).to(device)
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

    def draw(self) -> tuple[Tensor, Tensor]:
        """One example: voice and music, at a random common level."""
        config, random = self.config, self.random
        chance = random.random()
        if chance < config.true_pair:
            voice, music = self._true_pair()
        elif chance < config.true_pair + config.no_voice:
            music = self._music()
            voice = torch.zeros_like(music)
        elif chance < config.true_pair + config.no_voice + config.no_music:
            voice = self._voice()
            music = torch.zeros_like(voice)
        else:
            voice, music = self._random_pair()
        if random.random() < config.codec:
            voice, music = augment.lose_to_codec(voice, music, random)
        gain = augment.db_to_gain(random.uniform(-14, 0)) / (voice + music).abs().max().clamp(min=1e-3)
        return voice * gain, music * gain

    def _true_pair(self) -> tuple[Tensor, Tensor]:
        """Voice and backing of one song, with the levels moved a little and the same speed."""
        random = self.random
        clip = self._pick(self.pairs)
        factor = self._speed(self.config.speed)
        offset = self._offset(clip, factor)
        voice, music = (self._crop(c, offset, factor) for c in (clip, self.partner[clip.pair]))
        voice = self._other_throat(voice)
        gain_db = random.normal(0, 2.5)
        if random.random() < 0.5:
            voice, music = voice.flip(0), music.flip(0)
        if random.random() < self.config.colour:
            voice = augment.equalise(voice, random, 4.0)
        if random.random() < self.config.colour:
            music = augment.equalise(music, random, 4.0)
        # some productions bury the voice: keep it audible
        ratio = augment.rms(voice) / augment.rms(music).clamp(min=QUIET)
        audible = ratio.clamp(augment.db_to_gain(-10), augment.db_to_gain(8)) / ratio.clamp(min=QUIET)
        gain = torch.where((ratio > 0) & (augment.rms(music) > 0), audible, 1.0)
        return voice * (gain * augment.db_to_gain(gain_db)), music

    def _random_pair(self) -> tuple[Tensor, Tensor]:
        """A voice over the music of another song at a random level."""
        config, random = self.config, self.random
        voice, music = self._voice(), self._music()
        if random.random() < config.mashup:
            music = add_at_level(music, self._music(), random.uniform(-10, 0))
        level_db = np.clip(random.normal(config.voice_db, config.voice_db_spread), -16, 10)
        level = augment.rms(music) * augment.db_to_gain(level_db)
        ratio = level / augment.rms(voice).clamp(min=QUIET)
        return voice * torch.where((level > 0) & (augment.rms(voice) > 0), ratio, 1.0), music

    def _voice(self) -> Tensor:
        """One dressed voice, at times with a second one behind it."""
        voice = self._single_voice()
        if self.random.random() < 0.15:
            voice = add_at_level(voice, self._single_voice(), self.random.uniform(-14, 0))
        return voice

    def _single_voice(self) -> Tensor:
        """A crop; short recordings of one singer follow each other until it is full."""
        random = self.random
        clip = self._pick(self.voices)
        factor = self._speed(1.7 * self.config.speed)
        dry = clip.kind != "pair"
        if clip.n_samples > 1.2 * self.n_samples:
            audio = self._crop(clip, self._offset(clip, factor), factor)
        else:
            audio = torch.zeros(2, self.n_samples, device=self.samples.device)
            same = self.voices[clip.family].groups[clip.group]
            position = -int(random.uniform(0, 0.7) * min(clip.n_samples, self.n_samples // 2))
            while position < self.n_samples:
                part = augment.change_speed(self._taken(clip, 0, clip.n_samples), factor, int(clip.n_samples / factor))
                begin = max(position, 0)
                end = max(begin, min(position + part.shape[1], self.n_samples))
                audio[:, begin:end] = part[:, begin - position : end - position]
                position += part.shape[1] + int(random.exponential(0.3) * SAMPLE_RATE)
                clip = same[random.integers(len(same))]
        return augment.dress_voice(self._other_throat(audio), random, dry)

    def _music(self) -> Tensor:
        """One dressed backing."""
        clip = self._pick(self.musics)
        factor = self._speed(self.config.speed)
        return augment.dress_music(self._crop(clip, self._offset(clip, factor), factor), self.random)

    def _speed(self, most: float) -> float:
        return 1.0 + self.random.uniform(-most, most) if self.random.random() < 0.7 else 1.0

    def _other_throat(self, voice: Tensor) -> Tensor:
        """Half of the voices with their formants elsewhere."""
        most = self.config.formants
        if not most or self.random.random() < 0.5:
            return voice
        return augment.shift_formants(voice, float(np.exp(self.random.uniform(-1, 1) * np.log1p(most))))

    def _pick(self, families: Families) -> Clip:
        """A family by weight, then a clip in proportion to the root of its length."""
        names = list(families)
        share = np.array([families[name].weight for name in names])
        family = families[names[self.random.choice(len(names), p=share / share.sum())]]
        return family.clips[np.searchsorted(family.chances, self.random.random())]

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

    def _taken(self, clip: Clip, offset: int, n_samples: int) -> Tensor:
        """``n_samples`` of a clip from ``offset`` as float32 ``(2, sample)``, zeros beyond its end."""
        start, end = clip.start + offset, clip.start + min(offset + n_samples, clip.n_samples)
        taken = self.samples[start : max(start, end)].T.float() / INT16_SCALE
        return functional.pad(taken, (0, n_samples - taken.shape[1]))

    def _crop(self, clip: Clip, offset: int, factor: float) -> Tensor:
        if factor == 1.0:
            return self._taken(clip, offset, self.n_samples)
        raw = self._taken(clip, offset, int(self.n_samples * factor) + 64)
        return augment.change_speed(raw, factor, self.n_samples)


def _by_family(clips: list[Clip], role: str, weights: dict[str, float]) -> Families:
    families: dict[str, list[Clip]] = defaultdict(list)
    for clip in clips:
        if clip.role == role and weights.get(clip.family, 0) > 0:
            families[clip.family].append(clip)
    return {name: Family(members, weights[name]) for name, members in families.items()}


def add_at_level(audio: Tensor, other: Tensor, level_db: float) -> Tensor:
    """The sum, with ``other`` at ``level_db`` against ``audio``."""
    ratio = augment.rms(audio) / augment.rms(other).clamp(min=QUIET)
    return audio + other * (ratio * augment.db_to_gain(level_db))


def training_batches(dataset: MixDataset, numbers: Iterable[range], n_workers: int) -> Iterable[tuple[Tensor, Tensor]]:
    """Batches ``(example, 2, sample)`` of voice and music, one for each range of example numbers.

    ``n_workers`` processes prepare them, or with 0 this one does; with a data set on a GPU it always does.
    """
    if dataset.device != CPU:
        return _batches_here(dataset, numbers)
    return DataLoader(
        dataset,
        batch_sampler=numbers,  # type: ignore[arg-type]
        num_workers=n_workers,
        prefetch_factor=4 if n_workers else None,
    )


def _batches_here(dataset: MixDataset, numbers: Iterable[range]) -> Iterator[tuple[Tensor, Tensor]]:
    for batch in numbers:
        voices, musics = zip(*(dataset[number] for number in batch), strict=True)
        yield torch.stack(voices), torch.stack(musics)


def batch_numbers(steps: range, batch: int, rank: int, n_ranks: int) -> list[range]:
    """The examples of each step: in order, those of a step dealt out to the ranks.

    Two processes with a batch of three hear what one process with a batch of six hears.
    """
    return [range((step * n_ranks + rank) * batch, (step * n_ranks + rank + 1) * batch) for step in steps]
