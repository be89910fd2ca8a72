"""The two decoders behind one shape: libsndfile for what it knows, PyAV (FFmpeg) for everything else."""

import itertools
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import soundfile
from numpy.typing import NDArray

if TYPE_CHECKING:
    from av import AudioFrame
    from av.container import InputContainer

CHUNK = 4096  # samples per channel that are de-interleaved at once
TAGS = ("title", "artist", "album", "date", "genre", "tracknumber", "comment", "copyright", "license")
_AV_TAGS = {"track": "tracknumber"}
_UNKNOWN_LENGTH = 1 << 60  # libsndfile gives 2^63 - 1 for a FLAC stream without a length
_STREAMED_BYTES = 0x7F00_0000  # writers to a pipe put 2 or 4 GiB where they do not know the length
_TOLERANCE_S = 0.5  # what an encoder's padding and a container's rounding explain
_PREROLL_S = 0.25  # decoded and dropped before a seek's target: overlap and bit reservoir of lossy codecs


class Source(Protocol):
    """An open file. ``promised`` is the length that the header claims and must be there but for ``tolerance``."""

    sample_rate: int
    n_channels: int
    n_samples: int | None
    promised: int | None
    tolerance: int
    format: str
    subtype: str
    tags: dict[str, str]

    @property
    def closed(self) -> bool:
        """Whether :meth:`close` was called."""
        ...

    def read(self, out: NDArray[np.float32]) -> int:
        """Fill ``out`` ``(channel, n)``; fewer than n only at the end."""
        ...

    def seek(self, sample: int) -> int:
        """Go to ``sample``; returns where reading really continues."""
        ...

    def close(self) -> None:
        """Close the file. May be called twice."""
        ...


class SoundFileSource:
    """Read through libsndfile. Lengths and seeks are exact."""

    def __init__(self, path: Path) -> None:
        # soundfile would refuse a name with bytes that are no UTF-8; on Windows there is none such.
        self._name: str | bytes = str(path) if sys.platform == "win32" else os.fsencode(path)
        self._file = soundfile.SoundFile(self._name)
        file = self._file
        if file.frames > _UNKNOWN_LENGTH:  # libsndfile stumbles over the end of such a stream
            self.close()
            raise ValueError("its header names no length")
        self.sample_rate, self.n_channels = file.samplerate, file.channels
        self.n_samples: int | None = file.frames
        self.promised = self.n_samples
        self.tolerance = 0
        self.format, self.subtype = file.format, file.subtype
        self.tags = {key: value for key, value in file.copy_metadata().items() if key in TAGS}
        # A WAV file cut short is silently shortened by libsndfile; only its log tells.
        cut = re.search(r"^data : (\d+) \(should be (\d+)\)", file.extra_info, re.MULTILINE)
        if cut and file.frames and int(cut[1]) < _STREAMED_BYTES:
            self.promised = int(cut[1]) * file.frames // int(cut[2])
        self._interleaved = np.empty((CHUNK, self.n_channels), np.float32)

    @property
    def closed(self) -> bool:
        """Whether :meth:`close` was called."""
        return bool(self._file.closed)

    def read(self, out: NDArray[np.float32]) -> int:
        """Fill ``out`` ``(channel, n)``; fewer than n only at the end."""
        done = 0
        while done < out.shape[1]:
            wanted = min(CHUNK, out.shape[1] - done)
            part = self._file.read(out=self._interleaved[:wanted])
            out[:, done : done + len(part)] = part.T
            done += len(part)
            if len(part) < wanted:
                break
        return done

    def seek(self, sample: int) -> int:
        """Go to ``sample``, exactly."""
        if self.format != "OGG":
            return int(self._file.seek(sample))
        # libsndfile's seek in Vorbis lands up to a page away (3 of 100 random seeks, even in a file just opened):
        # decode forward, at some hundred times real time.
        if sample < self._file.tell():
            self._file.close()
            self._file = soundfile.SoundFile(self._name)
        while (missing := sample - self._file.tell()) > 0:
            if not len(self._file.read(out=self._interleaved[: min(CHUNK, missing)])):
                break
        return int(self._file.tell())

    def close(self) -> None:
        """Close the file. May be called twice."""
        self._file.close()


