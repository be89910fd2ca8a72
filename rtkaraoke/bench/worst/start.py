"""What happens for the first time, watched in a process of its own: compiling, loading, the first hops, and its heap.

The process is as that of a live stream: the default engine, then the garbage collector frozen and off.
"""

import gc
import json
import os
import subprocess
import sys
import time
from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from pathlib import Path
from statistics import median

from rtkaraoke.bench.worst.memory import thread_faults

RATE = 44_100
N_COLLECTIONS = 5
LIMIT_S = 300.0  #: for one start; an empty cache of kernels takes some ten seconds


@dataclass
class Start:
    """How one process began.

    Attributes
    ----------
    stages_ms : dict of str to float
        What came before the first hop, in its order.
    hops_ms, steps_ms : list of float
        Wall time of each hop, and of the network's step within it.
    minor_faults, major_faults : list of int
        Page faults of each hop; empty where the system does not tell.
    collect_ms, collect_frozen_ms : float
        A full garbage collection, before and after ``gc.freeze``: the longest of :data:`N_COLLECTIONS`.
    n_objects : int
        What the collector looked through before.
    compile_ms : float
        First call of one kernel that has no signature, as it would be in mid-song; 0 when it was not asked for.
    """

    stages_ms: dict[str, float] = field(default_factory=dict)
    hops_ms: list[float] = field(default_factory=list)
    steps_ms: list[float] = field(default_factory=list)
    minor_faults: list[int] = field(default_factory=list)
    major_faults: list[int] = field(default_factory=list)
    collect_ms: float = 0.0
    collect_frozen_ms: float = 0.0
    n_objects: int = 0
    compile_ms: float = 0.0

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Note how long the block takes."""
        started = time.perf_counter_ns()
        yield
        self.stages_ms[name] = 1e-6 * (time.perf_counter_ns() - started)


def start_process(
    model: str, provider: str, n_hops: int, *, warm: bool, compiling: bool = False, cache: Path | None = None
) -> Start:
    """Start such a process and return what it saw.

    Parameters
    ----------
    model, provider : str
        For :func:`rtkaraoke.masks.models.load_model`.
    n_hops : int
        Of noise, back to back.
    warm : bool
        Whether the engine is warmed up before, as it always is in a live run.
    compiling : bool
        Whether a kernel without a signature is called at the end.
    cache : Path, optional
        Folder of compiled kernels; the usual one without it.

    Raises
    ------
    subprocess.CalledProcessError
        When it fails; what it said is in ``stderr``.
    """
    environment = os.environ | ({"NUMBA_CACHE_DIR": str(cache)} if cache else {})
    arguments = [model, provider, str(n_hops), str(int(warm)), str(int(compiling))]
    command = [sys.executable, "-m", "rtkaraoke.bench.worst.start", *arguments]
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True, timeout=LIMIT_S)
    return Start(**json.loads(done.stdout))


def typical(starts: Sequence[Start]) -> Start:
    """One of several alike: of each time the median, of faults and collections the greatest number."""
    return Start(
        {name: median(each.stages_ms[name] for each in starts) for name in starts[0].stages_ms},
        [median(times) for times in zip(*(each.hops_ms for each in starts), strict=True)],
        [median(times) for times in zip(*(each.steps_ms for each in starts), strict=True)],
        [max(counts) for counts in zip(*(each.minor_faults for each in starts), strict=True)],
        [max(counts) for counts in zip(*(each.major_faults for each in starts), strict=True)],
        max(each.collect_ms for each in starts),
        max(each.collect_frozen_ms for each in starts),
        max(each.n_objects for each in starts),
        median(each.compile_ms for each in starts),
    )


def start(model: str, provider: str, n_hops: int, *, warm: bool, compiling: bool = False) -> Start:
    """The same in this process, whose imports may be old: see :func:`start_process`."""
    found = Start()
    with found.stage("import the engine, its kernels too"):
        from rtkaraoke.bench.hop import Feed
        from rtkaraoke.bench.worst.steps import step_times
        from rtkaraoke.engine import music_engine
        from rtkaraoke.masks.models import load_model
    with found.stage("import ONNX Runtime"):
        import onnxruntime  # noqa: F401
    with found.stage("load the network, create its session"):
        network = load_model(model, provider)
    with music_engine(network) as engine:
        with found.stage("prepare"):
            geometry = network.info.geometry.at_rate(RATE)
            engine.prepare(RATE, 2, geometry.hop)
        feed, steps = Feed(engine, geometry), step_times(engine)
        _look_at_heap(found)  # before the warm-up: looking through all objects takes the caches away from the network
        if warm:
            with found.stage("warm up"):
                engine.warm_up()
        n_before = steps.n_steps
        _run_hops(found, feed.run, n_hops)
        found.steps_ms = steps.kept_ms()[n_before:].tolist()
        gc.enable()
        gc.unfreeze()
    if compiling:
        found.compile_ms = _first_call_without_signature_ms()
    return found


def _look_at_heap(found: Start) -> None:
    """Time the collector, and leave it as a live run does."""
    gc.collect()
    found.n_objects = len(gc.get_objects())
    found.collect_ms = max(_collection_ms() for _ in range(N_COLLECTIONS))
    gc.freeze()
    gc.disable()
    found.collect_frozen_ms = max(_collection_ms() for _ in range(N_COLLECTIONS))


def _collection_ms() -> float:
    started = time.perf_counter_ns()
    gc.collect()
    return 1e-6 * (time.perf_counter_ns() - started)


def _run_hops(found: Start, run: Callable[[], None], n_hops: int) -> None:
    # Memory that is there already: objects kept per hop would be page faults of the measuring.
    hops_ns, minor, major = (array("q", bytes(8 * (n_hops + 1))) for _ in range(3))
    for number in range(n_hops + 1):
        started = time.perf_counter_ns()
        if number:  # what came before the first hop is not its own
            run()
        hops_ns[number] = time.perf_counter_ns() - started
        minor[number], major[number] = thread_faults() or (0, 0)
    found.hops_ms = [1e-6 * elapsed for elapsed in hops_ns[1:]]
    if thread_faults() is not None:
        found.minor_faults = [after - before for before, after in pairwise(minor)]
        found.major_faults = [after - before for before, after in pairwise(major)]


def _first_call_without_signature_ms() -> float:
    """What the smaller of the hop's kernels would cost in mid-song, were it compiled when it is first called."""
    import numpy as np
    from numba import njit

    from rtkaraoke.dsp import kernels

    function = getattr(kernels.shape_mask, "py_func", kernels.shape_mask)  # a plain function without the JIT
    lazy = njit(nogil=True)(function)
    mask, smoothed = np.full((2, 2, 1025), 0.5, np.float32)
    values = [np.float32(value) for value in (1.0, 0.0, 0.0, 0.0, 0.0)]
    started = time.perf_counter_ns()
    lazy(mask, smoothed, *values)
    return 1e-6 * (time.perf_counter_ns() - started)


def main(arguments: list[str]) -> None:
    """Write what :func:`start` found as JSON."""
    model, provider, n_hops, warm, compiling = arguments
    found = start(model, provider, int(n_hops), warm=warm == "1", compiling=compiling == "1")
    sys.stdout.write(json.dumps(asdict(found)))


if __name__ == "__main__":
    main(sys.argv[1:])
