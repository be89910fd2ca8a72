"""Recordings of a night or a song to FLAC, while it sounds.

The worker fills rings, a thread each encodes and writes. A disk that is full ends the recording and nothing else; what
has been written stays.
"""

import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING

import soundfile

from rtkaraoke.closing import Closing
from rtkaraoke.errors import LiveError
from rtkaraoke.files.writer import Sink, check_target
from rtkaraoke.interrupts import held_back
from rtkaraoke.live.backend import Interleaved
from rtkaraoke.live.recorder import RingWriter

if TYPE_CHECKING:
    from rtkaraoke.engine import Engine
    from rtkaraoke.plugins.protocol import Block

SUFFIX = ".flac"
SUBTYPE = "PCM_24"
RESERVE_BYTES = 64 << 20  #: a recording ends before the disk has less than this: others need it too
LOOK_S = 1.0  #: between two looks at the disk


class FlacRecorder(RingWriter):
    """One FLAC file of 24 bits, which grows under its name.

    Parameters
    ----------
    path : Path
        A new file.
    n_channels, sample_rate : int

    Raises
    ------
    LiveError
        When the file is no new one, or cannot be written.
    """

    def __init__(self, path: Path, n_channels: int, sample_rate: int) -> None:
        self.path = path
        if path.suffix.lower() != SUFFIX:
            raise LiveError(f"{path}: recordings are {SUFFIX} files: give such a name")
        check_target(path)
        if full := self._full():
            raise LiveError(full)
        try:
            self._sink = Sink(path)
        except OSError as error:
            raise LiveError(f"{path}: cannot record there ({error.strerror}): give another file") from None
        try:
            with held_back():
                self._file = soundfile.SoundFile(self._sink, "w", sample_rate, n_channels, SUBTYPE, format="FLAC")
        except soundfile.SoundFileError as error:
            self._sink.close()
            path.unlink(missing_ok=True)
            raise LiveError(f"{path}: no FLAC file of {n_channels} channels at {sample_rate} Hz ({error})") from None
        self._look_s = time.monotonic() + LOOK_S
        super().__init__(n_channels, sample_rate)

    def _put(self, block: Interleaved) -> str:
        if time.monotonic() >= self._look_s:
            self._look_s = time.monotonic() + LOOK_S
            if full := self._full():
                return full
        try:
            with held_back():
                self._file.write(block)
        except soundfile.SoundFileError as error:
            return self._ended(str(error))
        return self._ended(str(self._sink.error)) if self._sink.error is not None else ""

    def _finish(self) -> None:
        try:
            with held_back():
                self._file.close()
        except soundfile.SoundFileError as error:
            self.error = self.error or self._ended(str(error))
        if self._sink.error is not None:
            self.error = self.error or self._ended(str(self._sink.error))
        self._sink.close()
        if not self.n_stored:
            self._sink.path.unlink(missing_ok=True)  # no sample, no header: no file

    def _full(self) -> str:
        try:
            free = shutil.disk_usage(self.path.parent).free
        except OSError as error:
            return self._ended(f"{error.strerror}")
        if free >= RESERVE_BYTES:
            return ""
        return self._ended(f"the disk has only {free >> 20} MiB left: free some space or record to another one")

    def _ended(self, reason: str) -> str:
        return f"{self.path}: the recording ended, the music goes on ({reason})"


class FlacRecording(Closing):
    """What an engine plays, in one file, or in one for the music and one for the voices; a context manager.

    Parameters
    ----------
    path : Path
        Of the one; ``NAME.music.flac`` and ``NAME.voices.flac`` where they are apart.
    engine : Engine
        Prepared. Its outputs are recorded as they are heard, music and voices as they go into the master bus.
    apart : bool

    Raises
    ------
    LiveError
        When a file cannot be written, or there are no voices to be apart.
    """

    def __init__(self, path: Path, engine: "Engine", *, apart: bool = False) -> None:
        if apart and engine.desk is None:
            raise LiveError(f"{path}: nobody sings here, so there is nothing to keep apart: record the music alone")
        self.path = path
        self._apart = apart
        self._sample_rate = engine.sample_rate
        self._recorders: list[FlacRecorder] = []
        names = (
            [path.with_name(f"{path.stem}.{stem}{path.suffix}") for stem in ("music", "voices")] if apart else [path]
        )
        try:
            for name in names:
                self._recorders.append(FlacRecorder(name, engine.n_channels, engine.sample_rate))
        except BaseException:
            self.close()
            raise

    def write(self, engine: "Engine", out: "Block") -> None:
        """Note the block that ``engine`` has just made, ``out`` as it is heard. Realtime safe."""
        if self._apart:
            for recorder, stem in zip(self._recorders, engine.stems(out.shape[1]), strict=True):
                recorder.write(stem.T)
        else:
            self._recorders[0].write(out[: engine.n_channels].T)

    @property
    def seconds(self) -> float:
        """How much has been recorded."""
        return self._recorders[0].n_stored / self._sample_rate

    @property
    def error(self) -> str:
        """Why nothing is written any more, or nothing."""
        return next((recorder.error for recorder in self._recorders if recorder.error), "")

    @property
    def lost(self) -> int:
        """Samples that the disk was too slow for."""
        return sum(recorder.lost for recorder in self._recorders)

    def close(self) -> None:
        """Write the rest. May be called twice."""
        for recorder in self._recorders:
            recorder.close()
