"""Benchmarks of sound cards: ``loopback`` and ``devices``."""

from pathlib import Path
from typing import Annotated

from rtkaraoke.cli.bench.answer import MEASURING, Answer, option
from rtkaraoke.cli.console import error, note
from rtkaraoke.cli.options import SOUND_CARD, Common, SoundCard, channels, device
from rtkaraoke.config import Option


def loopback(
    *,
    input: Annotated[  # noqa: A002 - the option's name
        str | None, option(SOUND_CARD, "Input device, as for --output.")
    ] = None,
    channels_in: Annotated[
        str | None, option(SOUND_CARD, "Input channels to be measured, one after the other; 1 when left out.")
    ] = None,
    engine: Annotated[
        bool, option(MEASURING, "Through the whole engine, as `live` runs it, with the voice untouched.")
    ] = False,
    save: Annotated[
        bool, option(MEASURING, "Keep the figure: `live` then declares it for these devices, rate and block.")
    ] = False,
    runs: Annotated[int, option(MEASURING, "Streams opened one after the other: 5.")] = 5,
    probes: Annotated[int, option(MEASURING, "Test signals in each: 3.")] = 3,
    order: Annotated[
        int, option(MEASURING, "Length of a test signal, as a power of 2 in samples: 15. More finds it in more noise.")
    ] = 15,
    longest: Annotated[float, option(MEASURING, "The longest round trip that is looked for, in ms: 500.")] = 500.0,
    level: Annotated[float, option(MEASURING, "Peak of the test signal, in dB of full scale: -12.")] = -12.0,
    card: SoundCard | None = None,
    common: Common | None = None,
    answer: Answer | None = None,
) -> int:
    """Measure the round trip: connect an output to an input by a cable, or put a microphone before a loudspeaker.

    The figure has an interval over several starts of the stream. What is no answer to the test signal - hum, noise,
    another signal, feedback, crosstalk - is refused with the reason. The exit code is 2 when a channel has no figure.
    """
    from rtkaraoke.bench import loopback as bench_loopback
    from rtkaraoke.cli import build
    from rtkaraoke.dsp.probe import CalibrationError
    from rtkaraoke.errors import LiveError

    if not (1 <= runs <= 100 and 1 <= probes <= 20 and 1 <= longest <= 5000 and -90 <= level <= 0):
        raise LiveError(
            f"--runs {runs} --probes {probes} --longest {longest:g} --level {level:g}: "
            "wanted 1 to 100 runs, 1 to 20 probes, 1 to 5000 ms and -90 to 0 dB"
        )
    if engine and save:
        raise LiveError("--engine with --save: what is kept is the part of the devices: measure it without --engine")
    card, answer = card or SoundCard(), answer or Answer()
    inputs = channels("--channels-in", channels_in) or (1,)
    given = {
        "input": Option("--input", device(input)),
        "channels_out": Option("--channels", channels("--channels", card.channels) or ((1, 2) if engine else (1,))),
    }
    more = (*card.given(), *((("live", name), option) for name, option in given.items()))
    settings = (common or Common()).settings("live", more)
    if engine and (settings.config.mics or settings.config.outputs):
        raise LiveError("--engine measures the way of the music: give a --preset without microphones and outputs")
    alone = {"channels_in": settings.config.live.channels_out, "mic_in": (), "more_out": (), "voice_out": ()}
    wanted = build.live_settings(settings, **alone)
    factory = build.EngineFactory(build.with_voice_untouched(settings)) if engine else None
    with answer.progress() as progress:
        found = bench_loopback.loopback(
            wanted,
            inputs,
            engine_factory=factory,
            progress=progress,
            n_runs=runs,
            n_probes=probes,
            order=order,
            longest_s=1e-3 * longest,
            level_db=level,
        )
    parameters = {"runs": runs, "probes": probes, "order": order, "longest_ms": longest, "level_db": level}
    parameters |= {"block": wanted.block, "prefill": wanted.prefill, "engine": engine}
    answer.give(bench_loopback.loopback_report(found, parameters))
    if save and (path := bench_loopback.save(wanted, found)):
        note(f"kept in {path}: `rtkaraoke live` declares it from now on for these devices, rate and block")
    refused = {channel: result for channel, result in found.items() if isinstance(result, CalibrationError)}
    for channel, reason in refused.items():
        error(f"channel {channel}: {reason}")
    return 2 if refused else 0


def devices(
    *,
    input: Annotated[  # noqa: A002 - the option's name
        str | None, option(SOUND_CARD, "Input device, as for --output.")
    ] = None,
    seconds: Annotated[float, option(MEASURING, "For which each block must hold: 60.")] = 60.0,
    blocks: Annotated[
        tuple[int, ...], option(MEASURING, "A block to be tried, in samples; may be repeated. 1024 to 32 by halves.")
    ] = (),
    write: Annotated[Path | None, option(MEASURING, "Write the recommendation as a preset, FILE.toml.")] = None,
    card: SoundCard | None = None,
    common: Common | None = None,
    answer: Answer | None = None,
) -> int:
    """Find the smallest block that these sound cards hold with this network, and recommend settings. It is silent.

    The exit code is 2 when no block holds.
    """
    from rtkaraoke.bench import smallest
    from rtkaraoke.cli import build
    from rtkaraoke.errors import RtkaraokeError

    if not 1 <= seconds <= 1e6 or any(not 16 <= size <= 8192 for size in blocks):
        raise RtkaraokeError(f"--seconds {seconds:g} --blocks {blocks}: wanted 1 to 1000000 s and 16 to 8192 samples")
    if write is not None and write.exists():
        raise RtkaraokeError(f"{write} is there: give another name, or remove it first")
    card, answer = card or SoundCard(), answer or Answer()
    given = {
        "input": Option("--input", device(input)),
        "channels_in": Option("--channels", channels("--channels", card.channels)),
    }
    more = (*card.given(), *((("live", name), option) for name, option in given.items()))
    settings = (common or Common()).settings("live", more)
    wanted = build.live_settings(settings)
    with answer.progress() as progress:
        trials = smallest.smallest(
            wanted,
            build.EngineFactory(settings),
            seconds=seconds,
            blocks=blocks or smallest.BLOCKS,
            progress=progress,
        )
    names = f"{trials[0].status.input} -> {trials[0].status.output}"
    about = {"devices": names, "seconds": seconds, "model": settings.config.model.name}
    answer.give(smallest.devices_report(trials, about))
    if smallest.best(trials) is None:
        return 2
    if write is not None:
        description = f"{names}: the smallest block that held for {seconds:g} s, with reserve"
        smallest.write_preset(write, smallest.preset(wanted, trials, settings.config.model.name, description))
        note(f"wrote {write}: `rtkaraoke live --preset {write}`")
    return 0
