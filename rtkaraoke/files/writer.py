"""Writing WAV, FLAC, Ogg Vorbis and MP3: whole or not at all."""

import os
import secrets
from collections.abc import Mapping
from contextlib import suppress
from errno import ENOSPC
from pathlib import Path
from types import TracebackType
from typing import NoReturn, Self

import numpy as np
import soundfile
from numpy.typing import NDArray

from rtkaraoke.errors import AudioFileError
from rtkaraoke.files.sources import CHUNK, TAGS
from rtkaraoke.interrupts import held_back

# suffix -> libsndfile's format, its subtypes (the first is the default), compression level (0 best .. 1 smallest)
_FORMATS: dict[str, tuple[str, tuple[str, ...], float | None]] = {
    ".wav": ("WAV", ("PCM_16", "PCM_24", "FLOAT"), None),
    ".flac": ("FLAC", ("PCM_16", "PCM_24"), None),
    ".ogg": ("OGG", ("VORBIS",), 0.3),
    ".mp3": ("MP3", ("MPEG_LAYER_III",), 0.2),
}
OUTPUT_SUFFIXES = tuple(_FORMATS)
_SAMPLE_BYTES = {"PCM_16": 2, "PCM_24": 3, "FLOAT": 4}
_MAX_WAV_BYTES = (1 << 32) - (1 << 16)  # sizes in a WAV header have 32 bits
_ID3_FRAMES = {
    "title": "TIT2", "artist": "TPE1", "album": "TALB", "date": "TDRC", "genre": "TCON", "tracknumber": "TRCK",
    "copyright": "TCOP",
}  # fmt: skip


