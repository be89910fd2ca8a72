"""The smallest block and prefill that a pair of devices holds for a given time, and a preset of them.

Each candidate runs as ``live`` does, muted: the engine in its own process, the network on its thread. It holds when
nothing was lost and no mask was late. Blocks are tried from the largest to the smallest, until one does not hold;
then the prefill, from four blocks down to two.
"""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rtkaraoke.bench.report import Cell, Figure, Report, Stack, Table
from rtkaraoke.bench.statistics import per_hour
from rtkaraoke.config import Config, load, preset_files
from rtkaraoke.engine import Engine
from rtkaraoke.errors import LiveError, RtkaraokeError
from rtkaraoke.live.backend import AudioBackend
from rtkaraoke.live.process import LiveSession
from rtkaraoke.live.settings import LiveSettings
from rtkaraoke.live.telemetry import LiveStatus

BLOCKS = (1024, 512, 256, 128, 64, 32)
PREFILL_BLOCKS = (4, 3, 2)
LATE_SHARE = 0.001  #: of masks, that may be late: a held mask is not heard
SETTLE_S = 1.0  #: after the start; a sound server stumbles over every client that comes
LIVE_NETWORKS = (Config().model.name, "ultra")  #: the shipped ones that do not look ahead, of the presets
RESERVE = 2  #: the recommended prefill is at least the smallest that held and so many blocks
COLUMNS = {
    "block": "",
    "prefill": "",
    "given block": "",
    "latency ms": ".1f",
    "seconds": ".0f",
    "xruns": "",
    "silent samples": "",
    "lost samples": "",
    "late masks": "",
    "load p99.9": ".0%",
    "holds": "",
}
NOTE = (
    "*Given block*: what the card or its server asks for at a time, whatever was wished for. *Xruns*: ours and the "
    "driver's. A candidate holds when there are none, no sample is silent or lost, and at most one mask in a thousand "
    "is late."
)


@dataclass(frozen=True, slots=True)
class Trial:
    """One candidate: the block and prefill asked for, and the last status of its run or why there was none."""

    block: int
    prefill: int
    seconds: float
    status: LiveStatus
    refused: str = ""

    @property
    def xruns(self) -> int:
        """Events of any kind."""
        return sum(n for name, n in self.status.xruns.items() if name not in ("silent_output", "lost_input"))

    @property
    def holds(self) -> bool:
        """Whether nothing went wrong that could be heard."""
        counts = self.status.xruns
        late, hops = self.status.hops.get("late", 0), self.status.hops.get("hops", 0)
        lost = self.xruns + counts.get("silent_output", 0) + counts.get("lost_input", 0)
        return not self.refused and self.status.n_samples > 0 and not lost and late <= LATE_SHARE * hops


def try_out(
    settings: LiveSettings,
    engine_factory: Callable[[], Engine],
    seconds: float,
    backend: AudioBackend | None = None,
) -> Trial:
    """Run one candidate, muted, for so many ``seconds``.

    Raises
    ------
    RtkaraokeError
        When the session ends by itself.
    """
    with LiveSession(settings, engine_factory, backend=backend) as session:
        session.mute(True)
        try:
            session.start()
        except LiveError as error:
            return Trial(settings.block, settings.prefill, 0.0, session.status(), str(error))
        session.wait(SETTLE_S)
        before, started = session.status(), time.monotonic()
        session.wait(seconds)
        status, ran_s = session.status(), time.monotonic() - started
        if session.error is not None:
            raise session.error
    counted = replace(status, xruns=_since(status.xruns, before.xruns), hops=_since(status.hops, before.hops))
    return Trial(settings.block, settings.prefill, ran_s, counted)


def _since(now: Mapping[str, int], before: Mapping[str, int]) -> dict[str, int]:
    return {name: count - before.get(name, 0) for name, count in now.items()}


def smallest(
    settings: LiveSettings,
    engine_factory: Callable[[], Engine],
    *,
    seconds: float = 60.0,
    blocks: Sequence[int] = BLOCKS,
    backend: AudioBackend | None = None,
    progress: Callable[[int, int, str], None] | None = None,
) -> list[Trial]:
    """Try candidates until one does not hold; all of them, in the order of their trial.

    Parameters
    ----------
    settings : LiveSettings
        The devices and their channels; block and prefill are set by this function.
    engine_factory : callable
        Makes the engine, in its own process.
    seconds : float
        Of each candidate.
    blocks : sequence of int
        The blocks to be tried, in samples.
    backend : AudioBackend, optional
        The sound cards when left out.
    progress : callable, optional
        Gets candidates done, candidates at most, and a name.

    Raises
    ------
    RtkaraokeError
        When a device is lost, or not even the first candidate can be started.
    """
    trials: list[Trial] = []
    most = len(blocks) + len(PREFILL_BLOCKS) - 1

    def attempt(block: int, prefill: int) -> Trial:
        if progress is not None:
            progress(len(trials), most, f"block {block}, prefill {prefill}")
        # The host must not raise the prefill by itself: it is what is looked for.
        wanted = replace(settings, block=block, prefill=prefill, prefill_without_realtime=prefill, record=None)
        trials.append(try_out(wanted, engine_factory, seconds, backend))
        return trials[-1]

    held = 0
    for block in sorted(set(blocks), reverse=True):
        trial = attempt(block, PREFILL_BLOCKS[0] * block)
        if trial.refused and len(trials) == 1:
            raise RtkaraokeError(trial.refused)
        if not trial.holds:
            break
        given = trial.status.period
        if held and given and given > block:
            break  # the server decides: a smaller wish changes nothing
        held = block
    if held:
        for factor in PREFILL_BLOCKS[1:]:
            if not attempt(held, factor * held).holds:
                break
    return trials


