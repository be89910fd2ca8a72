"""A plugin in a process of its own: it may crash, hang or return nonsense, and the sound goes on.

Blocks of any size are cut into blocks of one size. One that is complete is handed to the child; its answer is taken
only when the first sample that needs it is due, one such block later. That is the price: one block of latency, in
which the child has all the time between two blocks, and every partition of the input gives the same bits::

    block ─► blocks of 128 ─► shared memory ─► child ─► shared memory ─► wet ─┐
                  └─► delay of the plugin's own latency ──────────────► dry ─┴─► cross-fade ─► out

An answer that is late is done without: the delayed input stands in, and the plugin comes back after an unbroken run of
answers in time. A child that raised, died, hangs, or returned what is no sound is ended and, in a live run, started
again a few times. A file waits for every answer, and a render that lost its effect would be worse than none: there a
failure is an error.
"""

import math
import time
from collections.abc import Callable, Mapping

import numpy as np

from rtkaraoke.dsp import kernels
from rtkaraoke.errors import PluginError
from rtkaraoke.masks.deadline import HoldPolicy
from rtkaraoke.masks.runner import NO_DEADLINE
from rtkaraoke.plugins.hosting.exchange import SLOTS
from rtkaraoke.plugins.hosting.hosted import Hosted
from rtkaraoke.plugins.hosting.keeper import LONGEST_WAIT_S, RESTARTS, Keeper
from rtkaraoke.plugins.protocol import Block, Parameter, Parameters, Plugin

BLOCK = 128  #: samples; the latency that containment costs
SHORTEST_WAIT_NS = 2_000_000  #: where a block is shorter: waits are whole milliseconds
BURST_S = 10.0  #: late answers that are no further apart are told of once
LATE = (
    "its answers come late. Its input passes until they are in time again; where this goes on, other programs take too "
    "much of the machine, or the plugin does"
)
LOUDEST = 1000.0  #: a peak above +60 dB is no sound any more
BYPASS = Parameter("bypass", "", 0, 1, 0, "the input, delayed", ("off", "on"))


