"""Reading any audio file as a stream of float32 blocks ``(channel, sample)``."""

import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from rtkaraoke.closing import Closing
from rtkaraoke.errors import AudioFileError
from rtkaraoke.files.sources import AvSource, SoundFileSource, Source
from rtkaraoke.geometry import MAX_SAMPLE_RATE, MIN_SAMPLE_RATE

MAX_CHANNELS = 64

INPUT_SUFFIXES = frozenset(
    (
        *(".aac", ".ac3", ".aif", ".aiff", ".alac", ".ape", ".au", ".avi", ".caf", ".flac", ".flv", ".m4a", ".m4b"),
        *(".m4v", ".mka", ".mkv", ".mov", ".mp2", ".mp3", ".mp4", ".mpc", ".mpg", ".oga", ".ogg", ".opus", ".rf64"),
        *(".tta", ".w64", ".wav", ".webm", ".wma", ".wmv", ".wv"),
    )
)  #: what a folder is searched for; a single file may be named anything

# What libsndfile reads best is told by the first bytes, never by the name. MP3 is not among them: without a
# Xing header libsndfile guesses the length and stops there or reads short, and its mpg123 writes to stderr.
_SOUNDFILE_MAGIC = (b"RIFF", b"RIFX", b"RF64", b"riff", b"fLaC", b"OggS", b"FORM", b"caff", b".snd")
_CONVERT = "convert it first, for example with `ffmpeg -i IN OUT.wav`"


@dataclass(frozen=True, slots=True)
class AudioInfo:
    """What a file says of itself.

    ``n_samples`` (per channel) is exact for PCM, FLAC and Ogg, right to within a few codec frames for the
    rest, and None where the file does not say. ``format`` and ``subtype`` are the decoder's names.
    """

    path: Path
    sample_rate: int
    n_channels: int
    n_samples: int | None
    format: str
    tags: dict[str, str] = field(default_factory=dict)
    subtype: str = ""

    @property
    def duration_s(self) -> float | None:
        """Length in seconds, None where the file does not say."""
        return None if self.n_samples is None else self.n_samples / self.sample_rate


class AudioReader(Closing):
    """An audio file, read from its beginning to its end in constant memory. A context manager.

    Parameters
    ----------
    path : str or Path
        The file; its content decides how it is read, not its name.

    Raises
    ------
    AudioFileError
        When it is missing, unreadable, empty, truncated, holds no sound, or a sample rate or number of
        channels that cannot be worked on.
    """

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        self._source = _open(self._path)
        try:
            self.info = _describe(self._path, self._source)
        except BaseException:
            self._source.close()
            raise
        self._position = 0
        self._ended_at: int | None = None

    def read(self, out: NDArray[np.float32]) -> int:
        """Fill ``out`` ``(channel, n)`` with the next samples.

        Returns
        -------
        int
            Samples per channel that were read: ``n``, or fewer at the end of the file, then 0.

        Raises
        ------
        AudioFileError
            When the rest is damaged or missing, or a sample is NaN or infinite.
        """
        if self._source.closed:
            raise AudioFileError(f"{self._path}: read after close: open it again")
        if out.ndim != 2 or len(out) != self.info.n_channels:
            raise ValueError(f"out has the shape {out.shape}, wanted ({self.info.n_channels}, n)")
        try:
            n = self._source.read(out)
        except (soundfile.SoundFileError, OSError, ValueError) as error:
            raise AudioFileError(
                f"{self._path}: damaged after {self._position / self.info.sample_rate:.3f} s ({error}): "
                f"copy or download it again, or {_CONVERT}"
            ) from error
        self._refuse_nonfinite(out[:, :n])
        self._position += n
        if n < out.shape[1]:
            self._refuse_truncated()
        return n

    def seek(self, sample: int) -> None:
        """Continue reading at ``sample`` (clipped to the file).

        Exact for PCM, FLAC and Ogg; elsewhere as exact as the container's time stamps: to a sample in MP3
        and MP4, to a millisecond in Matroska.

        Raises
        ------
        AudioFileError
            When the file cannot be rewound.
        """
        sample = max(0, sample)
        if self.info.n_samples is not None:
            sample = min(sample, self.info.n_samples)
        try:
            self._position = self._source.seek(sample)
        except (soundfile.SoundFileError, OSError, ValueError) as error:
            raise AudioFileError(
                f"{self._path}: cannot go to {sample / self.info.sample_rate:.3f} s ({error}): {_CONVERT}"
            ) from error

    def close(self) -> None:
        """Close the file. May be called twice."""
        self._source.close()

    def _refuse_nonfinite(self, block: NDArray[np.float32]) -> None:
        finite = np.isfinite(block)
        if finite.all():
            return
        sample = int(np.argmin(finite.all(axis=0)))
        channel = int(np.argmin(finite[:, sample]))
        position = self._position + sample
        raise AudioFileError(
            f"{self._path}: sample {position} ({position / self.info.sample_rate:.3f} s) of channel {channel + 1} "
            f"is {block[channel, sample]}, every sample must be a finite number: export the file again as 24-bit PCM"
        )

    def _refuse_truncated(self) -> None:
        promised = self._source.promised
        if promised is None or self._position >= promised - self._source.tolerance:
            return
        raise _truncated(self._path, self._position, promised, self.info.sample_rate)


