"""The host's hold on one child process: start it, hand it blocks, find out what became of it, end it."""

import pickle
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import connection, get_context
from typing import Any

from rtkaraoke.errors import PluginError
from rtkaraoke.plugins.hosting import child
from rtkaraoke.plugins.hosting.exchange import SLOTS, Description, Exchange, Preparation
from rtkaraoke.plugins.protocol import Plugin
from rtkaraoke.processes import end, start_deaf

START_S = 60.0  #: for a plugin to be made and prepared; some look for their licence on the way
POLITE_S = 0.3  #: from letting go of a child until it is terminated


class Hosted:
    """One child process with one plugin, from its start to its end. It is never started twice.

    Parameters
    ----------
    factory : callable
        Picklable; makes the plugin, in the child.
    on_start : callable or None
        Picklable; raises the child's priority once it is prepared.
    cancelled : Event
        Set when nobody waits for it any more.

    Attributes
    ----------
    description : Description
    exchange : Exchange or None
        The shared memory, from :meth:`prepare` on.
    n_sent, n_answered : int
        Blocks handed over, answers that were seen to arrive.
    fault : str
        What the worker found wrong with an answer.

    Raises
    ------
    PluginError
        When the plugin cannot be made.
    """

    def __init__(
        self, factory: Callable[[], Plugin], on_start: Callable[[], None] | None, cancelled: threading.Event
    ) -> None:
        context = get_context("spawn")
        self.control, control = context.Pipe()
        self._wire, wire = socket.socketpair()
        self._wire.setblocking(False)
        self._arrived = bytearray(2 * SLOTS)
        self._cancelled = cancelled
        self._has_ended = False
        self._done, self._since_s = 0, 0.0
        self.exchange: Exchange | None = None
        self.n_sent = self.n_answered = 0
        self.alive = True
        self.fault = ""
        self.process = context.Process(
            target=child.main,
            args=(control, wire, pickle.dumps(factory), pickle.dumps(on_start)),
            name="rtkaraoke-plugin",
            daemon=True,
        )
        try:
            start_deaf(self.process)
        finally:
            control.close()
            wire.close()
        self.description: Description = self._expect("described")

    def prepare(self, sample_rate: int, n_channels: int, block: int, values: tuple[float, ...]) -> int:
        """Get ready for blocks ``(n_channels, block)`` at ``sample_rate`` Hz; returns the plugin's latency in samples.

        Raises
        ------
        PluginError
            When the plugin refuses.
        """
        self.exchange = Exchange(n_channels, block, len(values))
        with suppress(OSError):  # if it has ended, the next line finds out why
            self.control.send(Preparation(sample_rate, n_channels, block, values, self.exchange.name))
        latency: int = self._expect("ready")
        self._since_s = time.monotonic()
        self.exchange.unlink()
        return latency

    def send(self) -> None:
        """Hand over the next slot, which is filled. Realtime safe."""
        self.n_sent += 1
        try:
            self._wire.send(b"\0")
        except OSError:
            self.alive = False

    def take_answers(self, wait_ms: int) -> None:
        """See which answers have come; wait so many milliseconds for one if there is none. Realtime safe."""
        try:
            self._wire.settimeout(1e-3 * wait_ms)
            n_answers = self._wire.recv_into(self._arrived)
        except (BlockingIOError, TimeoutError):
            return
        except OSError:
            n_answers = 0
        self.n_answered += n_answers
        self.alive = self.alive and n_answers > 0

    def find_fault(self, hang_s: float) -> str:
        """What has gone wrong, or an empty string; ``hang_s`` seconds without an answer are a fault.

        Not for the worker's thread.
        """
        with suppress(EOFError, OSError):
            if self.control.poll():
                kind, content = self.control.recv()
                if kind == "failed":
                    return str(content)
        if self.process.exitcode is not None:
            return explain_exit(self.process.exitcode)
        if not self.fault and not self.alive:
            self.process.join(POLITE_S)
            return explain_exit(self.process.exitcode)
        return self.fault or self._find_hang(hang_s)

    def give_up(self, fault: str) -> None:
        """Note what is wrong with an answer: no further one is wanted. Realtime safe."""
        self.fault = fault
        self.alive = False

    def end(self, patience_s: float = 0.0) -> None:
        """End the child. The worker may still look at this object and at its memory."""
        if not self._has_ended:
            self._has_ended = True
            self.alive = False
            with suppress(OSError):
                self._wire.shutdown(socket.SHUT_RDWR)
            end(self.process, patience_s)

    def close(self) -> None:
        """End the child and let go of everything. May be called twice."""
        self.end(POLITE_S)
        self.control.close()
        self._wire.close()
        if self.exchange is not None:
            self.exchange.close()

    def _find_hang(self, hang_s: float) -> str:
        """Whether blocks lie before the plugin and it has not moved for too long."""
        if self.exchange is None:
            return ""
        done, now_s = int(self.exchange.done[0]), time.monotonic()
        if done != self._done or done >= self.n_sent:
            self._done, self._since_s = done, now_s
        elif now_s - self._since_s > hang_s:
            return f"it has not answered for {now_s - self._since_s:.1f} s"
        return ""

    def _expect(self, wanted: str) -> Any:
        """The child's next word, which has to be of the kind ``wanted``; the child is ended when it is not."""
        try:
            deadline_s = time.monotonic() + START_S
            while not connection.wait([self.control, self.process.sentinel], 0.1):
                if self._cancelled.is_set():
                    raise PluginError("it was not waited for")
                if time.monotonic() > deadline_s:
                    raise PluginError(f"it was not ready after {START_S:g} s")
            if self.control.poll():
                kind, content = self.control.recv()
                if kind == wanted:
                    return content
                raise PluginError(str(content))
            self.process.join(POLITE_S)
            raise PluginError(explain_exit(self.process.exitcode))
        except (EOFError, OSError):
            self.process.join(POLITE_S)
            exitcode = self.process.exitcode
            self.close()
            raise PluginError(explain_exit(exitcode)) from None
        except BaseException:
            self.close()
            raise


def explain_exit(exitcode: int | None) -> str:
    """What an exit code (None: not there yet) says of a process that has let go of its connection, in words."""
    if exitcode is not None and exitcode < 0:
        return f"its process was ended by signal {-exitcode}"
    if exitcode is None:
        return "its process ended the connection"
    return f"its process ended by itself (exit code {exitcode})"
