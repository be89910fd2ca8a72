"""What people use today beside our masks, on the same songs: SoX and FFmpeg, which cancel the centre, and REPET-SIM.

    python benchmarks/peers.py [--model live playback ...] [--songs 14] [--quick]

On the 14 validation songs of MUSDB18 that ``quality.py`` has. `sox` and `ffmpeg` are run as they are found on the PATH,
on WAV files in a temporary folder; what is not installed is left out, with a note. Beside it a table of what others
have published, none of which was measured here. Needs the data folder (RTKARAOKE_DATA), and `librosa` for REPET-SIM.
Writes ``results/peers.json``.
"""

import argparse
import importlib.util
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import soundfile
from common import Cell, Table, parse, save
from quality import shipped_by_default_first, sides

from rtkaraoke.evaluate.baselines import repet_sim
from rtkaraoke.evaluate.data import Audio, Item, read_pair
from rtkaraoke.evaluate.metrics import bootstrap_median, score_song, sdr
from rtkaraoke.evaluate.readers import Sources
from rtkaraoke.evaluate.songs import (
    SAMPLE_RATE,
    Separator,
    score_doing_nothing,
    summarise,
    through_engine,
    validation_songs,
)
from rtkaraoke.masks.models import DEFAULT_MODEL, load_model
from rtkaraoke.masks.protocol import MaskNetwork

SONG, OUT = "SONG", "OUT"  #: where the names of the files go in a command
FFMPEG = ("ffmpeg", "-nostdin", "-v", "error", "-i", SONG, "-af")
TOOLS = {
    "SoX, `oops`": ("sox", "-V1", SONG, OUT, "oops"),
    "FFmpeg, `stereotools=mlev=0.015625`": (*FFMPEG, "stereotools=mlev=0.015625", "-c:a", "pcm_f32le", OUT),
    "FFmpeg, `pan` to left - right": (*FFMPEG, "pan=stereo|c0=c0-c1|c1=c1-c0", "-c:a", "pcm_f32le", OUT),
}
WHOLE_SONG = "the whole song"
COLUMNS = {
    "": "",
    "algorithmic latency ms": "",
    "voice SDR": ".1f",
    "95 %": "",
    "music SDR": ".1f",
    "95 % ": "",
    "music SDR, level set": ".1f",
    "removal": ".1f",
    "damage": ".1f",
}
NOTE = (
    "Decibels, medians over songs, with 95 % bootstrap intervals; SDR of the whole song, removal and damage as in the "
    "table of `quality.py`. What comes out is scored as music as it comes, and what it lacks of the mixture as voice. "
    "*Level set*: after the one gain that is best for the song. Cancelling the centre changes more than the voice: "
    "`oops` leaves the difference of left and right in both channels, `pan` the same with opposite signs, both louder "
    "than the sides were, `stereotools` the sides at their own level. Bass and drums that were mixed to the middle are "
    "gone as well, which is the damage, and the music's low SDR. Latency: what the method itself has to wait for, "
    "without sound cards."
)
PUBLISHED_COLUMNS = {
    "system": "",
    "algorithmic latency": "",
    "size, work": "",
    "SDR dB": "",
    "of what": "",
    "open weights": "",
    "source": "",
}
STEMS, VOCALS, BOTH = "mean of four stems", "vocals", "vocals / accompaniment"
OWN_PANEL = "mean of four stems, on songs of its own"
PUBLISHED = (
    ("HS-TasNet", "23 ms", "42 M", "4.65; 5.55 with more data", STEMS, "no", "arXiv 2402.17701"),
    ("RT-STT", "23 ms", "0.38 M, 11.4 GMAC/s", "5.17; 5.56", f"{STEMS}; {VOCALS}", "no", "arXiv 2511.13146"),
    ("ADI, full", "23 ms", "0.44 M, 13.3 GMAC/s", "about 5.3", STEMS, "announced", "arXiv 2609.12201"),
    ("ADI, deployed", "46 ms", "0.13 M, 1.9 GMAC/s", "6.30", f"{VOCALS}, BSSEval v4", "announced", "arXiv 2609.12201"),
    ("StemgenRT", "11.6 ms", "28 M", "4.7", OWN_PANEL, "yes", "the project StemgenRT"),
    ("StemgenRT 5.8", "5.8 ms", "28 M, 8 bit", "4.1 to 4.6", OWN_PANEL, "yes", "the project StemgenRT"),
    ("Band-SCNet", "92 ms", "2.6 M, 17.6 GFLOP/s", "7.79", STEMS, "no", "the paper on Band-SCNet"),
    ("causal Conv-TasNet", None, None, "5.73 / 11.23", BOTH, "yes", "the project Cadenza"),
    ("MMDenseNet for karaoke", "0.65 s", "0.57 M", "about 13.7", "accompaniment", "no", "arXiv 2407.00657"),
    ("Open-Unmix", WHOLE_SONG, None, "6.32 / 12.1", BOTH, "yes", "the project Open-Unmix"),
    ("X-UMX", WHOLE_SONG, None, "6.79 / 13.2", BOTH, "yes", "the project X-UMX"),
    ("Spleeter", WHOLE_SONG, None, "6.55 to 6.86", VOCALS, "yes", "the project Spleeter"),
    ("HTDemucs", WHOLE_SONG, None, "about 9.2", VOCALS, "yes", "the project Demucs"),
    ("do nothing", "0 ms", None, "1.12 / 6.32", BOTH, None, "the same test set, by its mixtures"),
)
PUBLISHED_NOTE = (
    "**Published, not measured here**: figures of papers and projects, on the test songs of MUSDB18 or MUSDB18-HQ "
    "unless others are named. They do not compare with the table of what was measured, nor always with each other: "
    "other songs, and measures of one name (BSSEval v4, SDR of segments, of whole songs) that differ by up to 1.3 dB "
    "on the same output. Doing nothing already scores what the last line says. A dash: not published, or not "
    "found."
)