def probe(path: str | Path) -> AudioInfo:
    """Tell what the file at ``path`` says of itself. Raises :class:`AudioFileError` as :class:`AudioReader` does."""
    with AudioReader(path) as reader:
        return reader.info


def _open(path: Path) -> Source:
    """Find the source that reads ``path``; an AudioFileError tells why none does."""
    try:
        if path.is_dir():
            raise AudioFileError(f"{path}: is a folder, wanted an audio file: name a file in it")
        if not path.exists():
            raise AudioFileError(f"{path}: no such file: check the spelling and the folder")
        if not path.is_file():
            raise AudioFileError(f"{path}: is no regular file, wanted an audio file: save the sound to a file first")
        with path.open("rb") as file:
            magic = file.read(4)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise AudioFileError(f"{path}: cannot be read ({reason}): check the name and its permissions") from error
    if not magic:
        raise AudioFileError(f"{path}: is empty (0 bytes), wanted an audio file: copy or download it again")
    reasons = []
    if magic in _SOUNDFILE_MAGIC:
        try:
            return SoundFileSource(path)
        except (soundfile.SoundFileError, OSError, ValueError, TypeError) as error:
            reasons.append(_explain(error))
    try:
        return AvSource(path)
    except (OSError, ValueError, EOFError) as error:
        reasons.append(_explain(error))
    raise AudioFileError(
        f"{path}: holds no sound that can be read ({'; '.join(reasons)}): "
        f"check that it is a whole audio or video file, or {_CONVERT}"
    )


def _explain(error: Exception) -> str:
    """Give the decoder's reason without the file's name, in words."""
    text = getattr(error, "error_string", None) or getattr(error, "strerror", None) or str(error)
    if "SF_INFO struct incomplete" in text:
        return "its header names a sample rate of 0 Hz"
    return re.sub(r": '.*'$", "", text).strip().rstrip(".")


def _describe(path: Path, source: Source) -> AudioInfo:
    """Check the source against what can be worked on."""
    rate, n_channels = source.sample_rate, source.n_channels
    if not MIN_SAMPLE_RATE <= rate <= MAX_SAMPLE_RATE:
        raise AudioFileError(
            f"{path}: a sample rate of {rate} Hz, wanted {MIN_SAMPLE_RATE} to {MAX_SAMPLE_RATE} Hz: "
            "the header is damaged, or resample it with `ffmpeg -i IN -ar 44100 OUT.wav`"
        )
    if not 1 <= n_channels <= MAX_CHANNELS:
        raise AudioFileError(
            f"{path}: {n_channels} channels, wanted 1 to {MAX_CHANNELS}: mix it down with `ffmpeg -i IN -ac 2 OUT.wav`"
        )
    if source.n_samples == 0:
        raise AudioFileError(f"{path}: holds no samples, wanted at least one: copy or download it again")
    if source.promised is not None and source.n_samples is not None and source.n_samples < source.promised:
        raise _truncated(path, source.n_samples, source.promised, rate)
    return AudioInfo(path, rate, n_channels, source.n_samples, source.format, source.tags, source.subtype)


def _truncated(path: Path, found: int, promised: int, sample_rate: int) -> AudioFileError:
    return AudioFileError(
        f"{path}: truncated: its header promises {promised / sample_rate:.2f} s, {found / sample_rate:.2f} s are "
        "there: copy or download it again, or keep what is there with `ffmpeg -i IN OUT.wav`"
    )
