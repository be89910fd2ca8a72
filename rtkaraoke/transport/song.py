"""A song as a source of live sound: play, pause, seek, key and tempo."""

import threading
from pathlib import Path

import numpy as np

from rtkaraoke.closing import Closing
from rtkaraoke.dsp.kernels.fade import fade
from rtkaraoke.errors import AudioFileError, RtkaraokeError
from rtkaraoke.files import AudioReader
from rtkaraoke.plugins.protocol import Block, Parameter
from rtkaraoke.transport.feed import Feed
from rtkaraoke.transport.ring import Ring
from rtkaraoke.transport.tape import Tape
from rtkaraoke.transport.timemap import TimeMap

AHEAD_S = 2.0  # what the ring holds
READY_S = 0.2  # what it holds before a new place, key or tempo is played
LEAD_S = 0.1  # from the wish for a key or tempo to the place where it begins to be heard: time to prepare it
FADE_S = 0.015
NAP_S = 0.02

KEY = Parameter("key", "semitones", -6.0, 6.0, 0.0, "How much higher the song is played.")
TEMPO = Parameter("tempo", "%", 70.0, 130.0, 100.0, "How fast the song is played.")
COMMANDS = ("pause", "seek", "skip", "key", "tempo")


class Song(Closing):
    """A file to be played; a :class:`rtkaraoke.live.host.Source`.

    Mono is played on every channel; of more channels than the card's the first are played.

    Parameters
    ----------
    path : str or Path
    start_s : float
        Where to begin, in seconds.
    key, tempo : float
        See :data:`KEY` and :data:`TEMPO`.
    voice : str or Path, optional
        The song's voice alone, as long as the song and of its sample rate; see :meth:`read`.

    Raises
    ------
    AudioFileError
        When a file cannot be read, or the voice has another sample rate.
    PluginError
        When key or tempo are out of their range.
    """

    def __init__(
        self,
        path: str | Path,
        start_s: float = 0.0,
        key: float = 0.0,
        tempo: float = 100.0,
        voice: str | Path | None = None,
    ) -> None:
        self._wanted = (KEY.check(key), TEMPO.check(tempo))
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        self._readers = [AudioReader(path)]
        try:
            if voice is not None:
                self._readers.append(AudioReader(voice))
                self._check_voice()
        except BaseException:
            self.close()
            raise
        self._info = self._readers[0].info
        self.has_voice = voice is not None
        self._place_s: float | None = None  # where a seek wants to go
        self._start_s = start_s
        self._lock = threading.Lock()  # of the wishes; the worker never takes it
        self._left = False
        self._error: RtkaraokeError | None = None
        self._next: Ring | None = None
        self._leaving: Ring | None = None
        self._faded = 0  # samples of the present fade between two rings
        self._hushed = 0  # how far the fade to silence has come
        self._n_given = 0
        self.paused = False
        self.n_starved = 0

    def prepare(self, sample_rate: int, n_channels: int) -> None:
        """Decode the beginning and start the reader thread. Raises :class:`~rtkaraoke.errors.AudioFileError`."""
        self._sample_rate = sample_rate
        self._fade = round(FADE_S * sample_rate)
        self._tape = Tape(self._readers, n_channels)
        self._scratch = np.zeros((self._tape.n_rows, self._fade), np.float32)
        self.times = TimeMap(sample_rate)
        self._playing = self._wanted  # key and tempo of the newest ring
        self._ring = self._prepared(self._start_s, *self._playing)
        self._filling = self._ring
        self._thread = threading.Thread(target=self._run, name="rtkaraoke-song", daemon=True)
        self._thread.start()

    def hush(self) -> None:
        """Begin paused, in silence; before the first :meth:`read`."""
        self.paused = True
        self._hushed = self._fade

    def read(self, out: Block) -> int:
        """Fill ``out`` ``(channel, sample)``, silence where there is nothing; returns how many were the song's.

        With twice the channels the lower half is the voice alone, zeros where there is none. Realtime safe.

        Raises
        ------
        AudioFileError
            Once, where the file is damaged.
        """
        n_samples, at, given = out.shape[1], 0, 0
        while at < n_samples:
            self._change_over()
            run = self._steady(n_samples - at)
            given += self._give(out[:, at : at + run])
            at += run
        if given < n_samples and not self._silent:
            if self._error is not None and not self._ring.filled:
                error, self._error = self._error, None
                raise error
            self.n_starved += not self._ring.ended
        return given

    def command(self, name: str, value: float, text: str = "") -> None:  # noqa: ARG002  the protocol's signature
        """``pause`` (1 or 0), ``seek`` (to a second), ``skip`` (by so many seconds), ``key``, ``tempo``.

        Raises
        ------
        RtkaraokeError
            When there is no such command, or its value is out of range.
        """
        with self._lock:
            if name == "pause":
                self.paused = bool(value)
            elif name == "seek":
                self._place_s = max(0.0, value)
            elif name == "skip":
                self._place_s = max(0.0, self.position_s + value)
            elif name == "key":
                self._wanted = (KEY.check(value), self._wanted[1])
            elif name == "tempo":
                self._wanted = (self._wanted[0], TEMPO.check(value))
            else:
                raise RtkaraokeError(f"a song knows no command {name!r}: there are {', '.join(COMMANDS)}")

    @property
    def position_s(self) -> float:
        """The song's time that is played next."""
        place_s, following = self._place_s, self._next
        if place_s is not None:
            return place_s if self._info.duration_s is None else min(place_s, self._info.duration_s)
        if following is not None and following.join_at is None:
            return following.position_s
        return self._ring.position_s

    @property
    def left_s(self) -> float:
        """How long the song will still be heard, in seconds; infinity where the file does not say how long it is."""
        if self.ended:
            return 0.0
        if self._info.duration_s is None or self._next is not None or self._place_s is not None:
            return float("inf")
        ring = self._ring
        return (self._info.duration_s - ring.position_s) / (ring.step_s * self._sample_rate)

    @property
    def ended(self) -> bool:
        """Whether everything was played."""
        ring = self._next or self._ring
        return ring.ended and not ring.filled and self._place_s is None

    @property
    def status(self) -> dict[str, float]:
        """Numbers for the view.

        ``position_s``, ``length_s`` where the file says it, ``paused`` and ``ended`` (0 or 1), ``starved`` reads,
        ``key`` and ``tempo``.
        """
        key, tempo = self._wanted
        status = {
            "position_s": self.position_s,
            "paused": float(self.paused),
            "ended": float(self.ended),
            "starved": float(self.n_starved),
            "key": key,
            "tempo": tempo,
        }
        length_s = self._info.duration_s
        return status if length_s is None else {**status, "length_s": length_s}

    def heard_s(self, sample: int) -> float:
        """The song's time, in seconds, of the ``sample``-th that :meth:`read` has given, counted from 0.

        Exact to the sample at key 0 and tempo 100, for :data:`~rtkaraoke.transport.timemap.KEPT_S` back; while one
        place, key or tempo fades into another it is the new one's. From any thread.
        """
        return self.times.song_s(sample)

    def leave(self) -> None:
        """Let the reader thread end and close the files, without waiting for it."""
        self._left = True

    def close(self) -> None:
        """End the thread and close the files. May be called twice."""
        self._closing.set()
        if self._thread is not None:
            self._thread.join()
        for reader in self._readers:
            reader.close()

    @property
    def _silent(self) -> bool:
        return self.paused and self._hushed == self._fade

    def _change_over(self) -> None:
        """Begin what is due."""
        following, ring = self._next, self._ring
        if following is None or self._leaving is not None:
            return
        if following.join_at is not None and ring.filled:
            if ring.n_read < following.join_at:
                return
            # Prepared too late: the place is further on by now.
            late = round((ring.position_s - following.start_s) / following.step_s)
            if late > 0:
                if following.filled < late + self._fade and not following.ended:
                    return
                following.skip(min(late, following.filled))
        if not self._silent:
            self._leaving, self._faded = ring, 0
        self._ring, self._next = following, None

    def _steady(self, n_samples: int) -> int:
        """How many of the next ``n_samples`` go by until something changes."""
        following = self._next
        if self._leaving is not None:
            n_samples = min(n_samples, self._fade - self._faded)
        elif following is not None and following.join_at is not None and not self._silent:
            until = min(following.join_at - self._ring.n_read, self._ring.filled)
            if until > 0:
                n_samples = min(n_samples, until)
        hushing = self._fade - self._hushed if self.paused else self._hushed
        return min(n_samples, hushing) if hushing else n_samples

    def _give(self, out: Block) -> int:
        """One stretch in which nothing changes but the fades."""
        n_samples, ring = out.shape[1], self._ring
        if self._silent:
            out[:] = 0.0
            self.times.mark(self._n_given, ring.position_s, 0.0)
            self._n_given += n_samples
            return 0
        self.times.mark(self._n_given, ring.position_s, ring.step_s)
        given = ring.read(out)
        if given < n_samples:
            self.times.mark(self._n_given + given, ring.position_s, 0.0)
        if self._leaving is not None:
            other = self._scratch[: len(out), :n_samples]
            self._leaving.read(other)
            fade(out, self._fade - self._faded, -1, self._fade)
            fade(other, self._faded, 1, self._fade)
            np.add(out[: len(other)], other, out=out[: len(other)])
            self._faded += n_samples
            if self._faded == self._fade:
                self._leaving = None
        if self.paused or self._hushed:
            step = 1 if self.paused else -1
            fade(out, self._hushed, step, self._fade)
            self._hushed += step * n_samples
        self._n_given += n_samples
        return given

    # From here on: the reader thread.

    def _run(self) -> None:
        while not (self._closing.is_set() or self._left):
            try:
                if self._next is None and self._changes():
                    continue
                if self._filling.ended or self._filling.free < 2 * self._feed.largest:
                    self._closing.wait(NAP_S)
                else:
                    self._fill(self._filling)
            except RtkaraokeError as error:
                self._fail(error)
            except Exception as error:  # noqa: BLE001  told by the worker when it gets there
                self._fail(AudioFileError(f"{self._info.path}: {type(error).__name__}: {error}"))
        if self._left:
            for reader in self._readers:
                reader.close()

    def _fail(self, error: RtkaraokeError) -> None:
        """What was decoded is played to its end, then the error is told; another place may still be sought."""
        with self._lock:
            self._place_s, self._playing = None, self._wanted
        self._error = error.with_traceback(None)  # which would keep this song alive, and nobody collects garbage
        self._filling.ended = True

    def _changes(self) -> bool:
        """Prepare a wish, if there is one."""
        with self._lock:
            place_s, wanted = self._place_s, self._wanted
        if place_s is None and wanted == self._playing:
            return False
        if place_s is not None:
            following = self._prepared(place_s, *wanted)
        else:
            ring = self._ring
            lead = 0 if self.paused else round(LEAD_S * self._sample_rate)
            if ring.filled < 2 * lead and not ring.ended and ring is self._filling:
                return False  # fill up first: while the other is prepared, nothing more comes into this one
            join_at = ring.n_read + min(lead, ring.filled)
            following = self._prepared(ring.start_s + join_at * ring.step_s, *wanted, join_at)
        self._filling = following
        with self._lock:
            self._next, self._playing = following, wanted
            if self._place_s == place_s:
                self._place_s = None
        return True

    def _prepared(self, start_s: float, key: float, tempo: float, join_at: int | None = None) -> Ring:
        """A ring, filled so far that it can be played."""
        if self._info.duration_s is not None:
            start_s = min(start_s, self._info.duration_s)
        self._feed = feed = Feed(self._tape, start_s, key, tempo, self._sample_rate)
        size = max(round(AHEAD_S * self._sample_rate), 4 * feed.largest)
        ring = Ring(self._tape.n_rows, size, feed.start_s, feed.step_s, join_at)
        while ring.filled < READY_S * self._sample_rate and not ring.ended:
            self._fill(ring)
        return ring

    def _fill(self, ring: Ring) -> None:
        """One chunk more into ``ring``."""
        ring.write(self._feed.more())
        ring.ended = self._feed.ended

    def _check_voice(self) -> None:
        song, voice = (reader.info for reader in self._readers)
        if voice.sample_rate != song.sample_rate:
            raise AudioFileError(
                f"{voice.path}: {voice.sample_rate} Hz, the song has {song.sample_rate} Hz: separate it again"
            )