class External(Parameters):
    """Runs another plugin in a child process.

    Parameters
    ----------
    factory : callable
        Makes the plugin, in the child: a picklable callable such as a class, or a :func:`functools.partial` of a
        function, at the top of a module.
    block : int
        Samples that are exchanged at a time: the latency that this adds to the plugin's own.
    on_start : callable, optional
        Picklable; raises the priority of the thread that watches the child, and that of the child once it is
        prepared.
    restarts : int
        How often a plugin that failed in a live run is started again.

    Attributes
    ----------
    name : str
        The plugin's own.
    presets : mapping
        The plugin's own: name to the values of its parameters.
    deadline_ns : int
        Until when (``time.monotonic_ns``) the next block may wait for an answer. The engine sets it.

    Raises
    ------
    PluginError
        When the plugin cannot be made.
    """

    def __init__(
        self,
        factory: Callable[[], Plugin],
        *,
        block: int = BLOCK,
        on_start: Callable[[], None] | None = None,
        restarts: int = RESTARTS,
    ) -> None:
        if block < 1:
            raise PluginError(f"a block of {block} samples: wanted 1 or more, {BLOCK} is a good value")
        self._keeper = Keeper(factory, on_start, restarts)
        description = self._keeper.description
        self.name = description.name
        self.presets: Mapping[str, Mapping[str, float]] = description.presets
        self._index = {parameter.name: index for index, parameter in enumerate(description.parameters)}
        self._can_bypass = BYPASS.name not in self._index
        super().__init__([*description.parameters, *([BYPASS] if self._can_bypass else [])])
        self._wanted = np.array([self.get(name) for name in self._index], np.float64)
        self._at_reset = self._wanted.copy()
        self._block = block
        self._inner_latency = 0
        self._sample_rate = 0
        self.deadline_ns = NO_DEADLINE
        self._asked: Hosted | None = None  # who has the block that is due next, and which one that is
        self._asked_for = 0
        self._fill = 0  # of the block that is being gathered
        self._submitted = self._forget = False
        self._wet = True
        self.n_late = self.n_skipped = self.n_dry = 0
        self._n_told, self._late_s = 0, -math.inf  # of news()

    @property
    def latency(self) -> int:
        """Samples: one exchanged block and, once prepared, the plugin's own."""
        return self._block + self._inner_latency

    @property
    def error(self) -> PluginError | None:
        """Why the plugin is bypassed for good, if it is."""
        return self._keeper.error

    @property
    def notes(self) -> list[str]:
        """What a person should read, once each: failures, and what was done about them."""
        return self._keeper.notes

    @property
    def counters(self) -> dict[str, int]:
        """Exchanged blocks since the last reset: answered late, not seen by the plugin, heard without it."""
        return {
            f"{self.name}.late": self.n_late,
            f"{self.name}.skipped": self.n_skipped,
            f"{self.name}.dry": self.n_dry,
        }

    def news(self) -> list[str]:
        """That answers come late, once for each burst of them; for a thread that is not in a hurry."""
        n_lost, now_s = self.n_late + self.n_skipped, time.monotonic()
        late, self._n_told = n_lost > self._n_told, n_lost  # fewer than before were counted since a reset
        if not late:
            return []
        begins, self._late_s = now_s - self._late_s > BURST_S, now_s
        return [f"{self.name}: {LATE}"] if begins else []

    def set(self, name: str, value: float) -> None:
        """See :class:`~rtkaraoke.plugins.protocol.Plugin`. It holds from the next exchanged block on."""
        super().set(name, value)
        if name in self._index:
            self._wanted[self._index[name]] = self.get(name)

    def prepare(self, sample_rate: int, n_channels: int, max_block: int) -> None:
        """See :class:`~rtkaraoke.plugins.protocol.Plugin`.

        Raises
        ------
        PluginError
            When the plugin refuses, or cannot be started again.
        """
        block = self._block
        self._keeper.patient = True
        try:
            self._inner_latency = self._keeper.prepare(sample_rate, n_channels, block, lambda: tuple(self._wanted))
        except PluginError as error:
            raise PluginError(f"plugin {self.name!r}: {error}") from None
        self._sample_rate = sample_rate
        self._wait_ns = max(round(1e9 * block / sample_rate), SHORTEST_WAIT_NS)
        self._policy = HoldPolicy(block / sample_rate, hold_s=0.0, fade_s=0.0)
        self._gathered, self._clean, self._current, self._answer, self._heard, self._faded = (
            np.zeros((n_channels, block), np.float32) for _ in range(6)
        )
        self._history = np.zeros((n_channels, self._inner_latency + block), np.float32)
        self._oldest, self._newest = self._history[:, :block], self._history[:, self._inner_latency :]
        self._meter = np.zeros((n_channels, 2))
        self._rise = np.arange(1, block + 1, dtype=np.float32) / np.float32(block)
        self.reset()

    def process(self, block: Block, out: Block) -> None:
        """See :class:`~rtkaraoke.plugins.protocol.Plugin`.

        Raises
        ------
        PluginError
            When the plugin failed and this is a file.
        """
        start, n_samples = 0, block.shape[1]
        while start < n_samples:
            if self._fill == 0 and self._submitted:
                self._take()
            run = min(n_samples - start, self._block - self._fill)
            stop = self._fill + run
            self._gathered[:, self._fill : stop] = block[:, start : start + run]
            out[:, start : start + run] = self._current[:, self._fill : stop]
            start += run
            self._fill = stop
            if stop == self._block:
                self._fill = 0
                self._hand_over()

    def reset(self) -> None:
        """See :class:`~rtkaraoke.plugins.protocol.Plugin`."""
        if self._sample_rate:
            self._policy.reset()
            self._current.fill(0.0)
            self._heard.fill(0.0)
            self._history.fill(0.0)
        self._fill = 0
        self._submitted = False
        self._forget = True
        np.copyto(self._at_reset, self._wanted)
        self._asked = None
        self._wet = not self._bypassed
        self.n_late = self.n_skipped = self.n_dry = 0

    def close(self) -> None:
        """See :class:`~rtkaraoke.plugins.protocol.Plugin`."""
        self._asked = None
        self._keeper.close()

    @property
    def _bypassed(self) -> bool:
        return self._can_bypass and self.get(BYPASS.name) >= 0.5

    def _hand_over(self) -> None:
        """Give the block that is complete to the child, unless that is two blocks behind."""
        kernels.shift_left(self._history, self._block)
        kernels.take_in(self._gathered, self._clean, self._meter)  # no NaN into anybody's feedback
        np.copyto(self._newest, self._clean)
        self._submitted = True
        self._asked = None
        hosted = self._keeper.hosted
        if hosted is None or not hosted.alive or hosted.exchange is None:
            return
        hosted.take_answers(0)
        if hosted.n_sent - hosted.n_answered >= SLOTS:
            self.n_skipped += 1
            return
        slot = hosted.exchange.slots[hosted.n_sent % SLOTS]
        np.copyto(slot.sent, self._clean)
        np.copyto(slot.values[0], self._at_reset)
        np.copyto(slot.values[1], self._wanted)
        slot.reset[0] = self._forget
        self._forget = False
        hosted.send()
        self._asked, self._asked_for = hosted, hosted.n_sent

    def _take(self) -> None:
        """Make the next block of output: the answer, the delayed input, or the way from one to the other."""
        fresh = self._collect()
        if not fresh and self.deadline_ns == NO_DEADLINE:
            raise self._keeper.explain()
        wet = self._policy.update(fresh) == 1.0 and not self._bypassed
        self.n_dry += not wet
        if wet and self._wet:
            np.copyto(self._current, self._answer)
        elif wet:
            self._fade(self._oldest, self._answer)
        elif self._wet:
            # Without an answer to fade from, what was heard last goes on as its mirror image: no step, same spectrum.
            self._fade(self._answer if fresh else self._heard[:, ::-1], self._oldest)
        else:
            np.copyto(self._current, self._oldest)
        self._wet = wet
        self._answer, self._heard = self._heard, self._answer

    def _collect(self) -> bool:
        """Fetch the answer to the block handed over last; False when there is none, or it is no sound."""
        hosted = self._asked
        self._keeper.patient = patient = self.deadline_ns == NO_DEADLINE
        if hosted is None or hosted.exchange is None:
            return False
        now_ns = time.monotonic_ns()
        longest_ns = round(1e9 * LONGEST_WAIT_S) if patient else self._wait_ns
        until_ns = min(self.deadline_ns, now_ns + longest_ns)
        hosted.take_answers(0)
        while hosted.n_answered < self._asked_for and hosted.alive:
            wait_ms = (until_ns - time.monotonic_ns()) // 1_000_000
            if wait_ms < 1:
                self.n_late += 1
                return False
            hosted.take_answers(wait_ms)
        if hosted.n_answered < self._asked_for:
            return False
        self._meter.fill(0.0)
        returned = hosted.exchange.slots[(self._asked_for - 1) % SLOTS].returned
        if n_bad := kernels.take_in(returned, self._answer, self._meter):
            hosted.give_up(f"it returned {n_bad} samples that are no numbers")
            return False
        if (peak := self._meter[:, 0].max()) > LOUDEST:
            hosted.give_up(f"it returned a peak of {peak:.3g}, where full scale is 1")
            return False
        return True

    def _fade(self, start: Block, end: Block) -> None:
        """Fill the current block with a linear cross-fade."""
        np.subtract(end, start, out=self._faded)
        np.multiply(self._faded, self._rise, out=self._faded)
        np.add(start, self._faded, out=self._current)
