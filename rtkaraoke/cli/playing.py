"""``live`` and ``play``: sound through the sound card, until it ends or someone ends it."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from rtkaraoke.cli.options import OTHER, SOUND_CARD, Common, JsonFlag, SoundCard, channels, device
from rtkaraoke.config import Option


def live(
    *,
    input: Annotated[  # noqa: A002 - the option's name
        str | None, Parameter(group=SOUND_CARD, show_default=False, help="Input device, as for --output.")
    ] = None,
    voice_out: Annotated[
        str | None,
        Parameter(group=SOUND_CARD, show_default=False, help="More output channels that get the voice alone, as 3,4."),
    ] = None,
    record: Annotated[
        Path | None,
        Parameter(group=OTHER, show_default=False, help="Keep what the engine is fed in this file, raw float32."),
    ] = None,
    card: SoundCard | None = None,
    common: Common | None = None,
    json: JsonFlag = False,
) -> None:
    """Take the singer out of what comes in, until stopped (q or Ctrl-C).

    Input and output are devices of `rtkaraoke devices`; the defaults when left out. Without --preset the preset
    `live` holds.
    """
    from rtkaraoke.cli import build, watch

    card = card or SoundCard()
    given = {
        "input": Option("--input", device(input)),
        "channels_in": Option("--channels", channels("--channels", card.channels)),
        "voice_out": Option("--voice-out", channels("--voice-out", voice_out)),
    }
    more = (*card.given(), *((("live", name), option) for name, option in given.items()))
    settings = (common or Common()).settings("live", more)
    names = settings.config.live
    about = watch.About(
        "live",
        "default input" if names.input is None else str(names.input),
        "default output" if names.output is None else str(names.output),
        settings.config.model.name,
        song=False,
    )
    watch.watch(build.live_session(settings, record=record), about, json=json)


def play(
    song: Path,
    /,
    *,
    card: SoundCard | None = None,
    common: Common | None = None,
    json: JsonFlag = False,
) -> None:
    """Play SONG without its voice; keys ride the vocal level, pause and seek.

    Without --preset the preset `playback` holds.

    Parameters
    ----------
    song
        A sound or video file.
    """
    from rtkaraoke.cli import build, watch
    from rtkaraoke.files import probe

    settings = (common or Common()).settings("playback", tuple((card or SoundCard()).given()))
    probe(song)  # here, where what is wrong with it is said at once
    output = settings.config.live.output
    to = "default output" if output is None else str(output)
    about = watch.About("play", song.name, to, settings.config.model.name, song=True)
    watch.watch(build.live_session(settings, song=song), about, json=json)
