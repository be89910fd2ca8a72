"""Watches a live run until it ends: keys go in, a view, lines or JSON come out."""

import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Protocol

from rtkaraoke.cli.console import is_first_time, note, show_json, stderr
from rtkaraoke.cli.controls import REMOVER, Controls
from rtkaraoke.cli.controls import Session as Controlled
from rtkaraoke.cli.keys import Keys, open_keys
from rtkaraoke.cli.view import Frame, picture, plain_line
from rtkaraoke.errors import RtkaraokeError

if TYPE_CHECKING:
    from rtkaraoke.live.telemetry import LiveEvent, LiveStatus

FRAME_S = 0.1
LINE_S = 10.0
JSON_S = 1.0
MESSAGE_S = 20.0  #: how long the view shows an event
MESSAGES = 3
SAID_ONCE = ("non-commercial", "inference runs on the")  #: in what networks say when they are loaded

Output = Callable[["LiveStatus", float], None]  #: shows a status; the second argument is the time since the start

Tell = Callable[["LiveEvent"], None]


class Session(Controlled, Protocol):
    """The part of :class:`~rtkaraoke.live.process.LiveSession` that is needed here."""

    error: Exception | None

    def start(self) -> "LiveStatus":
        """Begin."""
        ...

    def status(self) -> "LiveStatus":
        """The latest status."""
        ...

    def events(self) -> "list[LiveEvent]":
        """What has happened since the last call."""
        ...

    def wait(self, timeout_s: float | None = None) -> bool:
        """Whether the run has ended."""
        ...

    def stop(self) -> None:
        """End the run."""
        ...


@dataclass(frozen=True, slots=True)
class About:
    """What does not change while it runs."""

    title: str
    source: str  #: what is played, or the input device as the user named it; the status knows its full name
    output: str
    network: str
    song: bool


def watch(session: Session, about: About, *, json: bool = False, keys: Keys | None = None) -> None:
    """Start ``session``, let the user ride it, and stop it, whatever happens.

    Raises
    ------
    RtkaraokeError
        What kept it from running, or ended it.
    """
    try:
        try:
            with _patience(quiet=json):
                status = session.start()
        except RtkaraokeError:
            for event in session.events():
                if event.kind == "notice":  # such as the missing permission that made the latency too long
                    note(event.text)
            raise
        own = {name.partition(".")[2]: value for name, value in status.parameters.items() if name.startswith(REMOVER)}
        controls = Controls(session, own, song=about.song)
        started = time.monotonic()
        tty = sys.stdout.isatty() and not json
        with keys or open_keys() as pressed, _output(about, controls, tty=tty, json=json) as (show, tell):
            if not about.song:
                tell(_notice(f"for a picture beside this sound, delay the video by {status.video_delay_ms} ms"))
            while not controls.ended:
                _tell_news(session, tell, json=json)
                status = session.status()
                show(status, time.monotonic() - started)
                if session.wait(0.0):
                    break
                if status.source.get("ended") and not status.source.get("paused"):
                    session.wait(1e-3 * status.latency_ms)  # the end is still on its way to the speakers
                    break
                if (key := pressed.read(FRAME_S)) is not None:
                    controls.press(key)
            session.stop()
            _tell_news(session, tell, json=json)
            show(session.status(), time.monotonic() - started)
    finally:
        session.stop()
    if session.error is not None:
        raise session.error


def _tell_news(session: Session, tell: Tell, *, json: bool) -> None:
    for event in session.events():
        if json or event.text != str(session.error):  # that one is said at the end, as an error
            tell(event)


@contextmanager
def _patience(*, quiet: bool) -> Iterator[None]:
    """Something that moves while the network is loaded and the sound card opened."""
    console = stderr()
    if quiet or not console.is_terminal:
        yield
        return
    with console.status("starting"):
        yield


@contextmanager
def _output(about: About, controls: Controls, *, tty: bool, json: bool) -> Iterator[tuple[Output, Tell]]:
    """How statuses and events are shown: a view in a terminal, lines elsewhere, JSON for programs."""
    frame = Frame(about.title, about.source, about.output, about.network, 0.0, tuple(controls.help))
    if json:
        show = _every(JSON_S, lambda status, at: show_json({"kind": "status", "elapsed_s": at, **asdict(status)}))
        yield show, lambda event: show_json(asdict(event))
    elif not tty:
        show = _every(LINE_S, lambda status, at: print(plain_line(status, replace(frame, elapsed_s=at)), flush=True))
        yield show, lambda event: note(event.text) if _is_news(event) else None
    else:
        from rich.console import Console
        from rich.live import Live

        messages: deque[tuple[float, str]] = deque(maxlen=MESSAGES)

        def tell(event: "LiveEvent") -> None:
            if _is_news(event):
                messages.append((time.monotonic(), event.text))

        with Live(console=Console(highlight=False), auto_refresh=False) as view:

            def draw(status: "LiveStatus", at: float) -> None:
                now = time.monotonic()
                recent = tuple(text for since, text in messages if now - since < MESSAGE_S)
                view.update(picture(status, replace(frame, elapsed_s=at, messages=recent)), refresh=True)

            yield draw, tell


def _every(seconds: float, show: Output) -> Output:
    """``show`` at once, then when the state changes, and else every so many seconds."""
    last_at, last_state = -seconds, ""

    def sometimes(status: "LiveStatus", at: float) -> None:
        nonlocal last_at, last_state
        if at - last_at >= seconds or status.state != last_state:
            last_at, last_state = at, status.state
            show(status, at)

    return sometimes


def _notice(text: str) -> "LiveEvent":
    from rtkaraoke.live.telemetry import LiveEvent

    return LiveEvent("notice", text)


def _is_news(event: "LiveEvent") -> bool:
    """A network's terms of use, and what computes it, are said on its first run only."""
    return not any(mark in event.text for mark in SAID_ONCE) or is_first_time(event.text)