def tool(command: Sequence[str]) -> Separator:
    """A separator that runs ``command``, whose output is taken for the music."""

    def separate(voice: Audio, music: Audio) -> Audio:
        mixture = voice + music
        with tempfile.TemporaryDirectory() as folder:
            files = {name: str(Path(folder) / f"{name.lower()}.wav") for name in (SONG, OUT)}
            soundfile.write(files[SONG], mixture.T, SAMPLE_RATE, subtype="FLOAT")
            subprocess.run([files.get(word, word) for word in command], check=True, stdout=subprocess.DEVNULL)
            found, rate = soundfile.read(files[OUT], dtype="float32", always_2d=True)
        if rate != SAMPLE_RATE or found.T.shape != mixture.shape:
            raise SystemExit(
                f"{command[0]}: {found.T.shape} at {rate} Hz came out of {mixture.shape} at {SAMPLE_RATE} Hz"
            )
        return mixture - found.T

    return separate


def repeating(voice: Audio, music: Audio) -> Audio:
    """REPET-SIM's voice."""
    return repet_sim(Sources(voice, music, SAMPLE_RATE)).voice


def level_set(estimate: Audio, target: Audio) -> float:
    """SDR after the one gain that makes it largest, which least squares finds."""
    flat, wanted = estimate.ravel().astype(np.float64), target.ravel().astype(np.float64)
    power = float(flat @ flat)
    return sdr(np.float32(flat @ wanted / power if power else 0.0) * estimate, target)


def row(name: str, latency: str, separate: Separator, songs: Iterable[Item]) -> list[Cell]:
    scores, levelled = [], []
    for voice, music in map(read_pair, songs):
        found = separate(voice, music)
        scores.append(score_song(found, voice, music))
        levelled.append(level_set(voice + music - found, music))
    figures = summarise(scores)
    cells: list[Cell] = [name, latency, *sides(figures)]
    cells += [float(bootstrap_median(levelled)[0]), figures["removal"].median, figures["damage"].median]
    print(cells, flush=True)
    return cells


def measured(networks: Sequence[MaskNetwork], songs: Sequence[Item]) -> Table:
    """Everything that can be run here."""
    untouched = sides(summarise(score_doing_nothing(songs)))
    levelled = bootstrap_median([level_set(voice + music, music) for voice, music in map(read_pair, songs)])
    rows: list[list[Cell]] = [["do nothing", "0", *untouched, float(levelled[0]), 0.0, None]]
    missing = []
    for name, command in TOOLS.items():
        if shutil.which(command[0]):
            rows.append(row(name, "0", tool(command), songs))
        else:
            missing.append(f"{name}: not measured, `{command[0]}` is not installed.")
    if importlib.util.find_spec("librosa"):
        rows.append(row("REPET-SIM", WHOLE_SONG, repeating, songs))
    else:
        missing.append("REPET-SIM: not measured, `librosa` is not installed.")
    for network in (load_model("centre"), *networks):
        geometry = network.info.geometry
        latency = f"{1e3 * geometry.latency / geometry.sample_rate:.1f}"
        parameters = {"strength": network.info.strength, "bias": network.info.bias}
        rows.append(row(f"rtkaraoke, {network.info.name}", latency, through_engine(network, parameters), songs))
    title = f"What can be run, on {len(songs)} songs that no network was trained on"
    return Table("measured", title, COLUMNS, rows, " ".join((NOTE, *missing)))


def versions() -> dict[str, str]:
    """The tools' own words of which they are."""
    found = {}
    for name, option in (("sox", "--version"), ("ffmpeg", "-version")):
        if shutil.which(name):
            said = subprocess.run([name, option], capture_output=True, text=True, check=True).stdout
            found[name] = re.findall(r"\bv?(\d+\.\S+)", said)[0]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", nargs="+", default=shipped_by_default_first())
    parser.add_argument("--songs", type=int, help="at most; all when left out")
    options = parse(parser, model=[DEFAULT_MODEL], songs=1)
    networks = [load_model(name, "cpu") for name in options.model]
    songs = validation_songs()[: options.songs]
    tables = [
        measured(networks, songs),
        Table("published", "What others have published", PUBLISHED_COLUMNS, PUBLISHED, PUBLISHED_NOTE),
    ]
    for table in tables:
        print(f"\n{table.title}\n\n{table.markdown()}\n\n{table.note}")
    revisions = {network.info.name: network.info.revision for network in networks}
    print(f"\nwrote {save('peers', tables, songs=len(songs), revisions=revisions, **versions())}")


if __name__ == "__main__":
    main()
