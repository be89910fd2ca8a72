"""``bench``: what this machine, these sound cards and these networks can do, in figures."""

from cyclopts import App

from rtkaraoke.cli.bench import cards, machine, results

bench = App(
    name="bench",
    help="Measure latency, load and quality (extra: bench). Reports: a table, JSON, or one HTML file with plots.",
    help_format="plaintext",
)
for command in (
    cards.loopback,
    machine.hop,
    machine.schedule,
    machine.soak,
    cards.devices,
    results.quality,
    results.compare,
):
    bench.command(command)
