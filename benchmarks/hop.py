"""Time of one hop by stage, sample rate and provider.

    python benchmarks/hop.py [--hops 2000] [--models live playback centre] [--providers cpu cuda]
                             [--rates 44100 ...] [--blocks 64 ...] [--streams 1 8 ...] [--without-graphs] [--name hop]
                             [--quick]

Pinned to one core. The same as ``rtkaraoke bench hop``, kept in ``results/NAME.json``.
"""

import argparse

from common import parse, save

from rtkaraoke.bench.hop_report import hop_report
from rtkaraoke.masks.models import DEFAULT_MODEL
from rtkaraoke.masks.onnx import shipped_models


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hops", type=int, default=2000)
    parser.add_argument("--models", nargs="+", default=[*shipped_models(), "centre"])
    parser.add_argument("--providers", nargs="+", default=["cpu", "cuda"])
    parser.add_argument("--rates", nargs="+", type=int, default=[44_100, 48_000, 96_000])
    parser.add_argument("--blocks", nargs="+", type=int, default=[0], help="0 is a hop")
    parser.add_argument("--streams", nargs="+", type=int, default=[], help="rooms that one run of the network serves")
    parser.add_argument("--without-graphs", action="store_true", help="on a card: launch node by node")
    parser.add_argument("--name", default="hop", help="of the result file")
    options = parse(parser, hops=100, models=[DEFAULT_MODEL, "centre"], rates=[44_100])
    report = hop_report(
        options.models,
        options.providers,
        options.rates,
        options.blocks,
        options.hops,
        streams=options.streams,
        graphs=not options.without_graphs,
    )
    for note in report.notes:
        print(note)
    for table in report.tables:
        print(f"\n{table.title}\n\n{table.markdown()}")
    print(f"\nwrote {save(options.name, report.tables, **report.parameters)}")


if __name__ == "__main__":
    main()
