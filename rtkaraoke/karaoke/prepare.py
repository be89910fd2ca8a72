"""The voices of the songs to come, separated ahead by a network that sees more of them than a live one may.

Run as a program it separates one song and ends::

    python -m rtkaraoke.karaoke.prepare SONG VOICE MODEL
"""

import hashlib
import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from rtkaraoke.closing import Closing
from rtkaraoke.errors import ModelError, RtkaraokeError
from rtkaraoke.masks.centre import CentreNetwork

MODEL = "playback"
MAX_BYTES = 4 << 30  #: of all voices that are kept: some 200 songs
NICENESS = 19
STALE_S = 3600.0
SUFFIX = ".flac"


class Voices(Closing):
    """Voices of songs in a folder of their own; one song at a time is separated, by a process of the lowest priority.

    A voice belongs to the file's path, size and time and to the network: when one of them changes it is made anew. The
    ones that were not asked for the longest make room.

    Parameters
    ----------
    folder : Path
        Made where it is missing.
    model : str or Path
        A shipped network, ``centre``, or an ONNX file.
    max_bytes : int
        What all voices together may take.

    Attributes
    ----------
    notes : deque of str
        Songs that could not be separated, and why.

    Raises
    ------
    ModelError
        When there is no such network.
    OSError
        When the folder cannot be made.
    """

    def __init__(self, folder: Path, model: str | Path = MODEL, max_bytes: int = MAX_BYTES) -> None:
        self.notes: deque[str] = deque(maxlen=100)
        self._folder, self._model, self._max_bytes = folder, str(model), max_bytes
        self._revision = _revision(self._model)
        self._running: tuple[subprocess.Popen[str], Path, Path] | None = None  # process, song, voice
        self._failed: set[Path] = set()
        folder.mkdir(parents=True, exist_ok=True)
        for left in folder.glob(".*.part"):  # by a process that was killed
            with suppress(OSError):
                if time.time() - left.stat().st_mtime > STALE_S:
                    left.unlink()

    @property
    def busy_with(self) -> Path | None:
        """The song that is being separated."""
        return None if self._running is None else self._running[1]

    def find(self, song: Path) -> Path | None:
        """The voice of ``song``, None while there is none."""
        voice = self._voice(song)
        if voice is None or not voice.is_file():
            return None
        with suppress(OSError):
            os.utime(voice)  # wanted lately
        return voice

    def tick(self, wanted: Sequence[Path]) -> None:
        """Go on with what is ``wanted``, the most urgent first; call it now and then. Does not wait.

        The first song without a voice is separated. One that is no longer wanted is given up.
        """
        if self._running is not None:
            process, song, voice = self._running
            if process.poll() is None and song in wanted:
                return
            self._finish(song, voice, [self._voice(each) for each in wanted])
        for song in wanted:
            missing = self._voice(song)
            if missing is not None and missing not in self._failed and not missing.is_file():
                self._start(song, missing)
                return

    def close(self) -> None:
        """End the process, if there is one. May be called twice."""
        if self._running is not None:
            self._end()

    def _voice(self, song: Path) -> Path | None:
        """Where the voice of ``song`` lies or will lie; None when there is no such song."""
        try:
            found = song.stat()
        except OSError:
            return None
        identity = f"{song.absolute()}\0{found.st_size}\0{found.st_mtime_ns}\0{self._revision}"
        return self._folder / (hashlib.sha256(identity.encode(errors="surrogateescape")).hexdigest()[:32] + SUFFIX)

    def _start(self, song: Path, voice: Path) -> None:
        command = [sys.executable, "-m", "rtkaraoke.karaoke.prepare", str(song), str(voice), self._model]
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            creationflags=getattr(subprocess, "IDLE_PRIORITY_CLASS", 0),  # Windows; elsewhere the child is nice
        )
        self._running = process, song, voice

    def _finish(self, song: Path, voice: Path, kept: list[Path | None]) -> None:
        """Look at what became of the process, or end it."""
        assert self._running is not None
        code = self._running[0].poll()
        text = self._end()
        if code is not None and not voice.is_file():
            self._failed.add(voice)
            self.notes.append(f"{song}: its voice could not be separated ahead ({text.strip() or f'exit {code}'})")
        self._make_room(kept)

    def _end(self) -> str:
        assert self._running is not None
        process = self._running[0]
        self._running = None
        if process.poll() is None:
            process.terminate()
        try:
            return process.communicate(timeout=5)[0]
        except subprocess.TimeoutExpired:
            process.kill()
            return process.communicate()[0]

    def _make_room(self, kept: list[Path | None]) -> None:
        found = []
        for voice in self._folder.glob("*" + SUFFIX):
            with suppress(OSError):
                status = voice.stat()
                found.append((status.st_mtime, status.st_size, voice))
        total = sum(size for _, size, _ in found)
        for _, size, voice in sorted(found):
            if total <= self._max_bytes:
                break
            if voice not in kept:
                with suppress(OSError):
                    voice.unlink()
                    total -= size


def _revision(model: str) -> str:
    """What changes when the network does."""
    from rtkaraoke.masks.onnx import shipped_models

    if model == CentreNetwork.info.name:
        return f"{model} {CentreNetwork.info.revision}"
    path = shipped_models().get(model, Path(model))
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise ModelError(f"no network {model!r} ({error.strerror}): there are {', '.join(shipped_models())}") from None


def main(arguments: Sequence[str]) -> int:
    """Separate one song: its path, that of its voice, the network. Prints what goes wrong; returns the exit code."""
    from rtkaraoke.masks.models import load_model
    from rtkaraoke.rendering import render

    song, voice, model = arguments
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # by way of the writer, which takes away what it began
    if hasattr(os, "nice"):
        os.nice(NICENESS)
    try:
        render(song, voice, network=load_model(model, "cpu"), stem="voice", overwrite=True)
    except RtkaraokeError as error:
        print(error)  # noqa: T201  the parent reads it
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
