"""How many rooms one core carries, and how many one graphics card, with one run of the network per hop for all.

    python benchmarks/rooms.py [--hops 2000] [--model live] [--provider cpu] [--rooms 1 2 4 ...] [--name rooms]
        [--quick]

Pinned to one core. Writes ``results/NAME.json``; ``docs/scale.md`` shows its tables.
"""

import argparse
import os

import numpy as np
from common import Cell, Table, parse, save

from rtkaraoke.bench.rooms import RoomTimings, measure
from rtkaraoke.masks.models import DEFAULT_MODEL
from rtkaraoke.masks.onnx import load_model

COLUMNS = {
    "rooms": "",
    "hops": "",
    "a hop lasts ms": ".2f",
    "CPU mean ms": ".2f",
    "CPU per room ms": ".3f",
    "p50 ms": ".2f",
    "p99 ms": ".2f",
    "p99.9 ms": ".2f",
    "max ms": ".2f",
    "missed": "",
}
CITY = 10_000


def row(found: RoomTimings) -> list[Cell]:
    mean_ms = float(found.cpu_ms.mean())
    shares = [float(value) for value in np.percentile(found.wall_ms, [50, 99, 99.9])]
    cells: list[Cell] = [found.n_rooms, len(found.wall_ms), found.hop_ms, mean_ms, mean_ms / found.n_rooms]
    return [*cells, *shares, float(found.wall_ms.max()), found.n_missed]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hops", type=int, default=2000)
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--provider", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--rooms", type=int, nargs="+", default=[1, 2, 4, 6, 7, 8, 9, 10])
    parser.add_argument("--name", default="rooms", help="results/NAME.json")
    options = parse(parser, hops=100, rooms=[1, 2])
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    network = load_model(options.model, options.provider)
    rows, held = [], 0
    for n_rooms in options.rooms:
        found = measure(network, n_rooms, options.hops)
        rows.append(row(found))
        print(rows[-1], flush=True)
        if np.percentile(found.wall_ms, 99.9) < found.hop_ms:
            held = n_rooms
    where = "core" if options.provider == "cpu" else "card"
    summary: list[list[Cell]] = [[f"rooms on one {where} with p99.9 within the hop", held]]
    if held:
        summary.append([f"{where}s for {CITY} rooms", -(-CITY // held)])
    note = "Back to back; a room more is one more place in the batch."
    tables = [
        Table("load", f"Rooms on one {where}", COLUMNS, rows, note),
        Table("summary", "What follows", {"": "", "count": ""}, summary),
    ]
    path = save(options.name, tables, model=options.model, provider=network.provider)
    for table in tables:
        print(f"\n{table.markdown()}")
    print(f"\nwrote {path.name}")


if __name__ == "__main__":
    main()