class AudioWriter:
    """An audio file in the making. A context manager: the file appears under its name when all went well.

    Until then the samples go to a hidden file beside it, which is removed on any error, Ctrl-C included.

    Parameters
    ----------
    path : str or Path
        Where to write; its suffix chooses the format (:data:`OUTPUT_SUFFIXES`).
    sample_rate : int
        In Hz.
    n_channels : int
        Channels of every block.
    subtype : str, optional
        ``PCM_16`` (default), ``PCM_24`` or ``FLOAT`` (WAV only).
    overwrite : bool
        Replace an existing file.
    tags : mapping, optional
        Title, artist and so on, as :attr:`AudioInfo.tags` gives them.
    n_samples : int, optional
        The length to come, where it is known: what cannot fit is refused now and not after an hour.

    Raises
    ------
    AudioFileError
        When the target cannot be written, or the format cannot hold such a sound.
    """

    def __init__(
        self,
        path: str | Path,
        sample_rate: int,
        n_channels: int,
        subtype: str | None = None,
        overwrite: bool = False,
        tags: Mapping[str, str] | None = None,
        n_samples: int | None = None,
    ) -> None:
        self.path = Path(path)
        self._target = check_target(path, overwrite)
        self._overwrite = overwrite
        self._n_channels = n_channels
        self._sink: Sink | None = None
        kind, subtypes, compression = _FORMATS[self.path.suffix.lower()]
        self._subtype = subtype or subtypes[0]
        if self._subtype not in subtypes:
            raise AudioFileError(
                f"{path}: a {self.path.suffix} file cannot hold {subtype}: choose {' or '.join(subtypes)}"
            )
        self._n_samples = 0
        self._refuse_beyond_4_gib(n_samples or 0)
        self._sink = self._open_sink()
        try:
            if kind == "MP3":
                self._sink.prefix(_id3(tags or {}))
            with held_back():
                self._file = soundfile.SoundFile(
                    self._sink, "w", sample_rate, n_channels, self._subtype, format=kind, compression_level=compression
                )
                if kind != "MP3":
                    self._set_tags(tags or {})
        except BaseException as error:
            if isinstance(error, OSError) or self._sink.error is not None:
                self._fail(error)
            self._discard()
            if isinstance(error, soundfile.SoundFileError | ValueError | TypeError | OverflowError):
                raise AudioFileError(
                    f"{path}: a {self.path.suffix} file cannot hold {n_channels} channels at {sample_rate} Hz "
                    f"({getattr(error, 'error_string', error)}): write a .wav file instead"
                ) from error
            raise

    def write(self, block: NDArray[np.float32]) -> None:
        """Append ``block`` ``(channel, n)``; integer formats clip at full scale.

        Raises
        ------
        AudioFileError
            When the disk is full or the format's size limit is reached; nothing is left behind.
        """
        if self._sink is None:
            raise AudioFileError(f"{self.path}: written to after its end: open it again")
        if block.ndim != 2 or len(block) != self._n_channels:
            raise ValueError(f"the block has the shape {block.shape}, wanted ({self._n_channels}, n)")
        self._n_samples += block.shape[1]
        self._refuse_beyond_4_gib(self._n_samples)
        try:
            for start in range(0, block.shape[1], CHUNK):  # libsndfile's Vorbis wants small pieces
                with held_back():
                    self._file.write(block[:, start : start + CHUNK].T)
        except BaseException as error:  # noqa: BLE001 - raised again when the file is gone
            self._fail(error)
        self._check_sink()

    def close(self) -> None:
        """Finish the file and give it its name. May be called twice.

        Raises
        ------
        AudioFileError
            When the last bytes could not be written, or the target has come into being meanwhile.
        """
        if self._sink is None:
            return
        try:
            with held_back():
                self._file.close()
        except BaseException as error:  # noqa: BLE001 - raised again when the file is gone
            self._fail(error)
        self._check_sink()
        temporary = self._sink.path
        try:
            self._sink.close()
            check_target(self.path, self._overwrite)
            temporary.replace(self._target)
        except OSError as error:
            self._fail(error)
        except BaseException:
            self._discard()
            raise
        self._sink = None

    def abort(self) -> None:
        """Leave nothing behind. May be called twice, and after :meth:`close`."""
        if self._sink is not None:
            self._discard()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.close()
        else:
            self.abort()

    def _set_tags(self, tags: Mapping[str, str]) -> None:
        for key in TAGS:
            if key in tags:
                # WAV has no place for a licence, and no title is worth a song.
                with suppress(soundfile.SoundFileError, ValueError):
                    setattr(self._file, key, tags[key])

    def _refuse_beyond_4_gib(self, n_samples: int) -> None:
        n_bytes = n_samples * self._n_channels * _SAMPLE_BYTES.get(self._subtype, 0)
        if self.path.suffix.lower() == ".wav" and n_bytes > _MAX_WAV_BYTES:
            self.abort()
            raise AudioFileError(f"{self.path}: a .wav file holds at most 4 GiB: write a .flac file instead")

    def _open_sink(self) -> "Sink":
        # Same folder, hence same disk: the rename is atomic. A short name of its own: the target's may be at the limit.
        temporary = self._target.parent / f".rtkaraoke-{secrets.token_hex(6)}.part"
        try:
            return Sink(temporary)
        except OSError as error:
            raise _os_error(self.path, error) from error

    def _check_sink(self) -> None:
        """Raise what libsndfile's callbacks could not."""
        if self._sink is not None and self._sink.error is not None:
            self._fail(self._sink.error)

    def _fail(self, error: BaseException) -> NoReturn:
        """Remove the temporary file, then raise: the sink's own error is the true one."""
        cause = (self._sink.error if self._sink is not None else None) or error
        self._discard()
        if isinstance(cause, OSError):
            raise _os_error(self.path, cause) from cause
        if isinstance(cause, soundfile.SoundFileError | AssertionError):
            raise AudioFileError(f"{self.path}: cannot be written ({cause}): write a .wav file instead") from cause
        raise cause

    def _discard(self) -> None:
        sink, self._sink = self._sink, None
        if sink is None:
            return
        sink.mute()
        if hasattr(self, "_file"):
            with suppress(soundfile.SoundFileError, AssertionError):  # the file is being thrown away
                self._file.close()
        sink.close()
        sink.path.unlink(missing_ok=True)


