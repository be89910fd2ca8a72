"""Speed, start-up and memory of `rtkaraoke render`, as processes pinned to one core.

    python benchmarks/render.py [--model live] [--minutes 1 10 120] [--repeats 3] [--quick]

Writes ``results/render.json``. Two hours take a while; the memory of a run does not depend on the network, so
``--long-model centre`` (the default) may be used beyond ten minutes.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import soundfile
from common import Cell, Table, parse, save

from rtkaraoke.bench.hop import noise
from rtkaraoke.masks.models import DEFAULT_MODEL

RATE = 44_100
LONG_MINUTES = 10


class Run(NamedTuple):
    """What a child process took."""

    wall_s: float
    cpu_s: float
    memory_mb: float


def run(*arguments: str, cache: Path | None = None) -> Run:
    """Run ``rtkaraoke`` on one core; ``cache`` holds the compiled kernels instead of the usual place."""
    core = max(os.sched_getaffinity(0))
    environment = os.environ | ({"NUMBA_CACHE_DIR": str(cache)} if cache else {})
    command = ["taskset", "-c", str(core), sys.executable, "-m", "rtkaraoke", *arguments]
    started = time.perf_counter()
    child = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    wall_s = time.perf_counter() - started
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {child.returncode}")
    return Run(wall_s, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def write_song(path: Path, seconds: float) -> None:
    """Stereo noise of that length, 16 bit."""
    second = noise(2, RATE).T
    with soundfile.SoundFile(path, "w", RATE, 2, "PCM_16") as file:
        left = round(seconds * RATE)
        while left > 0:
            file.write(second[:left])
            left -= RATE


def start_up(folder: Path, model: str, repeats: int, first: bool) -> Table:
    """A tenth of a second of music: what is left is import, kernels, network and warm-up."""
    song = folder / "short.wav"
    write_song(song, 0.1)
    arguments = ("render", str(song), str(folder / "short out.wav"), "--force", "--model", model)
    rows: list[list[Cell]] = []
    with tempfile.TemporaryDirectory() as name:
        cache = Path(name) if first else None
        if first:
            rows.append(["first time, kernels compiled", *run(*arguments, cache=cache)])
        rows.append(["second time, kernels from the cache", *min(run(*arguments, cache=cache) for _ in range(repeats))])
    return Table(
        "start",
        "Start-up: `rtkaraoke render` of a tenth of a second",
        {"": "", "wall s": ".2f", "CPU s": ".2f", "memory MB": ".0f"},
        rows,
        f"One core, network {model}; the second line is the best of {repeats}.",
    )


def speed(folder: Path, model: str, long_model: str, minutes: list[float]) -> Table:
    """Whole runs, start-up included."""
    rows: list[list[Cell]] = []
    for length in minutes:
        song, out = folder / "song.wav", folder / "out.wav"
        write_song(song, 60 * length)
        used = long_model if length > LONG_MINUTES else model
        result = run("render", str(song), str(out), "--force", "--model", used)
        speeds = 60 * length / result.wall_s, 60 * length / result.cpu_s
        rows.append([f"{length:g} min", used, result.wall_s, result.cpu_s, *speeds, result.memory_mb])
        song.unlink()
        out.unlink()
        print(rows[-1])
    columns = {
        "music": "",
        "network": "",
        "wall s": ".1f",
        "CPU s": ".1f",
        "x real time": ".1f",
        "x real time by CPU time": ".1f",
        "peak memory MB": ".0f",
    }
    note = "Start-up included. CPU time is what is left when other programs on the machine are left out."
    return Table("speed", "Speed and memory of `rtkaraoke render`, one core", columns, rows, note)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--long-model", default="centre")
    parser.add_argument("--minutes", nargs="+", type=float, default=[1.0, 10.0, 120.0])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument(
        "--first", action=argparse.BooleanOptionalAction, default=True, help="start once with no kernels compiled"
    )
    options = parse(parser, minutes=[0.05], repeats=1, first=False)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tables = [
            speed(folder, options.model, options.long_model, options.minutes),
            start_up(folder, options.model, options.repeats, options.first),
        ]
    for table in tables:
        print(f"\n{table.title}\n\n{table.markdown()}")
    print(f"\nwrote {save('render', tables)}")


if __name__ == "__main__":
    main()
