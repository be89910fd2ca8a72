"""Reading and writing audio files: every format, every way to fail, nothing left behind."""

import os
import resource
import struct
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from rtkaraoke.errors import AudioFileError
from rtkaraoke.files import OUTPUT_SUFFIXES, AudioReader, AudioWriter, check_target, probe, read_embedded
from rtkaraoke.files import writer as writer_module
from tests.support.songs import PNG, write_mp3

RATE = 44100
TAGS = {"title": "Zoë – 夜", "artist": "Ænima", "album": "Tests", "tracknumber": "7", "genre": "Pop"}


def noise(seconds: float = 1.0, n_channels: int = 2, sample_rate: int = RATE) -> np.ndarray:
    """Band-limited noise that a lossy codec keeps recognisable, ``(channel, sample)``."""
    spectrum = np.random.default_rng(0).standard_normal((n_channels, int(seconds * sample_rate)))
    smooth = np.apply_along_axis(np.convolve, 1, spectrum, np.hanning(32) / 16, "same")
    return np.ascontiguousarray(0.2 * smooth, np.float32)


def read_all(path: Path, block: int = 4096) -> np.ndarray:
    parts = []
    with AudioReader(path) as reader:
        out = np.empty((reader.info.n_channels, block), np.float32)
        while n := reader.read(out):
            parts.append(out[:, :n].copy())
    return np.concatenate(parts, axis=1)


def write_av(path: Path, codec: str, sample_rate: int, container: str | None = None, picture: bool = False) -> Path:
    """A file that libsndfile cannot read, made by FFmpeg; with ``picture`` a video's sound."""
    sound = noise(2.0, 2, sample_rate)
    with av.open(str(path), "w", format=container) as file:
        if picture:
            video = file.add_stream("mpeg4", rate=25)
            video.width, video.height, video.pix_fmt = 64, 64, "yuv420p"
        stream = file.add_stream(codec, rate=sample_rate, layout="stereo")
        file.metadata["title"] = TAGS["title"]
        if picture:
            for _ in range(50):
                file.mux(video.encode(av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), "rgb24")))
            file.mux(video.encode(None))
        frame = av.AudioFrame.from_ndarray(sound, format="fltp", layout="stereo")
        frame.sample_rate, frame.pts = sample_rate, 0
        for part in av.AudioResampler(stream.format, "stereo", sample_rate).resample(frame):
            file.mux(stream.encode(part))
        file.mux(stream.encode(None))
    return path


def delay_and_correlation(decoded: np.ndarray, original: np.ndarray) -> tuple[int, float]:
    """Samples by which ``decoded`` lags, and how alike they are when that is undone."""
    a, b = original[0, 4000:12000].astype(float), decoded[0, 1000:15000].astype(float)
    match = np.correlate(b, a)
    at = int(np.argmax(match))
    part = b[at : at + len(a)]
    return at - 3000, float(np.dot(part, a) / np.sqrt(np.dot(part, part) * np.dot(a, a)))


def wav_bytes(
    sample_rate: int = RATE, n_channels: int = 2, data: bytes = bytes(400), promised: int | None = None
) -> bytes:
    n = len(data) if promised is None else promised
    frame = 2 * n_channels
    header = struct.pack(
        "<4sI4s4sIHHIIHH4sI", b"RIFF", (36 + n) & 0xFFFFFFFF, b"WAVE", b"fmt ", 16, 1, n_channels, sample_rate,
        sample_rate * frame & 0xFFFFFFFF, frame, 16, b"data", n,
    )  # fmt: skip
    return header + data