def best(trials: Sequence[Trial]) -> Trial | None:
    """The candidate of the least latency that held."""
    return min((trial for trial in trials if trial.holds), key=lambda trial: trial.status.latency, default=None)


def recommend(trials: Sequence[Trial]) -> tuple[int, int] | None:
    """Block and prefill in samples, with some reserve over the smallest that held; None where none held."""
    found = best(trials)
    if found is None:
        return None
    block = max(found.block, found.status.period)  # where the server decides, its own
    return block, found.prefill + RESERVE * block


def mode(prefill: int) -> str:
    """The shipped preset for live sound with the least prefill from ``prefill`` on, or the longest there is."""
    presets = {name: load(name).config for name in preset_files()}
    live = {name: config.live.prefill for name, config in presets.items() if config.model.name in LIVE_NETWORKS}
    by_prefill = sorted((samples, name) for name, samples in live.items())
    return next((name for samples, name in by_prefill if samples >= prefill), by_prefill[-1][1] if by_prefill else "")


def preset(settings: LiveSettings, trials: Sequence[Trial], model: str, description: str) -> str:
    """The recommendation as a preset (TOML).

    Raises
    ------
    RtkaraokeError
        Where no candidate held.
    """
    recommended = recommend(trials)
    if recommended is None:
        raise RtkaraokeError(
            "no block held, so there is no preset to write. End what else is busy, allow real-time priority "
            "(`rtkaraoke doctor`), or try larger blocks with --block"
        )
    block, prefill = recommended
    live = {
        "input": settings.input,
        "output": settings.output,
        "channels_in": list(settings.channels_in),
        "channels_out": list(settings.channels_out),
        "sample_rate": settings.sample_rate,
        "block": block,
        "prefill": prefill,
        "prefill_without_realtime": max(prefill, settings.prefill_without_realtime if trials[0].status.realtime else 0),
    }
    lines = [
        f"description = {json.dumps(description, ensure_ascii=False)}",
        "",
        "[model]",
        f"name = {json.dumps(model)}",
    ]
    lines += ["", "[live]"]
    # TOML's strings, lists and integers are JSON's.
    lines += [f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in live.items() if value is not None]
    return "\n".join(lines) + "\n"


def write_preset(path: Path, text: str) -> None:
    """Write it.

    Raises
    ------
    RtkaraokeError
        When the file is there, or cannot be written.
    """
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise RtkaraokeError(f"{path} is there: give another name, or remove it first") from None
    except OSError as error:
        raise RtkaraokeError(f"{path}: cannot be written: {error.strerror or error}") from None


def devices_report(trials: Sequence[Trial], parameters: dict[str, object]) -> Report:
    """What was tried, what held, and what is recommended."""
    rows: list[list[Cell]] = []
    figures: dict[str, Figure] = {}
    bars: dict[str, dict[str, float]] = {}
    for trial in trials:
        status, counts = trial.status, trial.status.xruns
        rows.append(
            [
                trial.block,
                trial.prefill,
                status.period or None,
                status.latency_ms or None,
                trial.seconds,
                trial.xruns,
                counts.get("silent_output", 0),
                counts.get("lost_input", 0),
                status.hops.get("late", 0),
                status.load.get("p99.9"),
                trial.refused or ("yes" if trial.holds else "no"),
            ]
        )
        if trial.seconds:
            key = f"devices.block{trial.block}.prefill{trial.prefill}"
            figures[f"{key}.xruns_per_hour"] = Figure.of(per_hour(trial.xruns, trial.seconds))
            figures[f"{key}.latency_ms"] = Figure(status.latency_ms)
            name = f"block {trial.block}, prefill {trial.prefill}{'' if trial.holds else ' (does not hold)'}"
            bars[name] = {term: 1e3 * n / status.sample_rate for term, n in status.latency_terms.items()}
    notes = []
    found, recommended = best(trials), recommend(trials)
    if found is None or recommended is None:
        notes.append(f"No block held for {trials[0].seconds:.0f} s. `rtkaraoke doctor` shows what stands in the way.")
    else:
        block, prefill = recommended
        held = f"Block {found.block} with prefill {found.prefill} held for {found.seconds:.0f} s"
        at_most = per_hour(0, found.seconds).high
        notes.append(
            f"{held} ({found.status.latency_ms:.1f} ms; xruns in an hour at 95 %: fewer than {at_most:.0f}). "
            f"Recommended, with reserve: `--block {block} --prefill {prefill}`; the nearest preset is {mode(prefill)}."
        )
        figures["devices.recommended_block_samples"] = Figure(block)
        figures["devices.recommended_prefill_samples"] = Figure(prefill)
        if not found.status.realtime:
            notes.append("Real-time priority is not allowed here, which costs latency: see `rtkaraoke doctor`.")
    return Report(
        "devices",
        "The smallest block that these devices hold",
        parameters,
        figures,
        [Table("devices", "Blocks and prefills, tried one after the other", COLUMNS, rows, NOTE)],
        [Stack("Latency by term", "ms", bars)],
        notes,
    )
