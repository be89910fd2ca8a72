"""Miniatures of the data sets that are evaluated on: real folders, names, formats and metadata, a second of noise.

Each ``make_*`` writes one under a folder and returns what its songs hold: name -> (voice, music), float32
``(channel, sample)``, or None where a song has no voice.
"""

from pathlib import Path

import av
import numpy as np
import soundfile
import yaml

from rtkaraoke.evaluate.readers import Audio

Truth = dict[str, tuple[Audio | None, Audio]]
RATE = 44_100
N_SAMPLES = 12_000
STEMS = ("drums", "bass", "other", "vocals")


def noise(seed: int, n_channels: int = 2, n_samples: int = N_SAMPLES) -> Audio:
    """Smooth noise at -20 dB, so that lossy formats keep it, in steps of 16-bit PCM, so that the others do exactly."""
    white = np.random.default_rng(seed).standard_normal((n_channels, n_samples + 31))
    smooth = np.apply_along_axis(np.convolve, 1, white, np.hanning(32) / 4, "valid")
    return (np.round(0.1 * smooth * 32_768) / 32_768).astype(np.float32)


def write(path: Path, audio: Audio, rate: int = RATE) -> None:
    """A 16-bit file, its folder made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, audio.T, rate, "PCM_16")


def make_folder(root: Path) -> Truth:
    """One song as a pair, one in stems of which one is mono, one instrumental, and what is no song."""
    a, b, c, d, e = (noise(seed, 1 if seed == 3 else 2) for seed in range(5))
    write(root / "Pair" / "vocals.wav", a)
    write(root / "Pair" / "Accompaniment.flac", b[:, :-100])
    write(root / "test" / "Stems" / "vocals.wav", a)
    write(root / "test" / "Stems" / "guitar.wav", c)
    write(root / "test" / "Stems" / "kick.wav", d)
    write(root / "test" / "Stems" / "mixture.wav", e)
    write(root / "Band" / "accompaniment.wav", e)
    write(root / "Scratch" / "loop.wav", e)
    write(root / "Alone" / "vocals.wav", a)
    return {"Band": (None, e), "Pair": (a[:, :-100], b[:, :-100]), "Stems": (a, c + d)}


def make_musdb18(root: Path) -> Truth:
    """Files of stems as Native Instruments defined them: five AAC tracks in one MP4."""
    truth: Truth = {}
    for number, (folder, name) in enumerate(MUSDB_SONGS.items()):
        stems = [noise(10 * number + i) for i in range(len(STEMS))]
        path = root / folder / f"{name}.stem.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_tracks(path, [np.sum(stems, axis=0), *stems])
        truth[name] = stems[3], stems[0] + stems[1] + stems[2]
    test_song = root / "test" / f"{MUSDB_SONGS['test']}.stem.mp4"
    (root / "train" / "ANiMAL - Rockshow.stem.mp4").write_bytes(test_song.read_bytes())
    truth["ANiMAL - Rockshow"] = truth[MUSDB_SONGS["test"]]
    return truth


MUSDB_SONGS = {"train": "A Classic Education - NightOwl", "test": "Speak Softly - Broken Man"}


def write_tracks(path: Path, tracks: list[Audio]) -> None:
    """An MP4 file with one AAC sound track for each of ``tracks``."""
    with av.open(str(path), "w", format="mp4") as container:
        streams = []
        for _ in tracks:
            stream = container.add_stream("aac", rate=RATE)
            stream.layout = "stereo"
            stream.bit_rate = 256_000
            streams.append(stream)
        for stream, track in zip(streams, tracks, strict=True):
            for start in range(0, track.shape[1], 1024):
                frame = av.AudioFrame.from_ndarray(
                    np.ascontiguousarray(track[:, start : start + 1024]), "fltp", "stereo"
                )
                frame.sample_rate, frame.pts = RATE, start
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))


def make_musdb18_hq(root: Path) -> Truth:
    """A song in each folder, and one of the validation list."""
    truth: Truth = {}
    for number, (folder, name) in enumerate([*MUSDB_SONGS.items(), ("train", "ANiMAL - Rockshow")]):
        stems = [noise(10 * number + i) for i in range(len(STEMS))]
        for stem, audio in zip(STEMS, stems, strict=True):
            write(root / folder / name / f"{stem}.wav", audio)
        write(root / folder / name / "mixture.wav", np.sum(stems, axis=0))
        truth[name] = stems[3], stems[0] + stems[1] + stems[2]
    return truth


def make_dsd100(root: Path) -> Truth:
    """Mixtures and sources in two trees."""
    truth: Truth = {}
    songs = {"Dev": "055 - Angels In Amplifiers - I'm Alright", "Test": "005 - Angela Thomas Wade - Milk Cow Blues"}
    for number, (folder, name) in enumerate(songs.items()):
        stems = [noise(10 * number + i) for i in range(len(STEMS))]
        for stem, audio in zip(STEMS, stems, strict=True):
            write(root / "Sources" / folder / name / f"{stem}.wav", audio)
        write(root / "Mixtures" / folder / name / "mixture.wav", np.sum(stems, axis=0))
        truth[name] = stems[3], stems[0] + stems[1] + stems[2]
    (root / "dsd100.txt").write_text("list of tracks\n")
    return truth


def make_medleydb(root: Path, *, version: int = 1) -> Truth:
    """A song with two singers, an instrumental, and one whose stems bleed."""
    songs = {
        "ClaraBerryAndWooldog_AirTraffic": (["drum set", "electric bass", "female singer", "female singer"], "no"),
        "ChrisJacoby_PigsFoot": (["mandolin", "acoustic guitar"], "no"),
        "AClassicEducation_NightOwl": (["male singer", "drum set"], "yes"),
    }
    truth: Truth = {}
    for number, (name, (instruments, bleed)) in enumerate(songs.items()):
        folder = root / "Audio" / name
        stems = [noise(10 * number + i) for i in range(len(instruments))]
        described = {}
        for i, (instrument, audio) in enumerate(zip(instruments, stems, strict=True), start=1):
            filename = f"{name}_STEM_{i:02}.wav"
            write(folder / f"{name}_STEMS" / filename, audio)
            raw = {"R01": {"filename": f"{name}_RAW_{i:02}_01.wav", "instrument": instrument}}
            described[f"S{i:02}"] = {"component": "", "filename": filename, "instrument": instrument, "raw": raw}
        write(folder / f"{name}_MIX.wav", np.sum(stems, axis=0))
        metadata = {
            "album": "",
            "artist": name.split("_")[0],
            "excerpt": "no",
            "genre": "Singer/Songwriter",
            "has_bleed": bleed,
            "instrumental": "no" if any("singer" in i for i in instruments) else "yes",
            "mix_filename": f"{name}_MIX.wav",
            "origin": "Independent Artist",
            "raw_dir": f"{name}_RAW",
            "stem_dir": f"{name}_STEMS",
            "stems": described,
            "title": name.split("_")[1],
        }
        file = (folder if version == 1 else root / "Metadata") / f"{name}_METADATA.yaml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(yaml.safe_dump(metadata))
        voice = [audio for audio, i in zip(stems, instruments, strict=True) if "singer" in i]
        music = [audio for audio, i in zip(stems, instruments, strict=True) if "singer" not in i]
        if bleed == "no":
            truth[name] = np.sum(voice, axis=0) if voice else None, np.sum(music, axis=0)
    if version == 2:  # the repository of metadata knows songs that are not here
        (root / "Metadata" / "Zz_Absent_METADATA.yaml").write_text(yaml.safe_dump({"has_bleed": "no"}))
    return truth


def make_ikala(root: Path) -> Truth:
    """Two clips with the labels beside them."""
    return _make_clips(root, ["10161_chorus", "10161_verse"], RATE, ("PitchLabel/{}.pv", "Lyrics/{}.lab"))


def make_mir1k(root: Path) -> Truth:
    """A clip of a training singer and two of others, 16 kHz, with labels and the undivided songs."""
    labels = ("PitchLabel/{}.pv", "Lyrics/{}.txt", "vocal-nonvocalLabel/{}.vocal", "UnvoicedFrameLabel/{}.unv")
    write(root / "UndividedWavfile" / "abjones_1.wav", noise(99), 16_000)
    return _make_clips(root, ["abjones_1_01", "Ani_1_01", "titon_2_03"], 16_000, labels)


def _make_clips(root: Path, names: list[str], rate: int, labels: tuple[str, ...]) -> Truth:
    truth: Truth = {}
    for number, name in enumerate(names):
        clip = noise(number)
        write(root / "Wavfile" / f"{name}.wav", clip, rate)
        truth[name] = clip[1:], clip[:1]
        for label in labels:
            path = root / label.format(name)
            path.parent.mkdir(exist_ok=True)
            path.write_text("0\n")
    return truth


def make_manifest(root: Path) -> Truth:
    """A pair that is mono, an instrumental, and singing that is for training only; Ogg Vorbis, as in the real one."""
    rows = [
        "kind,family,id,group,split,sample_rate,channels,seconds,path,licence",
        "pair,band,one,one,valid,16000,1,0.75,pairs/band/one,CC0",
        "music,game,two,two,valid,44100,2,0.27,music/game/two.ogg,CC0",
        "pair,band,three,three,train,44100,2,0.27,pairs/band/three,CC0",
        "singing,solo,four,four,train,44100,2,0.27,singing/four.ogg,CC0",
    ]
    a, b, c = noise(0, 1), noise(1, 1), noise(2)
    files = {
        "pairs/band/one/vocals.ogg": (a, 16_000),
        "pairs/band/one/accompaniment.ogg": (b, 16_000),
        "pairs/band/three/vocals.ogg": (c, RATE),
        "pairs/band/three/accompaniment.ogg": (c, RATE),
        "music/game/two.ogg": (c, RATE),
    }
    for name, (audio, rate) in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(root / name, audio.T, rate, format="OGG", subtype="VORBIS")
    (root / "manifest.csv").write_text("\n".join(rows) + "\n")
    return {"band/one": (np.repeat(a, 2, 0), np.repeat(b, 2, 0)), "game/two": (None, c), "band/three": (c, c)}