class Sink:
    """A new file as libsndfile sees it.

    libsndfile writes through C callbacks, where an exception would be lost, and its own encoders forget errors
    when they flush at the end (a full disk would pass for success). So the first error is kept here.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.error: BaseException | None = None
        self._file = path.open("xb+", buffering=0)
        self._start = 0
        self._muted = False

    def prefix(self, data: bytes) -> None:
        """Put ``data`` before everything that libsndfile writes."""
        self.write(data)
        if self.error is not None:
            raise self.error
        self._start = len(data)

    def write(self, data: bytes) -> int:
        """Write all of ``data``; returns what was written."""
        if self._muted or self.error is not None:
            return len(data)
        try:
            view = memoryview(data)
            while view:
                view = view[self._file.write(view) :]
        except BaseException as error:  # noqa: BLE001 - Ctrl-C as well: raised again outside the callback
            self.error = error
        return len(data)

    def read(self, n: int) -> bytes:
        """Read the next ``n`` bytes."""
        return self._file.read(n)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to ``offset``, counted from behind the prefix."""
        return self._file.seek(offset + (self._start if whence == os.SEEK_SET else 0), whence) - self._start

    def tell(self) -> int:
        """Where the next byte goes, counted from behind the prefix."""
        return self._file.tell() - self._start

    def mute(self) -> None:
        """Swallow whatever is still written: the file will be removed."""
        self._muted = True

    def close(self) -> None:
        """Close the file. May be called twice."""
        self._file.close()


def check_target(path: str | Path, overwrite: bool = False, source: str | Path | None = None) -> Path:
    """Refuse a target that cannot or must not be written, before any work is done.

    Parameters
    ----------
    path : str or Path
        The audio file to be written.
    overwrite : bool
        Whether an existing file may be replaced.
    source : str or Path, optional
        The file that is read meanwhile: it may not be the target, not even by another name.

    Returns
    -------
    Path
        The file that a symbolic link in the end points to.

    Raises
    ------
    AudioFileError
        Naming the value, the rule and the way out.
    """
    path = Path(path)
    if path.suffix.lower() not in _FORMATS:
        found = f"the format {path.suffix}" if path.suffix else "a name without a suffix"
        raise AudioFileError(f"{path}: {found} cannot be written: choose one of {', '.join(OUTPUT_SUFFIXES)}")
    try:
        target = Path(os.path.realpath(path))
        if not target.parent.is_dir():
            raise AudioFileError(f"{path}: the folder {target.parent} does not exist: create it first")
        if not target.exists():
            return target
        if target.is_dir():
            raise AudioFileError(f"{path}: is a folder, wanted the name of a file: add one")
        if not target.is_file():
            raise AudioFileError(f"{path}: is no regular file: choose another name")
        if source is not None and Path(source).exists() and target.samefile(source):
            raise AudioFileError(f"{path}: is the input itself, which is never overwritten: choose another name")
    except (OSError, ValueError) as error:
        raise _os_error(path, error) from error
    if not overwrite:
        raise AudioFileError(f"{path}: exists already: choose another name, or allow overwriting (--force)")
    return target


def _os_error(path: Path, error: OSError | ValueError) -> AudioFileError:
    reason = getattr(error, "strerror", None) or str(error)
    if getattr(error, "errno", None) == ENOSPC:
        return AudioFileError(
            f"{path}: the disk is full ({reason}): free some space or choose another folder; nothing was left behind"
        )
    return AudioFileError(f"{path}: cannot be written ({reason}): choose another name or folder")


def _id3(tags: Mapping[str, str]) -> bytes:
    """``tags`` as an ID3v2.4 tag in UTF-8: libsndfile's own would write every letter beyond ASCII as two wrong ones."""

    def size(n: int, bits: int = 7) -> bytes:
        return bytes(n >> bits * (3 - i) & 0x7F for i in range(4))

    frames = b""
    for key, name in _ID3_FRAMES.items():
        if key in tags:
            text = b"\x03" + tags[key].encode("utf-8", "replace")
            frames += name.encode() + size(len(text)) + b"\0\0" + text
    return b"ID3\x04\0\0" + size(len(frames)) + frames if frames else b""
