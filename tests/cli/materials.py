"""Files to be refused: damaged sound, networks that break the contract, presets with mistakes."""

import struct
from pathlib import Path

import numpy as np
import onnx
import soundfile

from tests.support import networks

RATE = 44_100


def make(folder: Path) -> None:
    """Fill ``folder`` with everything that the table of bad inputs names."""
    _sounds(folder)
    _networks(folder)
    _presets(folder)


def _sounds(folder: Path) -> None:
    sound = 0.1 * np.random.default_rng(0).standard_normal((4_000, 2)).astype(np.float32)

    def write(name: str, samples: np.ndarray, rate: int = RATE, subtype: str = "FLOAT") -> Path:
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        soundfile.write(path, samples, rate, subtype=subtype)
        return path

    song = write("song.wav", sound)
    write("there.wav", sound)
    write("album/one.wav", sound)
    (folder / "album" / "two.wav").write_bytes(b"RIFF nonsense")
    (folder / "nothing").mkdir()
    (folder / "taken").write_text("a file")
    (folder / "again.wav").symlink_to("song.wav")
    (folder / "empty.wav").write_bytes(b"")
    (folder / "text.mp3").write_text("These are words, not music. " * 100)
    (folder / "picture.wav").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(2_000))
    (folder / "truncated.wav").write_bytes(song.read_bytes()[: song.stat().st_size // 2])
    flac = folder / "whole.flac"
    soundfile.write(flac, sound, RATE)
    (folder / "truncated.flac").write_bytes(flac.read_bytes()[: flac.stat().st_size // 2])
    write("no_samples.wav", sound[:0])
    for name, value in (("nan.wav", np.nan), ("inf.wav", np.inf)):
        bad = sound.copy()
        bad[1_234, 1] = value
        write(name, bad)
    write("wide.wav", np.zeros((10, 300), np.float32))
    for name, rate in (("zero_hz.wav", 0), ("giga_hz.wav", 1_000_000_000)):
        content = bytearray(write(name, sound, subtype="PCM_16").read_bytes())
        content[24:28] = struct.pack("<I", rate)
        (folder / name).write_bytes(content)


def _networks(folder: Path) -> None:
    good = networks.constant_mask(folder / "good.onnx")
    (folder / "corrupt.onnx").write_bytes(good.read_bytes()[:200])
    (folder / "noise.onnx").write_bytes(b"\x08" + np.random.default_rng(0).bytes(3_000))
    (folder / "words.onnx").write_text("not a network")
    (folder / "empty.onnx").write_bytes(b"")
    wrong = {
        "no_hop": ("rtkaraoke.hop", None),
        "wrong_hop": ("rtkaraoke.hop", "many"),
        "wrong_rate": ("rtkaraoke.sample_rate", "0"),
        "wrong_version": ("rtkaraoke.contract", "99"),
        "wrong_channels": ("rtkaraoke.n_channels", "7"),
        "wrong_scores": ("rtkaraoke.scores", "good"),
        "wrong_bins": ("rtkaraoke.n_fft", "1024"),
    }
    for name, (key, value) in wrong.items():
        model = onnx.load(good)
        metadata = {entry.key: entry.value for entry in model.metadata_props}
        metadata.pop(key)
        if value is not None:
            metadata[key] = value
        del model.metadata_props[:]
        onnx.helper.set_model_props(model, metadata)
        onnx.save(model, folder / f"{name}.onnx")
    foreign = onnx.load(good)
    del foreign.metadata_props[:]
    onnx.save(foreign, folder / "foreign.onnx")
    networks.constant_mask(folder / "too_much.onnx", 1.5)
    renamed = onnx.load(good)
    renamed.graph.output[0].name = renamed.graph.node[-1].output[0] = "answer"
    onnx.save(renamed, folder / "no_mask.onnx")


def _presets(folder: Path) -> None:
    presets = {
        "syntax": "[live]\nblock = = 3\n",
        "unknown_key": "[live]\n\nblok = 64\n",
        "wrong_type": "[live]\nblock = 'big'\n",
        "out_of_range": "[live]\nprefill = -1\n",
        "plugin": "[engine]\nmusic = ['vocal_remover', 'autotune']\n",
        "parameter": "[plugins.vocal_remover]\nvolume = 3\n",
        "value": "\n[plugins.vocal_remover]\nstrength = 99\n",
        "choice": "[plugins.vocal_remover]\nfallback = 'prayer'\n",
        "twice": "[engine]\nmusic = ['vocal_remover', 'vocal_remover']\n",
    }
    for name, text in presets.items():
        (folder / f"{name}.toml").write_text(text)
    (folder / "binary.toml").write_bytes(b"\xff\xfe\x00")