class TestReading:
    @pytest.mark.parametrize(
        ("suffix", "subtype"),
        [
            (".wav", "PCM_16"), (".wav", "PCM_24"), (".wav", "PCM_32"), (".wav", "FLOAT"), (".wav", "DOUBLE"),
            (".wav", "PCM_U8"), (".flac", "PCM_16"), (".flac", "PCM_24"), (".aiff", "PCM_24"), (".w64", "PCM_16"),
            (".au", "PCM_16"), (".caf", "PCM_16"),
        ],
    )  # fmt: skip
    def test_lossless_files_give_every_sample(self, tmp_path, suffix, subtype):
        path, sound = tmp_path / f"a{suffix}", noise()
        soundfile.write(path, sound.T, RATE, subtype)
        decoded = read_all(path, 1000)
        assert decoded.shape == sound.shape
        assert np.abs(decoded - sound).max() <= (2**-7 if subtype == "PCM_U8" else 2**-15)
        info = probe(path)
        assert (info.sample_rate, info.n_channels, info.n_samples) == (RATE, 2, RATE)
        assert info.duration_s == 1.0

    @pytest.mark.parametrize(
        ("name", "codec", "container", "picture", "sample_rate", "worst_delay"),
        [
            ("a.m4a", "aac", None, False, 44100, 0),
            ("a.aac", "aac", "adts", False, 44100, 1024),  # a bare stream cannot say how long the encoder's delay is
            ("a.mp3", "libmp3lame", None, False, 44100, 0),
            ("a.mka", "flac", None, False, 48000, 0),
            ("a.opus", "libopus", "ogg", False, 48000, 0),
            ("v.mp4", "aac", None, True, 44100, 0),
            ("v.mkv", "aac", None, True, 48000, 1024),  # Matroska keeps no edit list for AAC
            ("v.webm", "libopus", None, False, 48000, 0),
            ("v.avi", "pcm_s16le", None, True, 44100, 0),
            ("v.mov", "pcm_s24le", None, True, 48000, 0),
        ],
    )
    def test_compressed_and_video_files_give_their_sound_in_place(
        self, tmp_path, name, codec, container, picture, sample_rate, worst_delay
    ):
        path = write_av(tmp_path / name, codec, sample_rate, container, picture)
        decoded = read_all(path, 777)
        delay, likeness = delay_and_correlation(decoded, noise(2.0, 2, sample_rate))
        assert 0 <= delay <= worst_delay
        assert likeness > 0.98
        assert 0 <= decoded.shape[1] - 2 * sample_rate <= 2048
        info = probe(path)
        assert (info.sample_rate, info.n_channels) == (sample_rate, 2)
        assert info.n_samples is not None
        assert abs(info.n_samples - decoded.shape[1]) < 0.1 * sample_rate
        if name.endswith((".m4a", ".mp3", ".mp4", ".mkv", ".webm")):
            assert info.tags["title"] == TAGS["title"]

    @pytest.mark.parametrize("suffix", [".ogg", ".mp3"])
    def test_lossy_files_are_aligned_and_of_equal_length(self, tmp_path, suffix):
        path, sound = tmp_path / f"a{suffix}", noise()
        soundfile.write(path, sound.T, RATE)
        decoded = read_all(path)
        assert decoded.shape == sound.shape
        delay, likeness = delay_and_correlation(decoded, sound)
        assert delay == 0
        assert likeness > 0.98

    def test_the_content_decides_not_the_name(self, tmp_path):
        path = tmp_path / "strange: name.mp3"
        soundfile.write(path, noise().T, RATE, "PCM_16", format="FLAC")
        assert probe(path).format == "FLAC"
        other = path.with_suffix(".raw")
        path.rename(other)
        assert read_all(other).shape == (2, RATE)
        write_av(tmp_path / "x.m4a", "aac", RATE).rename(tmp_path / "http:x")
        assert probe(tmp_path / "http:x").subtype == "aac"

    def test_an_mp3_without_a_length_is_read_to_its_end(self, tmp_path):
        path = tmp_path / "a.mp3"
        quiet_then_loud = np.concatenate([0 * noise(2.0), noise(2.0)], axis=1)
        with soundfile.SoundFile(path, "w", RATE, 2, format="MP3", bitrate_mode="VARIABLE", compression_level=0.3) as f:
            f.write(quiet_then_loud.T)
        data = path.read_bytes()
        path.write_bytes(data[data.index(b"\xff\xfb", data.index(b"Xing")) :])
        assert probe(path).n_samples is None
        assert read_all(path).shape[1] == pytest.approx(4 * RATE, abs=3000)

    def test_a_stream_without_a_length_is_read_to_its_end(self, tmp_path):
        wav, flac = tmp_path / "a.wav", tmp_path / "a.flac"
        wav.write_bytes(wav_bytes(data=bytes(range(200)) * 20, promised=0xFFFFFFFF))
        assert read_all(wav).shape[1] == 1000
        soundfile.write(flac, noise().T, RATE)
        data = bytearray(flac.read_bytes())
        data[21] &= 0xF0
        data[22:26] = bytes(4)
        flac.write_bytes(data)
        assert probe(flac).n_samples is None
        assert read_all(flac).shape[1] == RATE

    @pytest.mark.parametrize("n_channels", [1, 3, 6, 8])
    def test_any_number_of_channels(self, tmp_path, n_channels):
        sound = noise(0.2, n_channels)
        soundfile.write(tmp_path / "a.wav", sound.T, RATE, "FLOAT")
        np.testing.assert_array_equal(read_all(tmp_path / "a.wav"), sound)

    def test_what_is_no_error(self, tmp_path):
        for sound, rate in ((np.full((1, 1), 0.5), RATE), (np.zeros((2, 1000)), RATE), (noise(0.1, 1, 8000), 8000)):
            soundfile.write(tmp_path / "a.wav", sound.T, rate, "FLOAT")
            np.testing.assert_array_equal(read_all(tmp_path / "a.wav"), sound)

    @pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg"])
    @pytest.mark.parametrize("target", [0, 1, 5000, 12345, 30000, 44099, 44100, 10**9, -5])
    def test_seek_is_exact_where_it_is_promised(self, tmp_path, suffix, target):
        path = tmp_path / f"a{suffix}"
        soundfile.write(path, noise().T, RATE)
        whole = read_all(path)
        out = np.empty((2, 500), np.float32)
        with AudioReader(path) as reader:
            reader.read(out)
            reader.seek(target)
            n = reader.read(out)
        start = min(max(target, 0), RATE)
        np.testing.assert_array_equal(out[:, :n], whole[:, start : start + 500])

    @pytest.mark.parametrize(("name", "codec", "rate"), [("a.mp3", "libmp3lame", RATE), ("a.m4a", "aac", RATE)])
    def test_seek_in_compressed_files_lands_on_the_sample(self, tmp_path, name, codec, rate):
        path = write_av(tmp_path / name, codec, rate)
        whole = read_all(path)
        out = np.empty((2, 3000), np.float32)
        with AudioReader(path) as reader:
            for target in (50_000, 1_000, 0, 70_001):
                reader.seek(target)
                assert reader.read(out) == 3000
                np.testing.assert_allclose(out, whole[:, target : target + 3000], atol=1e-3)
            reader.seek(10**7)
            assert reader.read(out) < 3000

    def test_tags_are_read(self, tmp_path):
        with soundfile.SoundFile(tmp_path / "a.flac", "w", RATE, 2) as file:
            file.title, file.artist = TAGS["title"], TAGS["artist"]
            file.write(noise(0.1).T)
        assert probe(tmp_path / "a.flac").tags == {"title": TAGS["title"], "artist": TAGS["artist"]}

    def test_a_wrong_shape_is_the_programmers_error(self, tmp_path):
        soundfile.write(tmp_path / "a.wav", noise(0.1).T, RATE)
        with AudioReader(tmp_path / "a.wav") as reader, pytest.raises(ValueError, match="wanted \\(2, n\\)"):
            reader.read(np.empty((1, 10), np.float32))
        with pytest.raises(AudioFileError, match="after close"):
            reader.read(np.empty((2, 10), np.float32))


