"""Small folders of songs: short noise with tags, covers, lyrics."""

from pathlib import Path

import av
import numpy as np
import soundfile

RATE = 44_100
N_SAMPLES = 4_410
JPEG = b"\xff\xd8\xff\xe0" + bytes(100)
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de"
    "0000000c4944415408d763f8cfc000000301010018dd8db00000000049454e44ae426082"
)
ULTRASTAR = "#TITLE:{title}\n#ARTIST:{artist}\n#MP3:{sound}\n#BPM:300\n#GAP:0\n: 0 4 0 la\n: 4 4 0 la\nE\n"


def noise() -> np.ndarray:
    return 0.1 * np.random.default_rng(1).standard_normal((N_SAMPLES, 1)).astype(np.float32)


def write_song(path: Path, **tags: str) -> Path:
    """A tenth of a second in the format of the name, with tags that libsndfile knows."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file, soundfile.SoundFile(file, "w", RATE, 1, format=path.suffix[1:].upper()) as sound:
        for name, value in tags.items():
            setattr(sound, name, value)
        sound.write(noise())
    return path


def write_ultrastar(folder: Path, title: str, artist: str = "Singer", sound: str = "audio.ogg") -> Path:
    """A folder with song.txt, sound and cover; returns the song.txt."""
    write_song(folder / "audio.ogg")
    (folder / "cover.jpg").write_bytes(JPEG)
    text = folder / "song.txt"
    text.write_text(ULTRASTAR.format(title=title, artist=artist, sound=sound), encoding="utf-8")
    return text


def write_mp3(path: Path, cover: bytes = b"", **tags: str) -> Path:
    """An MP3 with any tags and an embedded picture."""
    with av.open(str(path), "w", format="mp3") as file:
        file.metadata.update(tags)
        stream = file.add_stream("libmp3lame", rate=RATE, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(noise().T), format="fltp", layout="mono")
        frame.sample_rate, frame.pts = RATE, 0
        for part in av.AudioResampler(stream.format, "mono", RATE).resample(frame):
            file.mux(stream.encode(part))
        file.mux(stream.encode(None))
    if cover:
        data = path.read_bytes()
        size = 10 + sum(byte << 7 * (3 - at) for at, byte in enumerate(data[6:10]))
        picture = b"\0image/png\0\3\0" + cover
        frame_header = b"APIC" + _synchsafe(len(picture)) + b"\0\0"
        tag = data[10:size] + frame_header + picture
        path.write_bytes(b"ID3\x04\0\0" + _synchsafe(len(tag)) + tag + data[size:])
    return path


def _synchsafe(n: int) -> bytes:
    return bytes(n >> 7 * (3 - at) & 0x7F for at in range(4))
