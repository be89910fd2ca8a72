"""``night``: a karaoke evening over a folder of songs, with a page for everyone's phone."""

from pathlib import Path
from typing import Annotated

from cyclopts import Group, Parameter

from rtkaraoke.cli.options import OTHER, SOUND_CARD, Common, SoundCard, device

PAGE = Group("Page", sort_key=0)
DEFAULT_PORT = 8765


def night(
    folder: Path,
    /,
    *,
    lan: Annotated[
        bool, Parameter(group=PAGE, negative=(), show_default=False, help="Let phones in this network in, by QR code.")
    ] = False,
    port: Annotated[int, Parameter(group=PAGE, help="Where the page is served; 0 takes any free port.")] = DEFAULT_PORT,
    host_pin: Annotated[
        str | None,
        Parameter(
            group=PAGE, show_default=False, help="The PIN that opens the host view to a guest; else one is made."
        ),
    ] = None,
    input: Annotated[  # noqa: A002 - the option's name
        str | None, Parameter(group=SOUND_CARD, show_default=False, help="Device of the microphones, as for --output.")
    ] = None,
    mics: Annotated[
        int | None,
        Parameter(
            group=SOUND_CARD, show_default=False, help="How many microphones there are, on channels 1, 2 ...; 0: none."
        ),
    ] = None,
    data: Annotated[
        Path | None,
        Parameter(group=OTHER, show_default=False, help="Where queue and library are kept; one place for each folder."),
    ] = None,
    ahead: Annotated[
        bool, Parameter(group=OTHER, help="Separate the voices of the next songs ahead, while the processor has time.")
    ] = True,
    record_to: Annotated[
        Path | None, Parameter(group=OTHER, show_default=False, help="The folder for recordings.")
    ] = None,
    card: SoundCard | None = None,
    common: Common | None = None,
) -> None:
    """Sing along to the songs in FOLDER: queue, lyrics and controls are a page in the browser.

    Runs until Ctrl-C. The queue survives whatever happens: start again, and it goes on. Without --preset the preset
    `night` holds, which knows one microphone, on channel 1 of the input.

    Parameters
    ----------
    folder
        Songs: sound files, alone or with .lrc or UltraStar lyrics.
    """
    from rtkaraoke.cli import evening

    more = (*(card or SoundCard()).given(), *evening.given(device(input)))
    settings = (common or Common()).settings("night", more)
    evening.run(
        evening.with_mics(settings, mics),
        evening.Wishes(folder, lan=lan, port=port, pin=host_pin or "", data=data, record_to=record_to, ahead=ahead),
    )
