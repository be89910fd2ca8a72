"""How many rooms one core carries, and how many one graphics card, with one run of the network per hop for all.

    python benchmarks/rooms.py [--hops 2000] [--model live] [--provider cpu] [--rooms 1 2 4 ...] [--without-graphs]
                               [--name rooms] [--quick]

Pinned to one core. Writes ``results/NAME.json``; ``docs/scale.md`` shows its tables. The same as ``rtkaraoke bench hop
--streams N``, and how many cores or cards many rooms take.
"""

import argparse

from common import Cell, Table, parse, save

from rtkaraoke.bench.hop import one_core
from rtkaraoke.bench.rooms import held, measure, table
from rtkaraoke.masks.models import DEFAULT_MODEL
from rtkaraoke.masks.onnx import load_model

CITY = 10_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hops", type=int, default=2000)
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--provider", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--rooms", type=int, nargs="+", default=[1, 2, 4, 6, 7, 8, 9, 10])
    parser.add_argument("--without-graphs", action="store_true", help="on a card: launch node by node")
    parser.add_argument("--name", default="rooms", help="results/NAME.json")
    options = parse(parser, hops=100, rooms=[1, 2])
    network = load_model(options.model, options.provider, not options.without_graphs)
    found = []
    with one_core():
        for n_rooms in options.rooms:
            found.append(measure(network, n_rooms, options.hops))
            print(f"{n_rooms} rooms: {found[-1].n_missed} of {options.hops} hops missed", flush=True)
    where, n_held = found[0].place, held(found)
    summary: list[list[Cell]] = [[f"rooms on one {where} with p99.9 within the hop", n_held]]
    if n_held:
        summary.append([f"{where}s for {CITY} rooms", -(-CITY // n_held)])
    tables = [
        table("load", f"Rooms on one {where}, a stream each", found),
        Table("summary", "What follows", {"": "", "count": ""}, summary),
    ]
    path = save(options.name, tables, hops=options.hops, model=options.model, provider=network.provider)
    for each in tables:
        print(f"\n{each.markdown()}")
    print(f"\nwrote {path.name}")


if __name__ == "__main__":
    main()