class TestEmbedded:
    """What a file carries beside its sound."""

    @pytest.mark.parametrize("name", ["lyrics", "LYRICS", "lyrics-eng", "UNSYNCEDLYRICS"])
    def test_lyrics_are_found_under_the_names_that_tags_have(self, tmp_path, name):
        path = tmp_path / "a.flac"
        with av.open(str(path), "w") as file:
            file.metadata.update({"title": "x", name: "[00:01.00]la"})
            stream = file.add_stream("flac", rate=RATE, layout="stereo")
            frame = av.AudioFrame.from_ndarray((noise(0.1) * 32767).astype(np.int16).T.reshape(1, -1), layout="stereo")
            frame.sample_rate = RATE
            for part in (frame, None):
                file.mux(stream.encode(part))
        assert read_embedded(path).lyrics == "[00:01.00]la"

    def test_a_cover_is_given_as_it_is_unless_it_is_too_large(self, tmp_path):
        path = write_mp3(tmp_path / "a.mp3", cover=PNG, title="x")
        assert read_embedded(path).cover == PNG
        assert read_embedded(path, max_cover=len(PNG) - 1).cover is None
        assert probe(path).tags["title"] == "x"

    def test_a_file_with_nothing_beside_its_sound(self, tmp_path):
        soundfile.write(tmp_path / "a.wav", noise().T, RATE)
        found = read_embedded(tmp_path / "a.wav")
        assert (found.cover, found.lyrics) == (None, "")
        assert found.duration_s == pytest.approx(1.0)

    def test_a_film_is_no_cover(self, tmp_path):
        assert read_embedded(write_av(tmp_path / "v.mp4", "aac", RATE, None, True)).cover is None

    def test_an_mp3_that_does_not_say_how_long_it_is_gets_an_estimate(self, tmp_path):
        path = tmp_path / "a.mp3"
        soundfile.write(path, noise(3.0).T, RATE)
        data = path.read_bytes()
        mark = next(data.index(mark) for mark in (b"Xing", b"Info") if mark in data)
        path.write_bytes(data[data.index(b"\xff\xfb", mark) :])
        assert probe(path).n_samples is None
        assert read_embedded(path).duration_s == pytest.approx(3.0, abs=0.5)

    def test_what_is_no_sound_is_refused(self, tmp_path):
        (tmp_path / "a.mp3").write_bytes(b"no sound")
        for path in (tmp_path / "a.mp3", tmp_path / "none.mp3", tmp_path):
            with pytest.raises(AudioFileError):
                read_embedded(path)


