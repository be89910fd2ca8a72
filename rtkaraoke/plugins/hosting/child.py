"""The process of a contained plugin: whatever happens to the plugin happens here, and this process can be ended."""

import contextlib
import gc
import os
import pickle
import signal
import sys
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from queue import SimpleQueue
from socket import socket
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtkaraoke.errors import RtkaraokeError
from rtkaraoke.plugins.hosting.exchange import SLOTS, Description, Exchange, Preparation
from rtkaraoke.plugins.protocol import Parameter, Plugin

BREATH_S = 1.0  #: how often the watching thread sees that it still runs
SUFFOCATED_S = 5.0  #: without a breath for so long (the plugin holds the interpreter's lock), the kernel ends us
LONGEST_GOODBYE_S = 1.0  #: the plugin's time to close once the host is gone


def main(control: Connection, wire: socket, factory: bytes, on_start: bytes) -> None:
    """Make a plugin and run blocks through it until the host lets go; the entry point of the process.

    Parameters
    ----------
    control : Connection
        To the host go pairs: ``described`` with a :class:`Description`, ``ready`` with the latency in samples,
        ``failed`` with a text. From it comes one :class:`Preparation`.
    wire : socket
        A byte from the host: the next block lies ready. A byte to the host: the next answer does.
    factory, on_start : bytes
        Pickled callables: makes the plugin; raises this process's priority, or None. Unpacked here, so that what
        they import can fail with a message.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _lower_priority()
    _silence()
    watch = _Watch(control)
    try:
        plugin = _make(pickle.loads(factory))
        names = tuple(plugin.parameters)
        _say(control, "described", _describe(plugin))
        preparation = watch.preparations.get()
        if preparation is None:
            return
        exchange = Exchange(preparation.n_channels, preparation.block, len(names), preparation.memory)
        with contextlib.closing(plugin):
            for name, value in zip(names, preparation.values, strict=True):
                plugin.set(name, value)
            plugin.prepare(preparation.sample_rate, preparation.n_channels, preparation.block)
            watch.ready(pickle.loads(on_start))
            _say(control, "ready", int(plugin.latency))
            _serve(plugin, names, preparation.values, exchange, wire)
    except Exception as error:  # noqa: BLE001  foreign code: whatever it raises, the host tells the user
        _say(control, "failed", explain(error))


def explain(error: BaseException) -> str:
    """One line for the user: our own errors speak for themselves, others with their type."""
    if isinstance(error, RtkaraokeError):
        return str(error)
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def _make(factory: Callable[[], Plugin]) -> Plugin:
    plugin = factory()
    if not isinstance(plugin, Plugin):
        raise TypeError(f"{type(plugin).__name__} is no plugin: it wants all of rtkaraoke.plugins.protocol.Plugin")
    return plugin


def _describe(plugin: Plugin) -> Description:
    """Plain data of our own classes: the host imports nothing of the plugin's."""
    parameters = tuple(
        Parameter(p.name, p.unit, float(p.minimum), float(p.maximum), float(p.default), p.description, tuple(p.choices))
        for p in plugin.parameters.values()
    )
    presets = getattr(plugin, "presets", {})
    return Description(str(plugin.name), parameters, {str(name): dict(presets[name]) for name in presets})


def _serve(plugin: Plugin, names: tuple[str, ...], values: tuple[float, ...], exchange: Exchange, wire: socket) -> None:
    """Answer block after block until the host lets go of the wire."""
    known = list(values)
    out = exchange.slots[0].returned.copy()  # a plugin may write here after its turn; the shared memory is not for it
    arrived = bytearray(SLOTS)
    turn = 0
    while n_blocks := _wait(wire, arrived):
        for _ in range(n_blocks):
            slot = exchange.slots[turn % SLOTS]
            turn += 1
            if slot.reset[0]:
                _move(plugin, names, known, slot.values[0])
                plugin.reset()
            _move(plugin, names, known, slot.values[1])
            plugin.process(slot.sent, out)
            slot.returned[:] = out
            exchange.done[0] = turn
            wire.send(b"\0")


def _wait(wire: socket, arrived: bytearray) -> int:
    """How many blocks have come; 0 when none will any more."""
    try:
        return wire.recv_into(arrived)
    except OSError:
        return 0


def _move(plugin: Plugin, names: tuple[str, ...], known: list[float], values: NDArray[np.float64]) -> None:
    """Set the parameters whose value is not the ``known`` one."""
    for index, value in enumerate(values):
        if value != known[index]:
            known[index] = float(value)
            plugin.set(names[index], known[index])


class _Watch:
    """Ends this process when the host is gone, whatever the plugin is doing; a thread of its own.

    Python cannot run it while a plugin holds the interpreter's lock for good. Then the kernel's alarm, which it sets
    anew with every breath, goes off.
    """

    def __init__(self, control: Connection) -> None:
        self.preparations: SimpleQueue[Preparation | None] = SimpleQueue()
        self._control = control
        self._on_ready: SimpleQueue[Callable[[], None]] = SimpleQueue()
        threading.Thread(target=self._run, name="rtkaraoke-watch", daemon=True).start()

    def ready(self, raise_priority: Callable[[], None] | None) -> None:
        """Loading, which may hold the lock for long and ought not to run at high priority, is over."""
        if raise_priority is not None:
            raise_priority()
        self._on_ready.put(raise_priority or _nothing)
        _breathe()
        gc.freeze()

    def _run(self) -> None:
        ready = False
        while True:
            if not self._on_ready.empty():
                self._on_ready.get()()
                ready = True
            if ready:
                _breathe()
            try:
                if self._control.poll(BREATH_S):
                    self.preparations.put(self._control.recv())
            except (EOFError, OSError):
                self.preparations.put(None)
                time.sleep(LONGEST_GOODBYE_S)
                os._exit(1)


def _breathe() -> None:
    """Put the kernel's alarm off, where there is one."""
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, SUFFOCATED_S)


def _nothing() -> None:
    """At ordinary priority."""


def _say(control: Connection, kind: str, content: Any) -> None:
    with contextlib.suppress(OSError):  # the host is gone: the watching thread ends us
        control.send((kind, content))


def _lower_priority() -> None:
    """A thread of high priority may have started us; to load a plugin is not urgent."""
    if hasattr(os, "sched_setscheduler"):
        with contextlib.suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


def _silence() -> None:
    """What a plugin prints would tear the terminal's view apart, or fill a pipe that nobody reads."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(nowhere, stream)
    os.close(nowhere)
    sys.stdout = sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115  open for life
