"""What every plugin that ships costs: time of one stereo block of 128 samples at 48 kHz.

    python benchmarks/plugins.py [--blocks 10000] [--name plugins] [--quick]

Pinned to one core, at the priority that the engine's worker has where the system allows it. Writes
``results/NAME.json``.
"""

import argparse
import time
from functools import partial

import numpy as np
from common import Cell, Table, parse, save

from rtkaraoke.bench.hop import no_garbage_collection, one_core
from rtkaraoke.live.priority import WORKER_PRIORITY, raise_priority
from rtkaraoke.plugins.harness import RATE, TIMED_BLOCK, time_blocks
from rtkaraoke.plugins.registry import create_plugin, shipped_names

PART = 1000  #: blocks at a time
COLUMNS = {
    "plugin": "",
    "latency ms": ".1f",
    "CPU mean µs": ".1f",
    "share of the block": ".2%",
    "p50 µs": ".1f",
    "p99 µs": ".1f",
    "max µs": ".1f",
}


def row(name: str, n_blocks: int) -> list[Cell]:
    create = partial(create_plugin, name)
    plugin = create()
    plugin.prepare(RATE, 2, TIMED_BLOCK)
    latency_ms = 1e3 * plugin.latency / RATE
    plugin.close()
    parts = []
    for _ in range(0, n_blocks, PART):
        time.sleep(0.1)  # Linux takes the processor from a real-time thread that never pauses
        parts.append(time_blocks(create, PART))
    wall_us, cpu_us = np.concatenate(parts, axis=1)
    share = float(cpu_us.mean()) * 1e-6 * RATE / TIMED_BLOCK
    p50, p99 = (float(value) for value in np.percentile(wall_us, (50, 99)))
    return [name, latency_ms, float(cpu_us.mean()), share, p50, p99, float(wall_us.max())]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--blocks", type=int, default=10_000)
    parser.add_argument("--name", default="plugins", help="of the result file")
    options = parse(parser, blocks=PART)
    with one_core(), no_garbage_collection():
        for name in shipped_names():
            create_plugin(name)  # loads its kernels, or compiles them, while others may still run
        priority = "as the worker's" if raise_priority(WORKER_PRIORITY) else "normal"
        rows = [row(name, options.blocks) for name in shipped_names()]
    table = Table(
        "cost",
        f"One stereo block of {TIMED_BLOCK} samples at {RATE} Hz",
        COLUMNS,
        rows,
        f"A block lasts {1e6 * TIMED_BLOCK / RATE:.0f} µs. *CPU*: the thread's CPU time; the others are the wall's, "
        "with other programs on the machine. `key_shift` does the work of eight blocks in one.",
    )
    print(f"\n{table.title}\n\n{table.markdown()}")
    print(f"\nwrote {save(options.name, [table], blocks=options.blocks, priority=priority)}")


if __name__ == "__main__":
    main()
