"""Where a network runs: ONNX Runtime sessions on the CPU or on an NVIDIA card, and the choice between them.

The GPU wheel of ONNX Runtime lists CUDA as available even where it cannot load, prints an alarm in red and falls back
without a word that a program could read. So :func:`cuda_problem` looks for driver, card and libraries *before* a
session asks for them, and names in one line what is missing.

``onnxruntime`` is imported on first use: ``import rtkaraoke`` stays light.
"""

import contextlib
import ctypes
import io
import re
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rtkaraoke.errors import ProviderError

PROVIDERS = ("auto", "cpu", "cuda")

SILENT = 4  # ONNX Runtime's severity "fatal": everything below reaches us as an exception, said in our words
CUDA_OPTIONS = {
    "arena_extend_strategy": "kSameAsRequested",  # the default doubles: hundreds of MB for a network of two
    "cudnn_conv_algo_search": "HEURISTIC",  # the default tries every algorithm, for seconds, at each start
    "use_tf32": "0",  # 10-bit mantissas: the mask would differ audibly from the CPU's
}


@dataclass(frozen=True, slots=True)
class OpenedSession:
    """An ONNX Runtime session and how to reach its memory.

    Parameters
    ----------
    session : onnxruntime.InferenceSession
        Safe for several threads at once, unless ``graph`` is true.
    device : str
        Where inputs, outputs and states live, in ONNX Runtime's words: ``"cpu"`` or ``"cuda"``.
    cudart : object, optional
        CUDA's runtime library, for copies between the host and a device; None when host memory is used in place.
    graph : bool
        Whether a step is captured once as a CUDA graph and replayed: then all addresses are fixed.
    """

    session: Any
    device: str = "cpu"
    cudart: Any = None
    graph: bool = False


def check_provider(provider: str) -> None:
    """Refuse a name that is not in :data:`PROVIDERS`.

    Raises
    ------
    ProviderError
        Naming the known ones.
    """
    if provider not in PROVIDERS:
        raise ProviderError(f"unknown provider {provider!r}: choose one of {', '.join(PROVIDERS)}")


def open_cpu(path: Path) -> OpenedSession:
    """Load ``path`` for the CPU; whatever ONNX Runtime raises goes through."""
    return OpenedSession(_session(path, ["CPUExecutionProvider"]))


def open_cuda(path: Path, graphs: bool = True) -> OpenedSession:
    """Load ``path`` for the first NVIDIA card; ask :func:`cuda_problem` first.

    A step becomes a CUDA graph where the network allows it, that is, where every node runs on the card, and where
    ``graphs`` are wanted.

    Raises
    ------
    ProviderError
        When the card refuses the network.
    """
    failure: Exception | None = None
    for graph in (True, False) if graphs else (False,):
        options = {**CUDA_OPTIONS, "enable_cuda_graph": str(int(graph))}
        try:
            session = _session(path, [("CUDAExecutionProvider", options), "CPUExecutionProvider"])
        except Exception as error:  # noqa: BLE001 - ONNX Runtime's exceptions share no other base class
            failure = error
            continue
        if "CUDAExecutionProvider" in session.get_providers():
            return OpenedSession(session, "cuda", ctypes.CDLL(cuda_runtime_library(_cuda_major())), graph)
    why = reason(failure) if failure else "ONNX Runtime fell back to the CPU"
    raise ProviderError(f"CUDA cannot run {path.name} ({why}): use the provider cpu")


def cuda_problem() -> str | None:
    """Why CUDA cannot be had on this machine, with the way out; None when it can. Prints nothing."""
    import onnxruntime

    if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        return "the installed onnxruntime has no CUDA; it comes with pip install 'rtkaraoke[cuda]' on Linux and Windows"
    return driver_problem() or library_problem()


def driver_problem() -> str | None:
    """Whether NVIDIA's driver is missing or knows no card."""
    try:
        driver = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return "there is no NVIDIA driver"
    count = ctypes.c_int(0)
    if driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count)) or count.value < 1:
        return "the NVIDIA driver finds no card; see what nvidia-smi says"
    return None


def library_problem() -> str | None:
    """Which of CUDA's libraries is missing, after those that pip installed have been loaded."""
    import onnxruntime

    with contextlib.redirect_stdout(io.StringIO()):  # it prints what it misses, and a web address
        onnxruntime.preload_dlls()
    major = _cuda_major()
    for name in cuda_libraries(major):
        try:
            ctypes.CDLL(name)
        except OSError:
            return f"CUDA {major}'s library {name} is missing; pip install 'rtkaraoke[cuda]' brings it"
    return None


def cuda_libraries(major: str) -> list[str]:
    """File names of what ONNX Runtime's CUDA provider needs, for CUDA's ``major`` version."""
    if sys.platform == "win32":
        return [f"cublasLt64_{major}.dll", f"cublas64_{major}.dll", cuda_runtime_library(major), "cudnn64_9.dll"]
    blas = [f"libcublasLt.so.{major}", f"libcublas.so.{major}"]
    return [*blas, "libcurand.so.10", cuda_runtime_library(major), "libcudnn.so.9"]


def cuda_runtime_library(major: str) -> str:
    """File name of CUDA's runtime library for CUDA's ``major`` version."""
    return f"cudart64_{major}.dll" if sys.platform == "win32" else f"libcudart.so.{major}"


def p99_s(step: Callable[[], None], n_steps: int = 100, n_warm_up: int = 20) -> float:
    """Time of ``step`` in seconds that one in a hundred exceeds, after a warm-up.

    The mean does not decide: one late hop is heard, a hundred early ones are not.
    """
    for _ in range(n_warm_up):
        step()
    times = []
    for _ in range(n_steps):
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    return sorted(times)[max(0, round(0.99 * n_steps) - 1)]


def reason(error: Exception) -> str:
    """First line of what ONNX Runtime says, without its prefix of codes."""
    text = (str(error) or type(error).__name__).splitlines()[0]
    return re.sub(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ", "", text).strip()


def _session(path: Path, providers: list[Any]) -> Any:
    """Open an InferenceSession for one stream: one thread, one step at a time, silent."""
    import onnxruntime

    onnxruntime.set_default_logger_severity(SILENT)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = SILENT
    # A second thread would save less than it costs to wake it, and spinning ones burn the cores that the DSP needs.
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    # Not session.set_denormal_as_zero: it switches the calling thread's arithmetic for good, NumPy's included, in
    # whichever thread comes first, and the same audio would give other bits on another thread.
    return onnxruntime.InferenceSession(path, options, providers=providers, enable_fallback=0)


def _cuda_major() -> str:
    """Major version of the CUDA that ONNX Runtime was built with."""
    import onnxruntime

    return str(getattr(onnxruntime, "cuda_version", "") or "12").split(".")[0]
