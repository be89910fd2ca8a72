"""What a sound file carries beside its sound: a cover, lyrics, and its length as FFmpeg estimates it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rtkaraoke.errors import AudioFileError
from rtkaraoke.files.sources import ffmpegs_errors, open_with_ffmpeg

# ID3's USLT comes as lyrics-LANGUAGE, MP4's and Vorbis' under these names. Those with times are worth more.
_LYRICS = ("syncedlyrics", "lyrics", "unsyncedlyrics", "unsynced lyrics")


@dataclass(frozen=True, slots=True)
class Embedded:
    """What was found: nothing is None or empty.

    ``cover`` are the bytes of a picture, as they are in the file; ``lyrics`` the text of the tag; ``duration_s`` is
    an estimate for a format that does not say how long it is, such as MP3 without a Xing header.
    """

    cover: bytes | None = None
    lyrics: str = ""
    duration_s: float | None = None


def read_embedded(path: str | Path, max_cover: int = 8 << 20) -> Embedded:
    """Read what the file at ``path`` carries beside its sound, without decoding any of it.

    Parameters
    ----------
    path : str or Path
        A sound or video file.
    max_cover : int
        Bytes beyond which a picture is left out.

    Raises
    ------
    AudioFileError
        When the file cannot be opened.
    """
    try:
        with ffmpegs_errors(), open_with_ffmpeg(Path(path)) as container:
            metadata = dict(container.metadata)
            for stream in container.streams.audio:  # where Ogg keeps its tags
                metadata |= stream.metadata
            duration = container.duration
            return Embedded(
                _cover(container, max_cover),
                _lyrics(metadata),
                None if duration is None or duration <= 0 else duration / 1_000_000,
            )
    except (OSError, ValueError, EOFError) as error:
        raise AudioFileError(f"{path}: cannot be read ({error}): check that it is a whole audio file") from error


def _lyrics(metadata: dict[str, str]) -> str:
    found = {key.lower(): text for key, text in metadata.items() if text.strip()}
    for name in _LYRICS:
        if name in found:
            return found[name]
    return next((text for key, text in found.items() if key.startswith("lyrics-")), "")


def _cover(container: Any, max_bytes: int) -> bytes | None:
    from av.stream import Disposition

    for stream in container.streams.video:
        if stream.disposition & Disposition.attached_pic:
            packet = next(container.demux(stream), None)
            if packet is not None and 0 < packet.size <= max_bytes:
                return bytes(packet)
    return None
