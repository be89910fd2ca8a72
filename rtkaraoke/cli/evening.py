"""What ``night`` puts together: library, queue, engine process and page."""

import contextlib
import hashlib
import os
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rtkaraoke.cli import build
from rtkaraoke.cli.console import note, show
from rtkaraoke.config import Effective, Key, Option
from rtkaraoke.errors import DeviceError, ModelError, NightError
from rtkaraoke.folders import config_folder, state_folder

if TYPE_CHECKING:
    from rtkaraoke.karaoke.library import Library
    from rtkaraoke.karaoke.prepare import Voices
    from rtkaraoke.live.process import LiveSession
    from rtkaraoke.transport import Deck
    from rtkaraoke.web.access import Keys

NEEDED = ("starlette", "uvicorn", "websockets", "segno")
WAY_OUT = "pip install rtkaraoke[web]"
WAIT_S = 0.5
PIN_LENGTHS = (4, 64)
MOST_MICS = 8
START_S = 180.0  #: the first start of a new version compiles kernels, on a slow machine for minutes


@dataclass(frozen=True, slots=True)
class Wishes:
    """The options of ``night`` that are no settings of the engine."""

    folder: Path
    lan: bool
    port: int
    pin: str
    data: Path | None
    record_to: Path | None
    ahead: bool = True

    @property
    def place(self) -> Path:
        """Where queue, library and keys of this folder are kept."""
        if self.data is not None:
            return self.data
        name = hashlib.sha256(os.fsencode(self.folder.expanduser().resolve())).hexdigest()[:16]
        return state_folder() / "nights" / name


def given(microphones: str | int | None) -> Iterator[tuple[Key, Option]]:
    """The settings behind the options of ``night`` alone."""
    yield ("live", "input"), Option("--input", microphones)


def with_mics(settings: Effective, n_mics: int | None) -> Effective:
    """``settings`` with so many microphones.

    Those that the preset lacks are made like its last one, each on the next channel; what is set for them wins.

    Raises
    ------
    NightError
        When there cannot be so many.
    """
    config = settings.config
    if n_mics is None or n_mics == len(config.mics):
        return settings
    if not 0 <= n_mics <= MOST_MICS or (n_mics and not config.mics):
        has = f"the preset knows {len(config.mics)} ({', '.join(config.mics) or 'none'})"
        raise NightError(f"--mics {n_mics}: {has}, wanted 0 to {MOST_MICS if config.mics else 0}, or another --preset")
    mics, plugins, origins = dict(list(config.mics.items())[:n_mics]), dict(config.plugins), dict(settings.origins)
    for name in config.mics.keys() - mics.keys():
        plugins.pop(name, None)
    if not n_mics:
        plugins.pop("duck", None)  # which listens to microphones
    while len(mics) < n_mics:
        like, last = list(mics.items())[-1]
        name = f"mic{len(mics) + 1}"
        mics[name] = replace(last, channels=tuple(channel + len(last.channels) for channel in last.channels))
        plugins[name] = _merged(plugins.get(like, {}), plugins.get(name, {}))
        copied = {key: origin for key, origin in origins.items() if key[:2] == ("plugins", like)}
        origins = {("plugins", name, *key[2:]): origin for key, origin in copied.items()} | origins
    return Effective(replace(config, mics=mics, plugins=plugins), origins)


def _merged(tables: Mapping[str, Any], others: Mapping[str, Any]) -> dict[str, Any]:
    """Both, table by table; what ``others`` say wins."""
    merged = dict(tables)
    for name, value in others.items():
        merged[name] = _merged(merged.get(name, {}), value) if isinstance(value, Mapping) else value
    return merged


