"""``devices``, ``models``, ``presets``, ``config show``: what there is."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from cyclopts import App

from rtkaraoke.cli.console import show, show_json
from rtkaraoke.cli.options import Common, JsonFlag
from rtkaraoke.config import leaves, load, preset_files

if TYPE_CHECKING:
    from rich.table import Table

SCORES = {"music_sdr": "music", "voice_sdr": "voice"}  #: of those that a network's file tells, the two for a table

config = App(name="config", help="Settings and where they come from.", help_format="plaintext")


def devices(*, json: JsonFlag = False) -> None:
    """List the sound devices that `--input` and `--output` know, by number and name."""
    from rtkaraoke.live.devices import list_devices

    found = list_devices()
    if json:
        show_json([asdict(device) for device in found])
        return
    if not found:
        show("PortAudio sees no sound device. Connect one, or start the JACK or PipeWire server; `rtkaraoke doctor`")
        return
    rows = []
    for device in found:
        defaults = [name for name, is_it in (("in", device.default_input), ("out", device.default_output)) if is_it]
        rows.append(
            (
                device.index,
                device.name,
                device.host_api,
                f"{device.n_inputs or '-'} / {device.n_outputs or '-'}",
                f"{device.sample_rate} Hz",
                f"{1e3 * max(device.latency_in_s, device.latency_out_s):.1f} ms",
                " ".join(defaults),
            )
        )
    show(table(["", "device", "system", "in / out", "rate", "delay", "default"], rows))


def presets(*, json: JsonFlag = False) -> None:
    """List the presets: settings for a purpose, by name."""
    files = preset_files()
    about = {name: load(str(path)).config.description for name, path in files.items()}
    if json:
        show_json([{"name": name, "description": about[name], "path": path} for name, path in files.items()])
        return
    rows = [(name, about[name]) for name in files]
    show(table(["preset", "for"], rows))
    show("\n`--preset NAME` uses one; copy its file, change it and give the copy's path for your own:")
    show(f"{next(iter(files.values())).parent}" if files else "none found")


@config.command(name="show")
def show_config(*, common: Common | None = None, json: JsonFlag = False) -> None:
    """Print the settings that hold, and who said so: the default, a preset or an option.

    `live` uses the preset `live`, `play` and `render` the preset `playback` where no other is given.
    """
    from rtkaraoke.cli import build

    settings = (common or Common()).settings()
    network = build.network(settings.config)
    values = {key: value for key, value in leaves(settings.config) if key[0] not in ("description", "plugins")}
    with build.engine(settings, network, mics=True) as engine:
        for plugin_name, plugin in engine.plugins.items():
            for name, parameter in plugin.parameters.items():
                value = plugin.get(name)
                key = ("plugins", *plugin_name.split("."), name)
                values[key] = parameter.choices[int(value)] if parameter.choices else value
        moved = {
            (*key[:-1], name): settings.origins[key]
            for key, value in build.assignments(settings)
            for name in build.meaning(engine, ".".join(key[1:-1]), key[-1], value)
        }
    origins = dict.fromkeys(values, "default")
    for name in ("strength", "bias", "alpha", "theta"):
        origins["plugins", "vocal_remover", name] = f"network {network.info.name}"
    origins |= {key: origin for key, origin in settings.origins.items() if key in values}
    origins |= moved
    if json:
        show_json({".".join(key): {"value": value, "origin": origins[key]} for key, value in values.items()})
        return
    show(table(["setting", "value", "from"], ((".".join(key), _text(values[key]), origins[key]) for key in values)))


def models(*, json: JsonFlag = False) -> None:
    """List the networks that come with rtkaraoke, with licence and measured quality."""
    from rtkaraoke.cli.build import shipped_networks

    found = shipped_networks()
    if json:
        show_json([asdict(info) | {"path": path} for info, path in found])
        return
    rows = []
    for info, _ in found:
        licence = info.licence + (" (trained on non-commercial data)" if info.non_commercial else "")
        scores = ", ".join(f"{what} {info.scores[key]:.1f} dB" for key, what in SCORES.items() if key in info.scores)
        rows.append((info.name, info.description, f"{info.geometry.latency_ms:.1f} ms", scores or "-", licence))
    show(table(["model", "what", "delay", "SDR", "licence"], rows))


def table(head: Sequence[str], rows: Iterable[Iterable[Any]]) -> "Table":
    """A plain table, as wide as its content, that stays readable in a pipe; without a head where ``head`` is empty."""
    from rich.table import Table

    result = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0), show_header=bool(head))
    for name in head:
        result.add_column(name, overflow="fold")
    for row in rows:
        result.add_row(*map(str, row))
    return result


def _text(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "-"
    return "yes" if value is True else "no" if value is False else str(value)
