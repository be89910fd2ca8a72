"""Child processes: started where none is allowed, deaf to Ctrl-C from the first instruction on, ended for certain."""

import signal
import sys
import threading
from contextlib import suppress
from multiprocessing import connection, current_process, resource_tracker
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess

TERMINATE_S = 0.2  #: from SIGTERM to SIGKILL

_starting = threading.Lock()


def start_deaf(process: "BaseProcess") -> None:
    """Start ``process`` so that Ctrl-C, which goes to the whole process group, never reaches it.

    It inherits this thread's signal mask, so it is deaf from its first instruction on, not only once it gets to
    ignore the signal. The engine's process, a daemon, may have children too: they watch their parent by themselves.
    """
    with _starting:
        us = current_process()
        daemon, us.daemon = us.daemon, False
        before = None
        try:
            if sys.platform != "win32":
                resource_tracker.ensure_running()  # it would unblock the signal again on its way
                before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
            process.start()
        finally:
            if before is not None:
                signal.pthread_sigmask(signal.SIG_SETMASK, before)
            us.daemon = daemon


def end(process: "BaseProcess", patience_s: float) -> None:
    """See to it that ``process`` is gone: by itself within ``patience_s`` seconds, by SIGTERM, by SIGKILL."""
    process.join(patience_s)
    if process.exitcode is None:
        process.terminate()
        process.join(TERMINATE_S)
    if process.exitcode is None:
        process.kill()
        process.join()
        connection.wait([process.sentinel], TERMINATE_S)
    with suppress(ValueError):  # it is gone, but its exit code was collected elsewhere: multiprocessing cannot tell
        process.close()