def run(settings: Effective, wishes: Wishes) -> None:
    """Run the evening until Ctrl-C.

    Raises
    ------
    RtkaraokeError
        Whatever keeps it from beginning, and a sound card that goes away for good.
    """
    _check_extra()
    if wishes.pin and not PIN_LENGTHS[0] <= len(wishes.pin) <= PIN_LENGTHS[1]:
        raise NightError(f"--host-pin has {len(wishes.pin)} characters: wanted {PIN_LENGTHS[0]} to {PIN_LENGTHS[1]}")
    from rtkaraoke.karaoke.library import Library
    from rtkaraoke.karaoke.memory import Memory
    from rtkaraoke.karaoke.night import Night
    from rtkaraoke.karaoke.queue import Queue
    from rtkaraoke.web.access import Access, kept_keys
    from rtkaraoke.web.app import create_app
    from rtkaraoke.web.serve import lan_address, listen, own_names, serving

    with contextlib.ExitStack() as stack:
        database = wishes.place / "night.sqlite"
        library = stack.enter_context(Library(wishes.folder, database))
        listener = stack.enter_context(listen(wishes.port, lan=wishes.lan))
        port = listener.getsockname()[1]
        queue = stack.enter_context(Queue(database))
        memory = stack.enter_context(Memory(database))
        _scan(library)
        keys = kept_keys(wishes.place / "keys.json", wishes.pin)
        guest_url = f"http://{lan_address()}:{port}/enter?t={keys.guest}" if wishes.lan else ""
        session = stack.enter_context(build.live_session(settings, source=deck))
        _start(session, settings)
        voices = _voices(stack, wishes)
        night = stack.enter_context(
            Night(
                library, queue, memory, session,
                recordings=wishes.record_to or wishes.place / "recordings",
                midi_path=config_folder() / "midi.json",
                voices=voices,
                guest_url=guest_url,
            )
        )  # fmt: skip
        access = Access(keys, port, lan=wishes.lan, names=own_names() if wishes.lan else ())
        stack.enter_context(serving(create_app(night, access, guest_url), listener))
        night.start()
        _welcome(keys, port, guest_url)
        _wait(session)


def _voices(stack: contextlib.ExitStack, wishes: Wishes) -> "Voices | None":
    """What separates voices ahead, where the network for it is there."""
    from rtkaraoke.karaoke.prepare import Voices

    if not wishes.ahead:
        return None
    try:
        return stack.enter_context(Voices(wishes.place / "voices"))
    except ModelError as error:
        note(f"songs are not prepared ahead: {error}")
        return None


def _start(session: "LiveSession", settings: Effective) -> None:
    try:
        session.start(START_S)
    except DeviceError as error:
        if settings.config.mics:
            mics = ", ".join(settings.config.mics)
            raise DeviceError(f"{error}\nThe preset has microphones ({mics}): --mics says how many there are") from None
        raise


def deck() -> "Deck":
    """Open the deck in the engine's process: this one does without what it imports."""
    from rtkaraoke.transport import Deck

    return Deck()


def _check_extra() -> None:
    from importlib.util import find_spec

    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise NightError(f"the page needs packages that are missing ({', '.join(missing)}): {WAY_OUT}")


def _scan(library: "Library") -> None:
    began_s = time.monotonic()

    def progress(number: int, total: int, _path: str) -> None:
        if sys.stderr.isatty() and number % 20 == 0:
            sys.stderr.write(f"\rreading songs: {number} of {total} ")
            sys.stderr.flush()

    report = library.scan(progress)
    if sys.stderr.isatty():
        sys.stderr.write("\r\x1b[K")
    note(f"{report.n_songs} songs, looked through in {time.monotonic() - began_s:.1f} s")
    for problem in report.problems[:5]:
        note(f"{problem.path}: {problem.reason}")
    if len(report.problems) > 5:
        note(f"... and {len(report.problems) - 5} more with problems")


def _welcome(keys: "Keys", port: int, guest_url: str) -> None:
    """Say where the page is, for this machine and for phones."""
    from rtkaraoke.web.serve import terminal_qr

    show(f"On this machine, as host:  http://127.0.0.1:{port}/enter?t={keys.host}")
    if guest_url:
        show(f"For phones:                {guest_url}", f"PIN of the host view:      {keys.pin}", "")
        sys.stdout.write(terminal_qr(guest_url))
    show("Ctrl-C ends the evening; the queue is kept.")
    sys.stdout.flush()


def _wait(session: "LiveSession") -> None:
    while not session.wait(WAIT_S):
        pass
    if session.error is not None:
        raise session.error
