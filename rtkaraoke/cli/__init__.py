"""The command line: the only place where objects are wired together.

Exit codes: 0 done · 2 something the user can mend, said in one message · 130 Ctrl-C · 1 a bug, with its traceback.
"""

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from types import FrameType
from typing import TYPE_CHECKING

from rtkaraoke.errors import RtkaraokeError

if TYPE_CHECKING:
    from cyclopts import CycloptsError

USER_ERROR = 2
INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    Parameters
    ----------
    argv : sequence of str, optional
        Without the program's name; ``sys.argv`` when left out.
    """
    from cyclopts import CycloptsError

    from rtkaraoke.cli.app import app
    from rtkaraoke.cli.console import error

    try:
        with _ending_politely():
            arguments = sys.argv[1:] if argv is None else list(argv)
            code = app(arguments, exit_on_error=False, print_error=False, result_action="return_value")
            sys.stdout.flush()  # here, where a closed pipe can still be met
            return int(code or 0)
    except CycloptsError as problem:
        error(
            f"{_words(problem)}\n`{' '.join(('rtkaraoke', *(problem.command_chain or ())))} --help` shows what there is"
        )
        return USER_ERROR
    except RtkaraokeError as problem:
        error(str(problem))
        return USER_ERROR
    except BrokenPipeError:
        # `rtkaraoke ... | head`: not worth a word, and Python shall not complain either when it flushes at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as problem:
        # A full disk, a folder without permission: the system's own words are clear enough.
        place = f"{problem.filename}: " if problem.filename else ""
        error(f"{place}{problem.strerror or problem}")
        return USER_ERROR
    except KeyboardInterrupt:
        return INTERRUPTED
    except SystemExit as problem:
        return problem.code if isinstance(problem.code, int) else int(problem.code is not None)


def _words(problem: "CycloptsError") -> str:
    from cyclopts import UnusedCliTokensError

    if isinstance(problem, UnusedCliTokensError):
        return f"more than was expected: {' '.join(problem.unused_tokens or ())}"
    return str(problem)


@contextlib.contextmanager
def _ending_politely() -> Iterator[None]:
    """Let SIGTERM and a closed terminal end the program as Ctrl-C does: every ``finally`` runs, no half file stays."""

    def stop(signum: int, _frame: FrameType | None) -> None:
        raise SystemExit(128 + signum)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    signals = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    # What is ignored stays ignored: `nohup rtkaraoke live` outlives its terminal.
    signals = [number for number in signals if signal.getsignal(number) != signal.SIG_IGN]
    before = {number: signal.signal(number, stop) for number in signals}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
