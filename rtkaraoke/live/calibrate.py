"""The round trip of a device pair, measured: a probe is played, recorded, and found again.

The stream and the worker are those of a live run, and the probe goes in where the input's samples would: through the
engine, the output queue, the card, the cable or the air, and the card again. So with an engine that does nothing the
figure is prefill + device out + device in, and with a true one the whole latency of a live run.

A figure is only given when every probe of every run agrees with it; otherwise a
:class:`~rtkaraoke.dsp.probe.CalibrationError` says what was found instead.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from rtkaraoke.dsp.probe import Answer, CalibrationError, Signal, find, make_probes
from rtkaraoke.engine import Engine
from rtkaraoke.live.backend import AudioBackend
from rtkaraoke.live.host import MAX_BLOCK
from rtkaraoke.live.probed_stream import ProbedStream, play
from rtkaraoke.live.settings import LiveSettings

LEAD_S = 0.2  #: of silence before the first probe: cards fade in
PAUSE_S = 0.05  #: between the longest delay and the next probe
TOLERANCE = 0.5  #: samples by which probes may disagree
ATTEMPTS = 4  #: at each run
RESOLUTION = 0.001  #: samples; no interval is narrower on both sides
LEVEL = 0.95

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class RoundTrip:
    """What was measured, in samples unless named otherwise.

    ``delay`` is from the engine's input to the recorded sample, ``half_width`` that of its 95 % interval; ``terms``
    are those that the engine and the stream declare. ``gain_db`` and ``polarity`` are those of the way outside
    (and inside: an engine that turns the sound down shows here).
    """

    delay: float
    half_width: float
    gain_db: float
    polarity: int
    clearness_db: float
    sample_rate: int
    period: int
    terms: Mapping[str, int]
    runs: tuple[tuple[float, ...], ...]
    input_name: str
    output_name: str

    @property
    def declared(self) -> int:
        """The sum of the terms."""
        return sum(self.terms.values())

    @property
    def device(self) -> float:
        """The part of the card and of what lies between output and input."""
        others = sum(n for name, n in self.terms.items() if name not in ("device in", "device out"))
        return self.delay - others

    @property
    def delay_ms(self) -> float:
        """The whole in milliseconds."""
        return 1e3 * self.delay / self.sample_rate


def measure(
    settings: LiveSettings,
    *,
    backend: AudioBackend | None = None,
    engine_factory: Callable[[], Engine] | None = None,
    n_runs: int = 5,
    n_probes: int = 3,
    order: int = 15,
    longest_s: float = 0.5,
    level_db: float = -12.0,
    seed: int | None = None,
    progress: Progress | None = None,
) -> RoundTrip:
    """Measure the way from the first output channel of ``settings`` to its first input channel.

    Parameters
    ----------
    settings : LiveSettings
        The stream, as for a live run. All output channels play the probe.
    backend : AudioBackend, optional
        The sound cards when left out.
    engine_factory : callable, optional
        Makes what stands between the probe and the output; nothing when left out.
    n_runs, n_probes : int
        Streams opened one after the other, and probes in each of them.
    order : int
        Of the sequence, see :func:`~rtkaraoke.dsp.probe.make_probes`: one more gains 3 dB over noise and takes twice
        as long.
    longest_s : float
        The longest delay that can be found, in seconds.
    level_db : float
        Of the probe's peak, in dB of full scale.
    seed : int, optional
        Of the choice of sequences; another choice each time when left out.
    progress : callable, optional
        Gets runs done and runs in all.

    Raises
    ------
    CalibrationError
        Where there is no figure to be believed.
    LiveError
        When the devices cannot be had.
    """
    if backend is None:
        from rtkaraoke.live.rtmixer_backend import RtmixerBackend

        backend = RtmixerBackend(use_measured=False)
    sample_rate = backend.check(settings)
    settings = replace(settings, fade_in_ms=0.0, voice_out=(), latency_budget_ms=None, record=None)
    amplitude = np.float32(10 ** (level_db / 20))
    found: list[list[Answer]] = []
    terms: dict[str, int] = {}
    with (engine_factory or _nothing)() as engine:
        engine.prepare(sample_rate, settings.n_channels, max(MAX_BLOCK, settings.block))
        for run in range(n_runs):
            if progress is not None:
                progress(run, n_runs)
            probes = [amplitude * probe for probe in make_probes(n_probes, sample_rate, order, _seed(seed, run))]
            schedule = Schedule(probes, sample_rate, longest_s)
            stream, answers = _attempt(engine, backend, schedule, settings)
            terms = {**engine.latency_terms, **stream.latency_terms}
            found.append(answers)
        for answers in found:
            for answer in answers:
                check_time(answer, terms, sample_rate)
    delay, half_width = agree([[answer.delay for answer in answers] for answers in found], sample_rate)
    every = [answer for answers in found for answer in answers]
    return RoundTrip(
        delay=delay,
        half_width=half_width,
        gain_db=float(np.mean([answer.gain_db for answer in every])),
        polarity=every[0].polarity,
        clearness_db=min(answer.clearness_db for answer in every),
        sample_rate=sample_rate,
        period=stream.inner.period,
        terms=terms,
        runs=tuple(tuple(answer.delay for answer in answers) for answers in found),
        input_name=stream.input_name,
        output_name=stream.output_name,
    )


def _attempt(
    engine: Engine, backend: AudioBackend, schedule: "Schedule", settings: LiveSettings
) -> tuple[ProbedStream, list[Answer]]:
    """One run; again, a few times, where the card or the machine stumbled."""
    for left in reversed(range(ATTEMPTS)):
        engine.warm_up()
        stream = ProbedStream(backend.open(settings, settings.prefill), schedule.signal)
        try:
            play(engine, stream, settings)
            return stream, [find_in(schedule, stream.recorded, number) for number in range(len(schedule.probes))]
        except CalibrationError as error:
            if not left or error.kind not in ("xruns", "lost samples"):
                raise
    raise AssertionError("the last attempt returns or raises")


def _nothing() -> Engine:
    return Engine([])


def _seed(seed: int | None, run: int) -> int | None:
    return None if seed is None else seed + run


class Schedule:
    """Which probe is sent when, ``signal`` being all of it with silence between.

    Parameters
    ----------
    probes : sequence of arrays ``(sample,)``
        Of one length.
    sample_rate : int
        In Hz.
    longest_s : float
        The longest delay to be found, in seconds.
    """

    def __init__(self, probes: Sequence[Signal], sample_rate: int, longest_s: float) -> None:
        self.probes, self.sample_rate = probes, sample_rate
        self.length, self.longest = len(probes[0]), round(longest_s * sample_rate)
        step = self.length + self.longest + round(PAUSE_S * sample_rate)
        lead = round(LEAD_S * sample_rate)
        self.starts = [lead + number * step for number in range(len(probes))]
        self.signal = np.zeros(lead + step * len(probes), np.float32)
        for start, probe in zip(self.starts, probes, strict=True):
            self.signal[start : start + self.length] = probe


def find_in(schedule: Schedule, recorded: Signal, number: int) -> Answer:
    """The answer to probe ``number`` in the whole of a recording. Raises :class:`CalibrationError`."""
    start, probe = schedule.starts[number], schedule.probes[number]
    part = recorded[start : start + schedule.length + schedule.longest]
    try:
        return find(part, probe, schedule.sample_rate)
    except CalibrationError as error:
        if error.kind in ("noise", "other signal", "digital silence") and number == 0:
            _explain_lateness(schedule, recorded)
        raise


def _explain_lateness(schedule: Schedule, recorded: Signal) -> None:
    """Refuse with another reason when the answer comes after its time."""
    try:
        late = find(recorded[schedule.starts[0] :], schedule.probes[0], schedule.sample_rate)
    except CalibrationError:
        return
    late_ms, longest_ms = (1e3 * n / schedule.sample_rate for n in (late.delay, schedule.longest))
    if late.delay > schedule.longest:
        raise CalibrationError(
            "too late",
            f"the answer comes after {late_ms:.0f} ms, later than the {longest_ms:.0f} ms in which it is looked for: "
            f"give --longest {late_ms + 100:.0f}",
        ) from None


def check_time(answer: Answer, terms: Mapping[str, int], sample_rate: int) -> None:
    """Refuse an answer from before the card has been given the question. Raises :class:`CalibrationError`."""
    earliest = sum(n for name, n in terms.items() if name not in ("device in", "device out"))
    if answer.delay < earliest - TOLERANCE:
        raise CalibrationError(
            "too early",
            f"the answer comes after {1e3 * answer.delay / sample_rate:.2f} ms, but the sound card gets the question "
            f"after {1e3 * earliest / sample_rate:.2f} ms: something else plays the same sound",
        )


def agree(runs: Sequence[Sequence[float]], sample_rate: int) -> tuple[float, float]:
    """The mean of the ``runs``' delays and the half width of its 95 % interval (Student's t), in samples.

    Raises
    ------
    CalibrationError
        When they have no common delay.
    """
    from scipy.stats import t

    for delays in runs:
        spread = max(delays) - min(delays)
        if spread > TOLERANCE:
            raise CalibrationError(
                "lost samples",
                f"the delay moved by {spread:.2f} samples while the stream ran: samples were lost or repeated, or the "
                "two clocks run apart. Take a larger block, and one card for both directions",
            )
    means = [float(np.mean(delays)) for delays in runs]
    if max(means) - min(means) > TOLERANCE:
        listed = ", ".join(f"{1e3 * mean / sample_rate:.2f}" for mean in means)
        raise CalibrationError(
            "varying",
            f"every start of the stream has another delay ({listed} ms): no one figure is true. Set the card or its "
            "server to a fixed block, or measure again after each start",
        )
    samples = means if len(means) > 1 else list(runs[0])
    error = float(np.std(samples, ddof=1)) / len(samples) ** 0.5 if len(samples) > 1 else 0.0
    factor = float(t.ppf(0.5 + LEVEL / 2, max(len(samples) - 1, 1)))
    return float(np.mean(means)), max(factor * error, RESOLUTION)
