"""Benchmarks of this machine, which need no sound card: ``hop``, ``schedule`` and ``soak``."""

from typing import Annotated

from rtkaraoke.cli.bench.answer import MEASURING, Answer, option
from rtkaraoke.cli.options import NETWORK, Provider


def hop(
    *,
    model: Annotated[
        tuple[str, ...], option(NETWORK, "A name from `rtkaraoke models`, or a file FILE.onnx; may be repeated.")
    ] = (),
    provider: Annotated[
        tuple[Provider, ...], option(NETWORK, "What computes the network; may be repeated. cpu when left out.")
    ] = (),
    sample_rate: Annotated[tuple[int, ...], option(MEASURING, "In Hz; may be repeated. 44100 when left out.")] = (),
    block: Annotated[
        tuple[int, ...], option(MEASURING, "Samples that the engine is given at a time, a hop when left out; repeat.")
    ] = (),
    hops: Annotated[int, option(MEASURING, "Hops of each combination: 2000.")] = 2000,
    streams: Annotated[
        tuple[int, ...],
        option(MEASURING, "Rooms that one run of the network serves: how many a core or a card carries; repeat."),
    ] = (),
    without_graphs: Annotated[
        bool, option(NETWORK, "On a card: launch node by node, to see by `bench compare` what CUDA graphs are worth.")
    ] = False,
    answer: Answer | None = None,
) -> None:
    """Measure how long one hop takes, stage by stage, and how many would have come too late."""
    from rtkaraoke.bench.hop_report import hop_report
    from rtkaraoke.errors import RtkaraokeError
    from rtkaraoke.masks.onnx import shipped_models

    if hops < 20 or any(not 1 <= size <= 65_536 for size in block):
        raise RtkaraokeError(f"--hops {hops}, --block {block}: wanted at least 20 hops, and 1 to 65536 samples")
    if any(not 1 <= number <= 4096 for number in streams):
        raise RtkaraokeError(f"--streams {streams}: wanted 1 to 4096")
    answer = answer or Answer()
    models = model or (*shipped_models(), "centre")
    with answer.progress() as progress:
        report = hop_report(
            models,
            provider or ("cpu",),
            sample_rate or (44_100,),
            block or (0,),
            hops,
            progress,
            tuple(dict.fromkeys(streams)),
            graphs=not without_graphs,
        )
    answer.give(report)


def schedule(
    *,
    seconds: Annotated[float, option(MEASURING, "Of each of six combinations per load: 5.")] = 5.0,
    load: Annotated[
        tuple[str, ...], option(MEASURING, "idle, cpu, memory or disk: what runs beside it; all, or repeat.")
    ] = (),
    hogs: Annotated[int, option(MEASURING, "Busy processes of a kind: 2.")] = 2,
    answer: Answer | None = None,
) -> None:
    """Measure how late the worker wakes up: real-time and normal priority, beside busy processes and threads."""
    from rtkaraoke.bench.load import LOADS
    from rtkaraoke.bench.schedule import schedule as run
    from rtkaraoke.errors import RtkaraokeError

    if not 0.1 <= seconds <= 3600 or not 0 <= hogs <= 64:
        raise RtkaraokeError(f"--seconds {seconds:g} --hogs {hogs}: wanted 0.1 to 3600 s and 0 to 64 processes")
    answer = answer or Answer()
    with answer.progress() as progress:
        report = run(seconds, load or LOADS, hogs, progress)
    answer.give(report)


def soak(
    *,
    seconds: Annotated[float, option(MEASURING, "Length of a run: 60. An hour promises more.")] = 60.0,
    prefill: Annotated[tuple[int, ...], option(MEASURING, "In samples; may be repeated. 512 when left out.")] = (),
    period: Annotated[int, option(MEASURING, "Of the sound server, in samples: 128.")] = 128,
    hogs: Annotated[int, option(MEASURING, "Busy processes beside it: 2.")] = 2,
    model: Annotated[str | None, option(NETWORK, "A name from `rtkaraoke models`, or a file FILE.onnx.")] = None,
    provider: Annotated[Provider, option(NETWORK, "What computes the network: cpu.")] = "cpu",
    answer: Answer | None = None,
) -> None:
    """Run the whole live path on a sound server of its own (JACK's dummy driver) and account for every sample."""
    from rtkaraoke.bench.soak_report import soak_report
    from rtkaraoke.errors import RtkaraokeError
    from rtkaraoke.evaluate.extras import require
    from rtkaraoke.masks.models import DEFAULT_MODEL

    if not 1 <= seconds <= 1e6 or not 0 <= hogs <= 64:
        raise RtkaraokeError(f"--seconds {seconds:g} --hogs {hogs}: wanted 1 to 1000000 s and 0 to 64 processes")
    require("psutil", "rtkaraoke bench soak")
    from rtkaraoke.bench.soak import soak as run

    answer = answer or Answer()
    prefills, name = prefill or (512,), model or DEFAULT_MODEL
    results = {}
    with answer.progress() as progress:
        for number, samples in enumerate(prefills):

            def advance(done_s: float, number: int = number, samples: int = samples) -> None:
                total = round(seconds * len(prefills))
                progress(round(number * seconds + min(done_s, seconds)), total, f"prefill {samples}")

            results[samples] = run(
                seconds=seconds, period=period, prefill=samples, model=name, provider=provider, hogs=hogs,
                on_wait=advance,
            )  # fmt: skip
    parameters = {"seconds": seconds, "period": period, "model": name, "provider": provider, "hogs": hogs}
    answer.give(soak_report(results, parameters))
