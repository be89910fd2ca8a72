"""What the engine's process keeps in files: recordings of what is heard, and what a run can be repeated from."""

from pathlib import Path
from typing import BinaryIO

from rtkaraoke.closing import Closing
from rtkaraoke.engine import Engine
from rtkaraoke.live.flac import FlacRecording
from rtkaraoke.live.host import Host
from rtkaraoke.live.recorder import Recorder


class Records(Closing):
    """The files of a run; used by its control thread alone.

    Parameters
    ----------
    engine : Engine
    host : Host
        Gets the recordings.
    raw : Recorder or None
        Of what the engine is fed.
    path : Path or None
        Of ``raw``; the decisions about each hop go beside it.
    """

    def __init__(self, engine: Engine, host: Host, raw: Recorder | None, path: Path | None) -> None:
        self._engine, self._host, self._raw = engine, host, raw
        self._decisions: BinaryIO | None = None if path is None else path.with_suffix(".decisions").open("wb")
        self.recording: FlacRecording | None = None

    @property
    def notes(self) -> list[str]:
        """What has to be said about the raw record."""
        return [self._raw.error] if self._raw is not None and self._raw.error else []

    def record(self, path: str, apart: bool) -> str:
        """End a recording, and begin the next one where there is a ``path``.

        Returns
        -------
        str
            What is to be said about the one that has ended, if there was one.

        Raises
        ------
        RtkaraokeError
            When the next one cannot be.
        """
        recording, text = self._take(), ""
        if recording is not None:
            recording.close()
            lost = f", {recording.lost} samples were lost: the disk is too slow" if recording.lost else ""
            text = recording.error or f"recorded {recording.seconds:.1f} s to {recording.path}{lost}"
        if path:
            self.recording = FlacRecording(Path(path), self._engine, apart=apart)
            self._host.recording = self.recording
        return text

    def ended(self) -> str:
        """Give up a recording that cannot go on; returns why, or nothing."""
        error = "" if self.recording is None else self.recording.error
        if error and (recording := self._take()) is not None:
            recording.close()
        return error

    def store_decisions(self) -> None:
        """Write what has been decided since the last call."""
        if self._decisions is not None:
            for plugin in self._engine.plugins.values():
                if log := getattr(plugin, "decisions", None):
                    self._decisions.write(log.drain())

    def close(self) -> None:
        """Write the rest. May be called twice."""
        if (recording := self._take()) is not None:
            recording.close()
        if self._raw is not None:
            self._raw.close()
        if self._decisions is not None:
            self.store_decisions()
            self._decisions.close()
            self._decisions = None

    def _take(self) -> FlacRecording | None:
        recording, self.recording, self._host.recording = self.recording, None, None
        return recording