class AvSource:
    """Read the best sound track of a file through FFmpeg, as the decoder gives it: rate and channels untouched."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._frames: Iterator[AudioFrame]
        with ffmpegs_errors():
            first = self._rewind()
        stream = self._stream
        # The first frame, not the header, knows what comes out: HE-AAC's header names half its rate.
        self.sample_rate, self.n_channels = first.sample_rate, first.layout.nb_channels
        self._first_s = _time(first)
        self._pending = _planar(first)
        self.n_samples = self._declared_length(path)
        # Without a length of its own, a stream has that of the container: the picture's, perhaps.
        self.promised = None if stream.duration is None else self.n_samples
        self.tolerance = int(_TOLERANCE_S * self.sample_rate)
        self.format, self.subtype = self._container.format.name, stream.codec_context.name
        metadata = {**self._container.metadata, **stream.metadata}
        named = ((_AV_TAGS.get(key.lower(), key.lower()), value) for key, value in metadata.items())
        self.tags = {key: value for key, value in named if key in TAGS and value}

    @property
    def closed(self) -> bool:
        """Whether :meth:`close` was called."""
        return self._closed

    def read(self, out: NDArray[np.float32]) -> int:
        """Fill ``out`` ``(channel, n)``; fewer than n only at the end."""
        done, wanted = 0, out.shape[1]
        while done < wanted:
            if not self._pending.shape[1]:
                with ffmpegs_errors():
                    frame = next(self._frames, None)
                if frame is None:
                    break
                self._pending = self._checked(frame)
            part = self._pending[:, : wanted - done]
            out[:, done : done + part.shape[1]] = part
            self._pending = self._pending[:, part.shape[1] :]
            done += part.shape[1]
        return done

    def seek(self, sample: int) -> int:
        """Go to ``sample`` by time stamp, then decode forward; returns where reading continues."""
        with ffmpegs_errors():
            return self._seek(sample)

    def _seek(self, sample: int) -> int:
        target_s = sample / self.sample_rate - _PREROLL_S
        if target_s <= 0:  # what comes before the first sample is decoded only by a fresh start
            self._container.close()
            self._frames = itertools.chain([self._rewind()], self._frames)
        else:
            self._container.seek(int((target_s + self._first_s) / self._stream.time_base), stream=self._stream)
            self._frames = self._decode()
        self._pending = np.empty((self.n_channels, 0), np.float32)
        for frame in self._frames:
            start = round((_time(frame) - self._first_s) * self.sample_rate)
            if start + frame.samples > sample:
                skip = max(0, sample - start)
                self._pending = self._checked(frame)[:, skip:]
                return start + skip
        return sample if self.n_samples is None else self.n_samples

    def close(self) -> None:
        """Close the file. May be called twice."""
        self._closed = True
        self._container.close()

    def _rewind(self) -> "AudioFrame":
        """Open the file at its beginning; returns the first frame, ``self._frames`` has the others."""
        self._container = open_with_ffmpeg(self._path)
        self._closed = False
        try:
            stream = self._container.streams.best("audio")
            if stream is None:
                raise ValueError("it has no sound track")
            self._stream: Any = stream
            self._frames = self._decode()
            first = next(self._frames, None)
            if first is None:
                raise ValueError("its sound track holds nothing that can be decoded")
        except BaseException:
            self.close()
            raise
        return first

    def _decode(self) -> Iterator["AudioFrame"]:
        """All frames from here on. A packet that cannot be decoded is skipped, as players do."""
        import av

        for packet in self._container.demux(self._stream):
            try:
                yield from packet.decode()
            except av.error.InvalidDataError:
                continue

    def _checked(self, frame: "AudioFrame") -> NDArray[np.float32]:
        if (frame.sample_rate, frame.layout.nb_channels) != (self.sample_rate, self.n_channels):
            raise ValueError(
                f"changes from {self.n_channels} channels at {self.sample_rate} Hz to {frame.layout.nb_channels} "
                f"at {frame.sample_rate} Hz"
            )
        return _planar(frame)

    def _declared_length(self, path: Path) -> int | None:
        if self._stream.codec_context.name.startswith("mp3") and not _has_xing(path):
            return None  # FFmpeg guesses from the first frame's bit rate, and is far off with a variable one
        stream = self._stream
        if stream.duration is not None:
            return round(stream.duration * stream.time_base * self.sample_rate)
        if self._container.duration is not None:
            return round(self._container.duration * self.sample_rate / 1_000_000)
        return None


def open_with_ffmpeg(path: Path) -> "InputContainer":
    """Open ``path`` and nothing else. FFmpeg's errors pass."""
    import av  # a tenth of a second that WAV and FLAC need not wait for

    # "file:" keeps a name with a colon from being a protocol, the list a play list from opening the network.
    return av.open(f"file:{path}", options={"protocol_whitelist": "file"}, metadata_errors="replace")


@contextmanager
def ffmpegs_errors() -> Iterator[None]:
    """Make FFmpeg's errors, which share no base among Python's, ValueErrors."""
    import av

    try:
        yield
    except av.error.FFmpegError as error:
        raise ValueError(error.strerror or str(error)) from error


def _time(frame: "AudioFrame") -> float:
    """When a frame starts, in seconds; 0 for a stream without time stamps."""
    return 0.0 if frame.pts is None or frame.time_base is None else float(frame.pts * frame.time_base)


def _planar(frame: "AudioFrame") -> NDArray[np.float32]:
    """Turn a decoded frame into float32 ``(channel, sample)``, full scale 1."""
    samples: Any = frame.to_ndarray()
    if not frame.format.is_planar:
        samples = samples.reshape(-1, frame.layout.nb_channels).T
    if samples.dtype.kind == "f":
        return np.asarray(samples, np.float32)
    middle = 128.0 if samples.dtype.kind == "u" else 0.0
    return np.asarray((samples - middle) / 2.0 ** (8 * samples.itemsize - 1), np.float32)


def _has_xing(path: Path) -> bool:
    """Whether an MP3 file's first frame declares how many follow."""
    with path.open("rb") as file:
        head = file.read(10)
        if head[:3] == b"ID3":  # its size: four groups of seven bits
            size = sum(byte << 7 * (3 - i) for i, byte in enumerate(head[6:10]))
            file.seek(10 + size)
        else:
            file.seek(0)
        first = file.read(2048)
    return any(mark in first for mark in (b"Xing", b"Info", b"VBRI"))
