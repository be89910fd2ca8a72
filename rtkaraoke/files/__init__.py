"""Audio files in and out: streaming, in constant memory, float32 ``(channel, sample)``.

Reading: WAV, FLAC, Ogg (Vorbis, Opus), AIFF and relatives through libsndfile; MP3, AAC, the sound of video
files and everything else that FFmpeg knows through PyAV. Writing: WAV, FLAC, Ogg Vorbis and MP3 through
libsndfile, atomically. Every failure is an :class:`~rtkaraoke.errors.AudioFileError`.
"""

from rtkaraoke.files.embedded import Embedded, read_embedded
from rtkaraoke.files.reader import INPUT_SUFFIXES, AudioInfo, AudioReader, probe
from rtkaraoke.files.writer import OUTPUT_SUFFIXES, AudioWriter, check_target

__all__ = [
    "INPUT_SUFFIXES",
    "OUTPUT_SUFFIXES",
    "AudioInfo",
    "AudioReader",
    "AudioWriter",
    "Embedded",
    "check_target",
    "probe",
    "read_embedded",
]
