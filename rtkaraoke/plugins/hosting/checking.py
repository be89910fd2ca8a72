"""The checks of a plugin's contract in a process of their own: a plugin that hangs or crashes ends them with a message.

The process gives a sign of life whenever it makes a plugin, which it does for every few seconds of sound. So what takes
long is not mistaken for what hangs.
"""

import faulthandler
import os
import pickle
import signal
from collections.abc import Iterator
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from rtkaraoke.errors import PluginError, RtkaraokeError
from rtkaraoke.plugins import check
from rtkaraoke.plugins.check import CheckResult
from rtkaraoke.plugins.harness import Create
from rtkaraoke.plugins.hosting.hosted import POLITE_S, explain_exit
from rtkaraoke.plugins.protocol import Plugin
from rtkaraoke.processes import end, start_deaf

FIRST_S = 180.0  #: until the plugin has been made once: the first start of a new version compiles kernels
PATIENCE_S = 60.0  #: without a sign of life from then on; a contained plugin's own hang is found out sooner


def check_contained(create: Create) -> Iterator[CheckResult]:
    """Run every check of :data:`~rtkaraoke.plugins.check.CHECKS` in a process of its own, one result at a time.

    Parameters
    ----------
    create : callable
        Picklable; makes a new plugin.

    Raises
    ------
    RtkaraokeError
        When the plugin cannot be made, hangs, or takes the process with it.
    """
    context = get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    waiting = list(check.CHECKS)
    process = context.Process(
        target=_main, args=(theirs, pickle.dumps(create), tuple(waiting)), name="rtkaraoke-check", daemon=True
    )
    try:
        try:
            start_deaf(process)
        finally:
            theirs.close()
        doing, patience_s = "making it", FIRST_S
        while waiting:
            if not ours.poll(patience_s):
                raise PluginError(
                    f"the plugin hangs ({doing}): nothing has come of it for {patience_s:g} s. One of its methods does "
                    "not return; in a chain, external:NAME keeps the sound going beside such a plugin"
                )
            try:
                said: Any = ours.recv()
            except (EOFError, OSError):
                process.join(POLITE_S)
                raise PluginError(f"the plugin crashed ({doing}): {explain_exit(process.exitcode)}") from None
            if isinstance(said, RtkaraokeError):
                raise said
            if isinstance(said, CheckResult):
                waiting.pop(0)
                yield said
            doing, patience_s = f"check {''.join(waiting[:1])!r}", PATIENCE_S
    finally:
        ours.close()
        end(process, 0.0)


def _main(parent: Connection, factory: bytes, names: tuple[str, ...]) -> None:
    """Check one plugin; the entry point of the process.

    To the parent go None as a sign of life, each :class:`CheckResult`, and the error of a plugin that cannot be made.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    create: Create = pickle.loads(factory)
    with Path(os.devnull).open("w") as nowhere:

        def made() -> Plugin:
            parent.send(None)  # which fails, and ends us, where the parent is gone
            # So does this where the plugin holds the interpreter's lock and never comes to it.
            faulthandler.dump_traceback_later(FIRST_S + PATIENCE_S, exit=True, file=nowhere)
            return create()

        faulthandler.dump_traceback_later(FIRST_S + PATIENCE_S, exit=True, file=nowhere)
        try:
            create().close()  # a plugin that is not there is a mistake of the user, not of the plugin
        except RtkaraokeError as error:
            parent.send(error)
            return
        for result in check.check_plugin(made, names):
            parent.send(result)
        faulthandler.cancel_dump_traceback_later()
