"""Songs one after the other, for an evening: the next one is prepared beside the one that plays."""

import math
from typing import NamedTuple

import numpy as np

from rtkaraoke.closing import Closing
from rtkaraoke.dsp.kernels.fade import fade
from rtkaraoke.errors import RtkaraokeError
from rtkaraoke.plugins.protocol import Block
from rtkaraoke.transport.shelf import Loaded, Shelf
from rtkaraoke.transport.song import COMMANDS as SONG_COMMANDS
from rtkaraoke.transport.song import FADE_S, Song
from rtkaraoke.transport.timemap import TimeMap

LONGEST_S = 30.0  #: of a cross-fade
PIECE = 1024  #: samples mixed at a time
MAX_SPANS = 64
COMMANDS = ("load", "next", "follow", "stop", *SONG_COMMANDS)


class _Span(NamedTuple):
    first: int  # sample of the deck
    serial: int
    times: TimeMap | None


class Deck(Closing):
    """A :class:`rtkaraoke.live.host.Source` that plays what it is told, and silence when that is nothing.

    Commands, all from one thread:

    ``load``
        ``text`` is JSON: ``path``, ``serial`` (an integer above 0 by which the song is known from now on), and if
        wished ``key`` in semitones, ``tempo`` in percent, ``voice`` (the path of the voice alone). The song is opened
        and its beginning prepared on a thread of its own; it takes the place of one that is loaded already. An empty
        text lets go of that.
    ``next``
        Change over to the loaded song, or the one that is being loaded, cross-fading for ``value`` seconds with
        constant power. A deck that is paused stays so.
    ``follow``
        From now on the loaded song begins by itself, ``value`` seconds before the present one ends and cross-fading
        for as long; below 0 (the default) it waits for ``next``.
    ``stop``
        Fade out and let go of the song that plays.
    ``pause``
        1 or 0.
    ``seek``, ``skip``, ``key``, ``tempo``
        As of :class:`~rtkaraoke.transport.Song`, for the song that plays.

    What goes wrong with a file never stops the sound: it is told by :meth:`news`, a song that could not be loaded
    becomes ``failed`` in :attr:`status`, one that is damaged ends there.

    A song may bring its voice, separated beforehand. The deck leaves it, with all that key, tempo and fades make of
    it, where :meth:`share_voice` says, and the vocal remover takes it from there instead of looking for it, to the
    sample; while a song without one sounds too, the remover looks for both.
    """

    def __init__(self) -> None:
        self._voice: Block | None = None
        self.paused = False
        self._shelf = Shelf()
        self._present: Loaded | None = None
        self._leaving: Song | None = None
        self._faded = self._fade = 0
        self._wish_s = 0.0  # the cross-fade to the song that is promised
        self._stopping = False
        self._follow_s = -1.0
        self._n_given = 0
        self._spans: tuple[_Span, ...] = (_Span(0, 0, None),)  # replaced, never changed

    def prepare(self, sample_rate: int, n_channels: int) -> None:
        """Get ready to play silence."""
        self._sample_rate, self._n_channels = sample_rate, n_channels
        self._least = round(FADE_S * sample_rate)
        # Both hold music and, below it, the voice alone.
        self._mix, self._other = (np.zeros((2 * n_channels, PIECE), np.float32) for _ in range(2))
        self._knows = False  # whether all songs that sound brought their voice
        self._known = 0  # how far the fade to a known voice has come
        self._shelf.prepare(sample_rate, n_channels)

    def read(self, out: Block) -> int:
        """Fill ``out`` ``(channel, sample)``, silence where there is nothing; returns how many came from a song.

        Realtime safe.
        """
        n_samples, at, given = out.shape[1], 0, 0
        while at < n_samples:
            self._change_over()
            run = self._steady(min(n_samples - at, PIECE))
            given += self._give(self._mix[:, :run])
            out[:, at : at + run] = self._mix[: self._n_channels, :run]
            if self._voice is not None:
                self._leave_voice(self._voice[:, at : at + run])
            at += run
        return given

    def command(self, name: str, value: float, text: str = "") -> None:
        """See the class.

        Raises
        ------
        RtkaraokeError
            When there is no such command, its value or text is wrong, or there is no song for it.
        """
        if name == "load":
            self._shelf.load(text)
        elif name == "next":
            if self._shelf.empty:
                raise RtkaraokeError("next: no song is loaded: load one first")
            self._wish_s = _seconds(name, value)
            self._shelf.promised = True
        elif name == "follow":
            self._follow_s = _seconds(name, value) if value >= 0 else -1.0
        elif name == "stop":
            self._shelf.promised = False
            self._stopping = True
        elif name == "pause":
            self.paused = bool(value)
        elif name in SONG_COMMANDS:
            present = self._present
            if present is None:
                raise RtkaraokeError(f"{name}: no song plays: load one and change over to it with next")
            present.song.command(name, value)
        else:
            raise RtkaraokeError(f"a deck knows no command {name!r}: there are {', '.join(COMMANDS)}")

    @property
    def status(self) -> dict[str, float]:
        """Numbers for the view.

        ``serial`` of the song that plays (0 for none), which while two fade into each other is the new one, and of
        that song ``position_s``, ``length_s`` where it is known, ``ended`` (0 or 1), ``key``, ``tempo``, ``starved``
        and ``prepared`` (1 when it brought its voice); ``paused``; ``loaded``, the serial of the next song when it is
        ready, 0 for none; ``failed``, the serial of the latest one that could not be loaded.
        """
        present = self._present
        nothing = {"position_s": 0.0, "ended": 0.0, "key": 0.0, "tempo": 100.0, "starved": 0.0}
        return {
            **(nothing if present is None else present.song.status),
            "prepared": float(present is not None and present.song.has_voice),
            "paused": float(self.paused),
            "serial": float(0 if present is None else present.serial),
            "loaded": float(self._shelf.serial),
            "failed": float(self._shelf.failed),
        }

    def news(self) -> list[str]:
        """What a person should read, since the last call."""
        notes = self._shelf.notes
        return [notes.popleft() for _ in range(len(notes))]

    def heard(self, sample: int) -> tuple[int, float]:
        """Which song is the ``sample``-th that :meth:`read` has given, counted from 0, and at which second.

        Serial 0 stands for silence without a song. As exact and as far back as
        :meth:`rtkaraoke.transport.Song.heard_s`; while two songs fade into each other it is the new one. From any
        thread.
        """
        spans = self._spans
        span = next((span for span in reversed(spans) if span.first <= sample), spans[0])
        return span.serial, 0.0 if span.times is None else span.times.song_s(sample - span.first)

    def heard_s(self, sample: int) -> float:
        """The song's second of :meth:`heard`."""
        return self.heard(sample)[1]

    def share_voice(self, memory: Block) -> None:
        """Leave the voice in ``memory`` ``(channel + 1, block)`` with every :meth:`read` from now on.

        Its last row becomes 1 where the voice is known, 0 where it is not, and fades in between.
        """
        self._voice = memory

    def close(self) -> None:
        """End all threads and close all files. May be called twice."""
        self._shelf.close()
        for song in (self._present and self._present.song, self._leaving):
            if song is not None:
                song.close()

    def _change_over(self) -> None:
        """Begin what is due."""
        if self._faded < self._fade:
            if self._shelf.promised or self._stopping:
                self._hurry()
            return
        if self._stopping:
            self._stopping = False
            if self._present is not None:
                self._begin(None, 0.0)
        elif self._shelf.promised:
            if (loaded := self._shelf.take()) is not None:
                self._shelf.promised = False
                self._begin(loaded, self._wish_s)
        elif self._follows() <= 0 and (loaded := self._shelf.take()) is not None:
            self._begin(loaded, self._follow_s)

    def _begin(self, loaded: Loaded | None, seconds: float) -> None:
        """Fade from the present song to ``loaded``."""
        self._leaving = None if self._present is None else self._present.song
        self._fade = max(round(seconds * self._sample_rate), self._least)
        self._faded = 0
        if loaded is not None and self.paused:
            loaded.song.hush()
        self._present = loaded
        serial, times = (0, None) if loaded is None else (loaded.serial, loaded.song.times)
        span = _Span(self._n_given, serial, times)
        self._spans = (*self._spans[1 - MAX_SPANS :], span)

    def _hurry(self) -> None:
        """Bring a long cross-fade to its end, for another is wanted."""
        left = self._fade - self._faded
        if left > self._least:
            self._fade = self._fade * self._least // left
            self._faded = self._fade - self._least

    def _follows(self) -> float:
        """Samples until the loaded song begins by itself."""
        if self._follow_s < 0 or self._present is None or self.paused or not self._shelf.serial:
            return float("inf")
        left_s = self._present.song.left_s
        if math.isinf(left_s):  # on its way to another place
            return left_s
        return 0 if left_s <= 0 else round((left_s - self._follow_s) * self._sample_rate)

    def _steady(self, n_samples: int) -> int:
        """How many of the next ``n_samples`` go by until something changes."""
        if self._faded < self._fade:
            return min(n_samples, self._fade - self._faded)
        return int(min(n_samples, max(self._follows(), 1)))

    def _give(self, out: Block) -> int:
        """One stretch in which nothing changes but the fades."""
        n_samples, given = out.shape[1], 0
        sounding = [song for song in (self._present and self._present.song, self._leaving) if song is not None]
        self._knows = bool(sounding) and all(song.has_voice for song in sounding)
        if self._present is None:
            out[:] = 0.0
        else:
            given = self._read(self._present.song, out)
        if self._faded < self._fade:
            fade(out, self._fade - self._faded, -1, self._fade)
            if self._leaving is not None:
                other = self._other[:, :n_samples]
                given = max(given, self._read(self._leaving, other))
                fade(other, self._faded, 1, self._fade)
                np.add(out, other, out=out)
            self._faded += n_samples
            if self._faded == self._fade and self._leaving is not None:
                self._leaving.leave()
                self._leaving = None
        self._n_given += n_samples
        return given

    def _leave_voice(self, voice: Block) -> None:
        """The voice of what is in the mix, and whether it is known."""
        n_samples = voice.shape[1]
        voice[:-1] = self._mix[self._n_channels :, :n_samples]
        step = 1 if self._knows else -1
        voice[-1] = 1.0
        fade(voice[-1:], self._least - self._known, -step, self._least)
        self._known = min(max(self._known + step * n_samples, 0), self._least)

    def _read(self, song: Song, out: Block) -> int:
        song.paused = self.paused
        try:
            return song.read(out)
        except RtkaraokeError as error:
            self._shelf.notes.append(str(error))
            return 0


def _seconds(name: str, value: float) -> float:
    if not 0 <= value <= LONGEST_S:
        raise RtkaraokeError(f"{name} = {value}: wanted the seconds of a cross-fade, from 0 to {LONGEST_S:g}")
    return value
