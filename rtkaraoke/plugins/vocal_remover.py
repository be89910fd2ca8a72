"""The vocal remover: a plugin that takes a share of the voice out of its input, or leaves nothing but the voice.

Blocks of any size are cut into hops. A hop that is complete is transformed and submitted to the mask runner; its
mask is collected only when the first sample that needs it is due, one hop boundary later. So the network
has the time between two blocks to itself, and every partition of the input gives the same bits::

    block ─► hops ─► analysis ─► submit ··· collect ─► mask x spectrum ─► synthesis = voice
       └───► delay of 2 hops + look-ahead ───────────────────────────► dry gain x delayed + voice gain x voice

The gains are those of :class:`~rtkaraoke.plugins.voice_mix.VoiceMix`.
"""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from rtkaraoke.dsp import kernels
from rtkaraoke.dsp.kernels.fade import substitute
from rtkaraoke.dsp.stft import StreamingStft
from rtkaraoke.errors import PluginError
from rtkaraoke.geometry import StftGeometry
from rtkaraoke.masks.batched import BatchedMask
from rtkaraoke.masks.centre import CentreMask, CentreNetwork
from rtkaraoke.masks.deadline import FED, FRESH, DecisionLog, HoldPolicy
from rtkaraoke.masks.protocol import Mask, MaskNetwork, Spectrum
from rtkaraoke.masks.runner import NO_DEADLINE, BlockingRunner, MaskRunner, ReplayRunner, StepTimes, ThreadedRunner
from rtkaraoke.plugins.protocol import Block, Parameters
from rtkaraoke.plugins.voice_mix import FALLBACKS, REMOVED_DB, VoiceLevels, VoiceMix, declared

__all__ = ["FALLBACKS", "REMOVED_DB", "VocalRemover"]

AVERAGE_S = 2.0  #: time constant of the average mask