def bad_missing(folder: Path) -> Path:
    return folder / "nowhere.wav"


def bad_folder(folder: Path) -> Path:
    return folder


def bad_pipe(folder: Path) -> Path:
    os.mkfifo(folder / "pipe.wav")
    return folder / "pipe.wav"


def bad_name(folder: Path) -> Path:
    return folder / ("x" * 300 + ".wav")


def bad_bytes(data: bytes, suffix: str = ".wav") -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        (folder / f"bad{suffix}").write_bytes(data)
        return folder / f"bad{suffix}"

    return make


def bad_half(suffix: str, share: float = 0.5) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        path = folder / f"half{suffix}"
        if suffix == ".m4a":
            write_av(path, "aac", RATE)
        else:
            soundfile.write(path, noise(3.0).T, RATE)
        data = path.read_bytes()
        path.write_bytes(data[: int(len(data) * share)])
        return path

    return make


def bad_sample(value: float, subtype: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        sound = noise().astype(np.float64)
        sound[1, 22050] = value
        soundfile.write(folder / "bad.wav", sound.T, RATE, subtype)
        return folder / "bad.wav"

    return make


def bad_picture(folder: Path) -> Path:
    with av.open(str(folder / "silent.mp4"), "w") as file:
        video = file.add_stream("mpeg4", rate=25)
        video.width, video.height, video.pix_fmt = 64, 64, "yuv420p"
        file.mux(video.encode(av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), "rgb24")))
        file.mux(video.encode(None))
    return folder / "silent.mp4"


