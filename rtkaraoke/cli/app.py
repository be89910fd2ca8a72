"""All commands, under one name."""

from typing import Any

from cyclopts import App, Group

from rtkaraoke import __version__
from rtkaraoke.cli import bench, demo, doctor, evaluate, listing, night, playing, plugins, render, songs, training

HELP = """Takes the singer out of music: in files, in playback and live, through one engine.

Try `rtkaraoke demo`: it needs no sound card, and shows what comes out."""

app = App(name="rtkaraoke", help=HELP, help_format="plaintext", version=__version__)

_GROUPS: dict[str, tuple[Any, ...]] = {
    "Music": (demo.demo, render.render, playing.play, playing.live),
    "Karaoke": (night.night, songs.songs),
    "This machine": (
        doctor.doctor,
        listing.devices,
        listing.models,
        plugins.plugins,
        listing.presets,
        listing.config,
        bench.bench,
    ),
    "Networks": (training.train, training.export, evaluate.evaluate),
}
for _rank, (_title, _commands) in enumerate(_GROUPS.items()):
    _group = Group(_title, sort_key=_rank)
    for _place, _command in enumerate(_commands):
        if isinstance(_command, App):
            _command.group, _command.sort_key = (_group,), _place
            app.command(_command)
        else:
            # What these two doors lead to answers --help itself.
            _flags = {"help_flags": ()} if _command in (training.train, training.export) else {}
            app.command(_command, group=_group, sort_key=_place, **_flags)
