"""Single key presses, without Return.

Names: the character itself, or ``up``, ``down``, ``left``, ``right``, ``escape``, ``enter``.
"""

import os
import sys
import time
from types import TracebackType
from typing import Protocol

_SEQUENCES = {"[A": "up", "[B": "down", "[C": "right", "[D": "left"}
_WINDOWS = {"H": "up", "P": "down", "M": "right", "K": "left"}
_NAMES = {"\r": "enter", "\n": "enter", "\x1b": "escape"}


class Keys(Protocol):
    """A source of key presses; a context, because a terminal must be put back as it was."""

    def __enter__(self) -> "Keys":
        """Take the keyboard."""
        ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give the keyboard back."""
        ...

    def read(self, timeout_s: float) -> str | None:
        """The next key's name, or None when none was pressed within ``timeout_s``."""
        ...


class NoKeys:
    """Where there is no terminal: only waits."""

    def __enter__(self) -> "NoKeys":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def read(self, timeout_s: float) -> str | None:
        """Wait; no key ever comes."""
        time.sleep(timeout_s)
        return None


def open_keys() -> Keys:
    """The keyboard, or :class:`NoKeys` when standard input is no terminal."""
    if not sys.stdin or not sys.stdin.isatty():
        return NoKeys()
    if sys.platform == "win32":
        return WindowsKeys()
    return TerminalKeys(sys.stdin.fileno())


def name_of(sequence: str) -> str:
    """The name of a key from what a terminal sends for it."""
    if sequence[:1] == "\x1b" and len(sequence) > 1:
        # Terminals in application mode send ESC O A for ESC [ A.
        return _SEQUENCES.get(sequence[1:].replace("O", "[", 1), "unknown")
    return _NAMES.get(sequence, sequence)


if sys.platform != "win32":
    import select
    import termios
    import tty

    class TerminalKeys:
        """A POSIX terminal without line editing and echo; Ctrl-C still interrupts."""

        def __init__(self, descriptor: int) -> None:
            self._descriptor = descriptor
            self._before = termios.tcgetattr(descriptor)
            self._ended = False

        def __enter__(self) -> "TerminalKeys":
            tty.setcbreak(self._descriptor)
            return self

        def __exit__(self, *_: object) -> None:
            termios.tcsetattr(self._descriptor, termios.TCSADRAIN, self._before)

        def _ready(self, timeout_s: float) -> bool:
            return bool(select.select([self._descriptor], [], [], timeout_s)[0])

        def read(self, timeout_s: float) -> str | None:
            """See :class:`Keys`."""
            if self._ended:
                time.sleep(timeout_s)
                return None
            if not self._ready(timeout_s):
                return None
            first = os.read(self._descriptor, 1)
            if not first:
                self._ended = True  # the terminal is gone: from here on select would return at once, for ever
                return None
            if first != b"\x1b":
                return name_of(first.decode("ascii", "replace"))
            # A cursor key is ESC and two more bytes that come together; ESC alone comes alone.
            rest = os.read(self._descriptor, 2) if self._ready(0.02) else b""
            return name_of("\x1b" + rest.decode("ascii", "replace"))

else:
    import msvcrt

    class WindowsKeys:
        """The Windows console."""

        def __enter__(self) -> "WindowsKeys":
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def read(self, timeout_s: float) -> str | None:
            """See :class:`Keys`."""
            until = time.monotonic() + timeout_s
            while not msvcrt.kbhit():
                if time.monotonic() >= until:
                    return None
                time.sleep(0.02)
            key = msvcrt.getwch()
            if key in ("\x00", "\xe0"):
                return _WINDOWS.get(msvcrt.getwch(), "unknown")
            return name_of(key)