RANDOM = np.random.default_rng(1).bytes(50_000)

BAD_FILES = {
    "missing": (bad_missing, "no such file"),
    "folder": (bad_folder, "is a folder"),
    "pipe": (bad_pipe, "no regular file"),
    "name too long": (bad_name, "cannot be read|no such file"),
    "empty": (bad_bytes(b""), "is empty"),
    "header only": (bad_bytes(wav_bytes()[:30]), "holds no sound"),
    "no samples": (bad_bytes(wav_bytes(data=b"")), "holds no samples"),
    "text": (bad_bytes(b"not a song\n" * 500), "holds no sound"),
    "web page as mp3": (bad_bytes(b"<html><body>Not found</body></html>", ".mp3"), "holds no sound"),
    "random as mp3": (bad_bytes(RANDOM, ".mp3"), "holds no sound"),
    "random": (bad_bytes(RANDOM, ".wav"), "holds no sound"),
    "play list": (bad_bytes(b"#EXTM3U\n#EXTINF:10,\nhttp://localhost:1/x.ts\n", ".m3u8"), "holds no sound"),
    "video without sound": (bad_picture, "no sound track"),
    "truncated wav": (bad_half(".wav"), "truncated: its header promises 3.00 s, 1.50 s"),
    "truncated flac": (bad_half(".flac"), "damaged after"),
    "truncated mp3": (bad_half(".mp3"), "truncated"),
    "truncated mp3, start only": (bad_bytes(b"ID3\x03\0\0\0\0\0\x0a" + bytes(10), ".mp3"), "holds no sound"),
    "truncated ogg": (bad_half(".ogg", 0.001), "holds no sound"),
    "truncated m4a": (bad_half(".m4a"), "holds no sound"),
    "nan": (bad_sample(np.nan, "FLOAT"), r"sample 22050 \(0.500 s\) of channel 2 is nan"),
    "infinite": (bad_sample(-np.inf, "FLOAT"), r"sample 22050 \(0.500 s\) of channel 2 is -inf"),
    "beyond float32": (bad_sample(1e300, "DOUBLE"), "is inf"),
    "0 Hz": (bad_bytes(wav_bytes(0)), "sample rate of 0 Hz"),
    "1 GHz": (bad_bytes(wav_bytes(10**9)), "1000000000 Hz, wanted 2000 to 384000 Hz"),
    "0 channels": (bad_bytes(wav_bytes(n_channels=0)), "Channel count is zero"),
    "300 channels": (bad_bytes(wav_bytes(n_channels=300, data=bytes(60_000))), "300 channels, wanted 1 to 64"),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_a_bad_file_is_refused_with_its_name_the_rule_and_the_way_out(tmp_path, case, capfd):
    make, message = BAD_FILES[case]
    path = make(tmp_path)
    with pytest.raises(AudioFileError, match=message) as caught:
        read_all(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert ": " in str(caught.value).removeprefix(f"{path}: ")
    assert capfd.readouterr() == ("", "")  # no decoder's own alarm


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg", "a.mp3", "a.m4a", "a.mkv"])
def test_a_damaged_file_is_read_or_refused_but_nothing_else(tmp_path, name):
    path = tmp_path / name
    if name in ("a.m4a", "a.mkv"):
        write_av(path, "aac", RATE, picture=name == "a.mkv")
    else:
        soundfile.write(path, noise(0.5).T, RATE)
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(25):
        data = bytearray(whole[: rng.integers(1, len(whole))] if rng.random() < 0.3 else whole)
        for at in rng.integers(0, len(data) if rng.random() < 0.5 else min(len(data), 1000), 10):
            data[at] = rng.integers(256)
        path.write_bytes(data)
        with suppress(AudioFileError), AudioReader(path) as reader:
            out = np.empty((reader.info.n_channels, 4096), np.float32)
            for _ in range(50):
                reader.read(out)
            reader.seek(10_000)
            reader.read(out)


def test_a_file_without_permission_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "a.wav"
    soundfile.write(path, noise(0.1).T, RATE)

    def denied(*args, **kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", denied)  # root may read everything
    with pytest.raises(AudioFileError, match="Permission denied"):
        probe(path)


class TestWriting:
    @pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24"])
    @pytest.mark.parametrize("suffix", [".wav", ".flac"])
    def test_integer_samples_survive_reading_and_writing_bit_for_bit(self, tmp_path, suffix, subtype):
        bits = int(subtype[4:])
        values = np.random.default_rng(0).integers(-(2 ** (bits - 1)), 2 ** (bits - 1), (20_000, 2)) << (32 - bits)
        soundfile.write(tmp_path / f"a{suffix}", values.astype(np.int32), RATE, subtype)
        with AudioWriter(tmp_path / f"b{suffix}", RATE, 2, subtype) as writer:
            writer.write(read_all(tmp_path / f"a{suffix}"))
        np.testing.assert_array_equal(soundfile.read(tmp_path / f"b{suffix}", dtype="int32")[0], values)

    def test_float_samples_survive(self, tmp_path):
        sound = 5 * noise()
        with AudioWriter(tmp_path / "a.wav", RATE, 2, "FLOAT") as writer:
            for start in range(0, RATE, 1000):
                writer.write(sound[:, start : start + 1000])
        np.testing.assert_array_equal(read_all(tmp_path / "a.wav"), sound)

    @pytest.mark.parametrize("suffix", OUTPUT_SUFFIXES)
    def test_every_format_keeps_length_place_and_tags(self, tmp_path, suffix):
        sound = noise(1.0)
        with AudioWriter(tmp_path / f"a{suffix}", RATE, 2, tags=TAGS) as writer:
            writer.write(sound)
        decoded = read_all(tmp_path / f"a{suffix}")
        assert decoded.shape == sound.shape
        delay, likeness = delay_and_correlation(decoded, sound)
        assert delay == 0
        assert likeness > 0.98
        assert probe(tmp_path / f"a{suffix}").tags == TAGS
        assert [path.name for path in tmp_path.iterdir()] == [f"a{suffix}"]

    @pytest.mark.parametrize("suffix", OUTPUT_SUFFIXES)
    def test_strange_tags_are_no_reason_to_fail(self, tmp_path, suffix):
        tags = {"title": "\udcff\0" + "x" * 5000, "artist": "", "license": "CC0", "unheard of": "x"}
        with AudioWriter(tmp_path / f"a{suffix}", RATE, 2, tags=tags) as writer:
            writer.write(noise(0.1))
        assert probe(tmp_path / f"a{suffix}").n_samples == 4410

    @pytest.mark.parametrize("suffix", OUTPUT_SUFFIXES)
    @pytest.mark.parametrize("limit", [0, 20, 100])
    def test_a_disk_that_is_full_from_the_start_is_told(self, tmp_path, suffix, limit):
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limits[1]))
        try:
            with (
                pytest.raises(AudioFileError, match="cannot be written"),
                AudioWriter(tmp_path / f"a{suffix}", RATE, 2, tags=TAGS) as writer,
            ):
                writer.write(noise(0.1))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert list(tmp_path.iterdir()) == []

    def test_full_scale_is_clipped_not_wrapped(self, tmp_path):
        with AudioWriter(tmp_path / "a.wav", RATE, 1) as writer:
            writer.write(np.array([[2.0, -2.0, 1.0, -1.0]], np.float32))
        np.testing.assert_allclose(read_all(tmp_path / "a.wav"), [[1, -1, 1, -1]], atol=2**-15)

    def test_the_mode_is_that_of_any_new_file(self, tmp_path):
        (tmp_path / "other").touch()
        with AudioWriter(tmp_path / "a.wav", RATE, 1) as writer:
            writer.write(noise(0.1, 1))
        assert (tmp_path / "a.wav").stat().st_mode == (tmp_path / "other").stat().st_mode

    def test_an_existing_file_is_replaced_only_when_allowed_and_only_at_the_end(self, tmp_path):
        path = tmp_path / "a.wav"
        path.write_bytes(b"precious")
        with pytest.raises(AudioFileError, match="exists already"):
            AudioWriter(path, RATE, 1)
        with AudioWriter(path, RATE, 1, overwrite=True) as writer:
            writer.write(noise(0.1, 1))
            assert path.read_bytes() == b"precious"
        assert probe(path).n_channels == 1

    def test_a_file_that_came_into_being_meanwhile_is_kept(self, tmp_path):
        path = tmp_path / "a.wav"
        writer = AudioWriter(path, RATE, 1)
        path.write_bytes(b"precious")
        with pytest.raises(AudioFileError, match="exists already"):
            writer.close()
        assert path.read_bytes() == b"precious"
        assert list(tmp_path.iterdir()) == [path]

    def test_a_symbolic_link_stays_one(self, tmp_path):
        (tmp_path / "there").mkdir()
        link, real = tmp_path / "a.wav", tmp_path / "there" / "real.wav"
        link.symlink_to(real)
        with AudioWriter(link, RATE, 1) as writer:
            writer.write(noise(0.1, 1))
        assert link.is_symlink()
        assert probe(real).n_channels == 1

    @pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
    @pytest.mark.parametrize("suffix", OUTPUT_SUFFIXES)
    def test_an_interrupted_write_leaves_nothing(self, tmp_path, suffix, error):
        def interrupted():
            with AudioWriter(tmp_path / f"a{suffix}", RATE, 2) as writer:
                writer.write(noise(0.5))
                raise error

        with pytest.raises(error):
            interrupted()
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("suffix", OUTPUT_SUFFIXES)
    def test_a_full_disk_is_told_and_leaves_nothing(self, tmp_path, suffix, monkeypatch):
        class FullDisk(writer_module.Sink):
            def write(self, data):
                if self._file.tell() + len(data) > 8000:
                    self.error = OSError(28, "No space left on device")
                    return len(data)
                return super().write(data)

        monkeypatch.setattr(writer_module, "Sink", FullDisk)

        def fill():
            with AudioWriter(tmp_path / f"a{suffix}", RATE, 2) as writer:
                writer.write(noise(2.0))

        with pytest.raises(AudioFileError, match="disk is full"):
            fill()
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("missing", [1, 300, 5000])
    @pytest.mark.parametrize("suffix", OUTPUT_SUFFIXES)
    def test_not_even_the_last_bytes_are_lost_silently(self, tmp_path, suffix, missing):
        def write(path):
            with AudioWriter(path, RATE, 2) as writer:
                writer.write(noise(1.0))

        write(tmp_path / f"whole{suffix}")
        size = (tmp_path / f"whole{suffix}").stat().st_size
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size - missing, limits[1]))
        try:
            with pytest.raises(AudioFileError, match="cannot be written"):
                write(tmp_path / f"cut{suffix}")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert [path.name for path in tmp_path.iterdir()] == [f"whole{suffix}"]

    def test_close_and_abort_may_come_twice(self, tmp_path):
        writer = AudioWriter(tmp_path / "a.wav", RATE, 1)
        writer.write(noise(0.1, 1))
        writer.close()
        writer.close()
        writer.abort()
        assert probe(tmp_path / "a.wav").n_samples == 4410
        with pytest.raises(AudioFileError, match="after its end"):
            writer.write(noise(0.1, 1))

    def test_a_wav_beyond_4_gib_is_refused(self, tmp_path, monkeypatch):
        monkeypatch.setattr(writer_module, "_MAX_WAV_BYTES", 10_000)
        writer = AudioWriter(tmp_path / "a.wav", RATE, 2)
        with pytest.raises(AudioFileError, match=r"write a \.flac"):
            writer.write(noise(1.0))
        with pytest.raises(AudioFileError, match=r"write a \.flac"):  # told at once where the length is known
            AudioWriter(tmp_path / "a.wav", RATE, 2, n_samples=2501)
        assert list(tmp_path.iterdir()) == []