class VocalRemover(Parameters):
    """Suppresses the voice with a mask network.

    Parameters
    ----------
    network : MaskNetwork
        What decides which part of each bin is voice. Its recommended strength, bias, alpha and theta are the defaults.
    threaded : bool
        Whether masks are computed on a thread of its own and may come late (live), or are waited for (files).
    fallback : str
        What stands in when masks stay away: ``mixture`` (the music untouched), ``centre`` (the classical
        centre-channel mask) or ``average`` (the average mask of the last seconds).
    replay : bytes, optional
        The decision log of a live run, to be repeated; excludes ``threaded``.
    on_thread_start : callable, optional
        Run once on the mask thread, to raise its priority.

    Attributes
    ----------
    deadline_ns : int
        Until when (``time.monotonic_ns``) the next block may wait for a mask. The engine sets it.
    voice : ndarray, float32 ``(channel, max_block)``
        The voice alone, for the samples of the last block.
    duck : ndarray, float32 ``(max_block,)``
        How much of the voice at its level is left in each sample of the next block: 0 all, -1 nothing. The engine
        fills it while somebody sings.
    decisions : DecisionLog
        What became of each hop.

    Raises
    ------
    PluginError
        For an unknown fallback, or a replay on a thread.
    """

    name = "vocal_remover"

    def __init__(
        self,
        network: MaskNetwork,
        *,
        threaded: bool = False,
        fallback: str = "mixture",
        replay: bytes | None = None,
        on_thread_start: Callable[[], None] | None = None,
    ) -> None:
        if fallback not in FALLBACKS:
            raise PluginError(f"fallback {fallback!r}: there are {', '.join(FALLBACKS)}")
        if threaded and replay is not None:
            raise PluginError("a replay waits for every mask: it cannot be threaded")
        info = network.info
        super().__init__(declared(info, fallback))
        self.network = network
        self.deadline_ns = NO_DEADLINE
        self.decisions = DecisionLog()
        self.step_times = StepTimes()
        self._threaded = threaded
        self._replay = replay
        self._on_thread_start = on_thread_start
        self._geometry = info.geometry
        self._runner: MaskRunner | None = None
        self._mix = VoiceMix()
        self.duck: NDArray[np.float32] = np.zeros(0, np.float32)
        self._known: NDArray[np.float32] | None = None  # see known_voice
        self._smoothing = 0.0
        self._fill = self._delay_at = self._newest = 0
        self._submitted = self._was_fed = False
        self.n_hops = self.n_late = self.n_skipped = self.n_held = self.n_fallback = 0

    @property
    def latency(self) -> int:
        """Samples: two hops and the network's look-ahead."""
        return self._geometry.latency

    @property
    def geometry(self) -> StftGeometry:
        """At the prepared rate; at the network's own before."""
        return self._geometry

    @property
    def error(self) -> BaseException | None:
        """What the network last failed with on its thread, if it did."""
        return self._runner.error if isinstance(self._runner, ThreadedRunner) else None

    def known_voice(self) -> NDArray[np.float32]:
        """See :class:`~rtkaraoke.plugins.protocol.VoiceTaker`."""
        if self._known is None:
            n_channels, max_block = self.voice.shape
            self._known = np.zeros((n_channels + 1, max_block), np.float32)
            self._known_delay = np.zeros((n_channels + 1, self._geometry.latency), np.float32)
        return self._known

    def read_voice(self) -> VoiceLevels:
        """How much voice was found and taken out since the last call."""
        return self._mix.read()

    @property
    def counters(self) -> dict[str, int]:
        """Hops since the last reset: all, late, not seen by the network, with a held mask, with the fallback."""
        return {
            "hops": self.n_hops,
            "late": self.n_late,
            "skipped": self.n_skipped,
            "held": self.n_held,
            "fallback": self.n_fallback,
        }

    def set(self, name: str, value: float) -> None:
        """See :class:`~rtkaraoke.plugins.protocol.Plugin`."""
        super().set(name, value)
        self._mix.move(self.get)
        if name == "smoothing":
            self._update_smoothing()

    def prepare(self, sample_rate: int, n_channels: int, max_block: int) -> None:
        """See :class:`~rtkaraoke.plugins.protocol.Plugin`.

        Raises
        ------
        PluginError
            For more than two channels.
        GeometryError
            When the network cannot run at this rate.
        """
        if n_channels not in (1, 2):
            raise PluginError(f"the vocal remover takes 1 or 2 channels, not {n_channels}: give it the front pair")
        self.close()
        model = self.network.open(sample_rate)
        self._geometry = geometry = model.geometry
        self._centre = CentreMask(CentreNetwork.info, geometry)
        if isinstance(model, BatchedMask):  # whoever made the batch has decided how it is run
            self._runner = model
        elif self._threaded:
            self._runner = ThreadedRunner(model, self.step_times, n_channels, self._on_thread_start)
        elif self._replay is not None:
            self._runner = ReplayRunner(model, self.step_times, n_channels, self._replay)
        else:
            self._runner = BlockingRunner(model, self.step_times, n_channels)
        self._policy = HoldPolicy(geometry.hop_s)
        self._stft = StreamingStft(geometry, n_channels)
        self._delay = np.zeros((n_channels, geometry.latency), np.float32)
        self._voice_hop = np.zeros((n_channels, geometry.hop), np.float32)
        self.voice = np.zeros((n_channels, max_block), np.float32)
        # Spectra wait here until the network, which looks ahead, has masked them; the newest is written last.
        self._spectra = [np.zeros((n_channels, geometry.n_bins), np.complex64) for _ in range(geometry.look_ahead + 1)]
        self._levelled = np.zeros((n_channels, geometry.n_bins), np.complex64)
        mask_shape = (n_channels, geometry.n_bins)
        self._held, self._smoothed, self._average, self._used = (np.zeros(mask_shape, np.float32) for _ in range(4))
        self._average_weight = 1 - math.exp(-geometry.hop_s / AVERAGE_S)
        self._mix.prepare(sample_rate)
        self.duck = np.zeros(max_block, np.float32)
        self._known = None
        self._update_smoothing()
        self.reset()

    def process(self, block: Block, out: Block) -> None:
        """See :class:`~rtkaraoke.plugins.protocol.Plugin`."""
        hop, n_samples = self._geometry.hop, block.shape[1]
        history_start = self._geometry.window - hop
        mix = self._mix
        mix.n_values += block.size
        start = 0
        while start < n_samples:
            if self._fill == 0 and self._submitted:
                self._finish_hop()
            run = min(n_samples - start, hop - self._fill)
            if self._known is not None:
                self._known_delay[:, self._delay_at : self._delay_at + run] = self._known[:, start : start + run]
            kernels.mix_hop(
                block,
                out,
                self.voice,
                start,
                run,
                self._delay,
                self._delay_at,
                self._stft.history,
                history_start + self._fill,
                self._voice_hop,
                mix.dry_gain.state,
                mix.voice_gain.state,
                mix.guide_gain.state,
                self.duck,
                mix.energies,
            )
            start += run
            self._fill += run
            self._delay_at += run
            if self._fill == hop:
                self._fill = 0
                if self._delay_at == self._geometry.latency:
                    self._delay_at = 0
                self._begin_hop()

    def reset(self) -> None:
        """See :class:`~rtkaraoke.plugins.protocol.Plugin`."""
        if self._runner is not None:
            self._runner.reset()
            self._stft.reset()
            self._policy.reset()
            for array in (self._delay, self._voice_hop, self.voice, self._held, self._smoothed, self._average):
                array.fill(0.0)
            for spectrum in self._spectra:
                spectrum.fill(0.0)
        self._fill = self._delay_at = self._newest = 0
        self._submitted = self._was_fed = False
        self.n_hops = self.n_late = self.n_skipped = self.n_held = self.n_fallback = 0
        self.decisions.drain()
        self._mix.reset(self.get)
        self.duck.fill(0.0)
        if self._known is not None:
            self._known.fill(0.0)
            self._known_delay.fill(0.0)

    def close(self) -> None:
        """See :class:`~rtkaraoke.plugins.protocol.Plugin`."""
        if self._runner is not None:
            self._runner.close()
            self._runner = None

    def _begin_hop(self) -> None:
        """Transform the hop that has just been completed and hand it to the network."""
        assert self._runner is not None
        self._newest = (self._newest + 1) % len(self._spectra)
        spectrum = self._spectra[self._newest]
        self._stft.analyse(spectrum)
        kernels.scale_spectrum(spectrum, self._geometry.level_scale, self._levelled)
        self._was_fed = self._runner.submit(self._levelled)
        self._submitted = True

    def _finish_hop(self) -> None:
        """Fetch the mask, or what stands in for it, and turn it into the next hop of voice."""
        assert self._runner is not None
        fresh = self._runner.collect(self._used, self.deadline_ns)
        weight = self._policy.update(fresh)
        self._count(fresh, weight)
        masked = self._spectra[(self._newest + 1) % len(self._spectra)]
        if fresh:
            kernels.shape_mask(
                self._used,
                self._smoothed,
                self.get("strength"),
                self.get("bias"),
                self.get("alpha"),
                self.get("theta"),
                self._smoothing,
            )
            np.copyto(self._held, self._used)
            n_fresh = self.n_hops - self.n_late
            kernels.blend_into(self._average, self._held, max(self._average_weight, 1 / n_fresh))
        if weight == 1.0:
            mask = self._held
        else:
            mask = self._used
            self._fill_fallback(masked, mask)
            kernels.blend_into(mask, self._held, weight)
        self._stft.synthesise(masked, mask, self._voice_hop)
        if self._known is not None:
            substitute(self._voice_hop, self._known_delay, self._delay_at)

    def _fill_fallback(self, spectrum: Spectrum, mask: Mask) -> None:
        kind = FALLBACKS[int(self.get("fallback"))]
        if kind == "centre":
            self._centre.step(spectrum, mask)
        elif kind == "average":
            np.copyto(mask, self._average)
        else:
            mask.fill(0.0)

    def _count(self, fresh: bool, weight: float) -> None:
        self.n_hops += 1
        self.n_late += not fresh
        self.n_skipped += not self._was_fed
        self.n_held += not fresh and weight == 1.0
        self.n_fallback += weight < 1.0
        self.decisions.append(FED * self._was_fed | FRESH * fresh)

    def _update_smoothing(self) -> None:
        smoothing_s = 1e-3 * self.get("smoothing")
        self._smoothing = math.exp(-self._geometry.hop_s / smoothing_s) if smoothing_s > 0 else 0.0
