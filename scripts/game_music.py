"""Instrumental music of free games, from Debian's archive, as a data folder for training.

    python scripts/game_music.py FOLDER

Downloads the packages below (2 GB), cuts one or two excerpts out of every piece, and writes them to FOLDER as FLAC
beside a ``manifest.csv`` of rows ``music``. A recipe takes them in by ``more_data = ["FOLDER"]``. Needs Debian's
apt-get and dpkg-deb, no root. The licences are those of the packages: their copyright files lie in FOLDER/licences.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import soundfile
from data_folder import write_manifest

#: package -> family and licence of the music
PACKAGES = {
    "asc-music": ("asc", "GPL-2+"),
    "drascula-music": ("drascula", "Drascula license"),
    "flare-game": ("flare-game", "CC BY-SA 3.0"),
    "fretsonfire-songs-muldjord": ("fretsonfire-songs-muldjord", "CC BY-SA"),
    "hedgewars-data": ("hedgewars", "GPL-2, CC BY-SA 3.0"),
    "hyperrogue-music": ("hyperrogue", "GPL-2+, CC BY-SA 3.0"),
    "lincity-ng-data": ("lincity-ng", "GPL-2+"),
    "megaglest-data": ("megaglest", "CC BY-SA 3.0"),
    "naev-data": ("naev", "GPL-3+, CC BY 3.0"),
    "planetblupi-music-ogg": ("planetblupi-ogg", "GPL-3+"),
    "singularity-music": ("singularity", "Creative Commons, per file"),
    "supertux-data": ("supertux", "GPL-2+"),
    "unknown-horizons": ("unknown-horizons", "CC BY-SA 3.0"),
    "warzone2100-music": ("warzone2100", "GPL-2+"),
    "wesnoth-1.16-music": ("wesnoth", "GPL-2+"),
    "widelands-data": ("widelands", "GPL-2+, CC BY-SA 3.0"),
}
ENDINGS = {".ogg", ".mp3", ".flac", ".opus"}
PIECE_S = 25.0  # what is shorter is an effect
EXCERPT_S = 24.0
PEAK = 0.9


def unpack(package: str, to: Path) -> Path:
    """The files of a Debian package below ``to``; its folder."""
    subprocess.run(["apt-get", "download", "-q", package], cwd=to, check=True)
    (archive,) = to.glob("*.deb")
    folder = to / "files"
    subprocess.run(["dpkg-deb", "-x", str(archive), str(folder)], check=True)
    archive.unlink()
    return folder


def pieces(folder: Path) -> list[Path]:
    """Files long enough to be music, in the order of their names."""
    found = [p for p in sorted(folder.rglob("*")) if p.suffix.lower() in ENDINGS and p.is_file() and not p.is_symlink()]
    return [path for path in found if length_s(path) >= PIECE_S and "voice" not in str(path).lower()]


def length_s(path: Path) -> float:
    """Seconds of a sound file; 0 when it is none."""
    try:
        return float(soundfile.info(path).duration)
    except soundfile.SoundFileError:
        return 0.0


def excerpts(path: Path, random: np.random.Generator) -> "list[tuple[np.ndarray, int]]":
    """One excerpt of a short piece, two of a long one, each ``(sample, channel)`` with its rate, at the same peak."""
    total_s = length_s(path)
    count = 2 if total_s > 60 else 1
    taken = []
    for number in range(count):
        seconds = min(EXCERPT_S, total_s - 2)
        first = 1 + (total_s - 2) * number / count
        start_s = random.uniform(first, max(first, 1 + (total_s - 2) * (number + 1) / count - seconds))
        rate = soundfile.info(path).samplerate
        audio, rate = soundfile.read(
            path, start=int(start_s * rate), frames=int(seconds * rate), dtype="float32", always_2d=True
        )
        peak = float(np.abs(audio).max(initial=0.0))
        if peak > 1e-3:
            taken.append((audio[:, :2] * (PEAK / peak), rate))
    return taken


def main() -> None:
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    folder = Path(sys.argv[1]).expanduser()
    random = np.random.default_rng(0)
    rows = []
    for package, (family, licence) in PACKAGES.items():
        with tempfile.TemporaryDirectory() as scratch:
            files = unpack(package, Path(scratch))
            copyright_file = files / "usr/share/doc" / package / "copyright"
            (folder / "licences").mkdir(parents=True, exist_ok=True)
            shutil.copyfile(copyright_file, folder / "licences" / package)
            (folder / family).mkdir(exist_ok=True)
            for path in pieces(files):
                for number, (audio, rate) in enumerate(excerpts(path, random)):
                    name = f"{path.stem}-{number + 1}"
                    target = f"{family}/{len(rows):04d}.flac"
                    soundfile.write(folder / target, audio, rate, subtype="PCM_16")
                    seconds = f"{len(audio) / rate:.3f}"
                    rows.append(
                        ("music", family, name, path.stem, "train", rate, audio.shape[1], seconds, target, licence)
                    )
        print(f"{package}: {len(rows)} excerpts so far", flush=True)
    write_manifest(folder, rows)


if __name__ == "__main__":
    main()