BAD_TARGETS = {
    "unknown format": ("a.xyz", RATE, 2, None, r"format \.xyz cannot .* one of \.wav, \.flac, \.ogg, \.mp3"),
    "no suffix": ("a", RATE, 2, None, "a name without a suffix"),
    "video": ("a.mp4", RATE, 2, None, r"choose one of \.wav"),
    "missing folder": ("nowhere/a.wav", RATE, 2, None, "does not exist: create it"),
    "folder": ("folder.wav", RATE, 2, None, "is a folder"),
    "device": ("null.wav", RATE, 2, None, "no regular file"),
    "existing": ("there.wav", RATE, 2, None, "exists already"),
    "unknown subtype": ("a.wav", RATE, 2, "PCM_12", "cannot hold PCM_12: choose PCM_16 or PCM_24 or FLOAT"),
    "float flac": ("a.flac", RATE, 2, "FLOAT", "choose PCM_16 or PCM_24"),
    "six channels of mp3": ("a.mp3", RATE, 6, None, r"6 channels at 44100 Hz .*write a \.wav"),
    "mp3 at 96 kHz": ("a.mp3", 96000, 2, None, r"at 96000 Hz .*write a \.wav"),
    "ten channels of flac": ("a.flac", RATE, 10, None, r"10 channels .*write a \.wav"),
    "name too long": ("x" * 300 + ".wav", RATE, 2, None, "cannot be written"),
    "null in the name": ("a\0.wav", RATE, 2, None, "cannot be written"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_TARGETS)
def test_a_bad_target_is_refused_before_anything_is_written(tmp_path, case):
    name, rate, n_channels, subtype, message = BAD_TARGETS[case]
    (tmp_path / "folder.wav").mkdir()
    (tmp_path / "null.wav").symlink_to("/dev/null")
    (tmp_path / "there.wav").write_bytes(b"precious")
    before = sorted(tmp_path.iterdir())
    with pytest.raises(AudioFileError, match=message) as caught:
        AudioWriter(tmp_path / name, rate, n_channels, subtype, overwrite=case in ("folder", "device"))
    assert str(caught.value).startswith(f"{tmp_path / name}: ")
    assert sorted(tmp_path.iterdir()) == before
    assert (tmp_path / "there.wav").read_bytes() == b"precious"


@pytest.mark.parametrize("alias", ["same", "symbolic link", "hard link", "dotted"])
def test_the_input_is_never_the_output(tmp_path, alias):
    song = tmp_path / "song.wav"
    soundfile.write(song, noise(0.1).T, RATE)
    other = {"same": song, "dotted": tmp_path / ".." / tmp_path.name / "song.wav"}.get(alias, tmp_path / "other.wav")
    if alias == "symbolic link":
        other.symlink_to(song)
    elif alias == "hard link":
        other.hardlink_to(song)
    with pytest.raises(AudioFileError, match="is the input itself"):
        check_target(other, overwrite=True, source=song)


def test_a_folder_without_permission_is_told(tmp_path, monkeypatch):
    def denied(*args, **kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", denied)
    with pytest.raises(AudioFileError, match="Permission denied"):
        AudioWriter(tmp_path / "a.wav", RATE, 1)


def test_wav_and_flac_are_read_without_loading_ffmpeg(tmp_path):
    soundfile.write(tmp_path / "a.wav", noise(0.1).T, RATE)
    path = str(tmp_path / "a.wav")
    code = f"import sys; from rtkaraoke.files import probe; probe({path!r}); sys.exit('av' in sys.modules)"
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, cwd=Path(__file__).parents[1])
