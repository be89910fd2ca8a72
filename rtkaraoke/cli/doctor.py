"""``doctor``: looks at everything that must be there, and says the way out where it is not."""

import os
import platform
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from pkgutil import iter_modules
from typing import Literal

from rtkaraoke.cli.console import show_json, stdout
from rtkaraoke.cli.options import JsonFlag
from rtkaraoke.errors import RtkaraokeError

PACKAGES = ("numpy", "numba", "rocket-fft", "scipy", "sounddevice", "rtmixer", "soundfile", "av", "soxr", "samplerate")
N_STEPS = 200  #: of each network, to measure its time
BUSY_SHARE = 0.5  #: of a hop; a network that takes longer leaves too little for the rest of a machine's life
COLOURS = {"ok": "green", "warn": "yellow", "fail": "bold red"}

State = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One line. ``warn``: something works less well or only in part; ``fail``: nothing works before it is mended."""

    state: State
    what: str
    detail: str


def doctor(*, json: JsonFlag = False) -> int:
    """Check this machine: packages, sound system, real-time permission, GPU, networks.

    The exit code is 2 when something must be mended before anything works.
    """
    findings: list[Finding] = []
    console = stdout()
    for check in CHECKS:
        for finding in check():
            findings.append(finding)
            if not json:
                console.print(f"{finding.state:<4}", style=COLOURS[finding.state], end="  ")
                console.print(f"{finding.what:<13} {finding.detail}", markup=False)
    if json:
        show_json([asdict(finding) for finding in findings])
    return 2 if any(finding.state == "fail" for finding in findings) else 0


def check_python() -> Iterator[Finding]:
    """The interpreter and the package itself."""
    known = (3, 11) <= sys.version_info[:2] <= (3, 13)
    detail = f"{platform.python_version()} on {platform.platform(terse=True)} ({platform.machine()})"
    yield Finding("ok" if known else "warn", "Python", detail + ("" if known else ": tested are 3.11 to 3.13"))


def check_packages() -> Iterator[Finding]:
    """What pip should have brought."""
    runtimes = [name for name in ("onnxruntime", "onnxruntime-gpu") if _version(name)]
    missing = [name for name in PACKAGES if not _version(name)]
    if not runtimes:
        missing.append("onnxruntime")
    if missing:
        yield Finding("fail", "packages", f"{', '.join(missing)} missing: pip install --force-reinstall rtkaraoke")
    else:
        names = ("numpy", "numba", *runtimes)
        yield Finding("ok", "packages", ", ".join(f"{name} {_version(name)}" for name in names) + ", ...")
    if len(runtimes) > 1:
        yield Finding(
            "warn",
            "packages",
            "onnxruntime and onnxruntime-gpu overwrite each other: pip uninstall both, then install rtkaraoke again",
        )


def check_portaudio() -> Iterator[Finding]:
    """PortAudio and what it sees."""
    from rtkaraoke.live.devices import list_devices

    try:
        found = list_devices()
    except RtkaraokeError as error:
        yield Finding("warn", "sound cards", f"files work, `live` and `play` do not: {error}")
        return
    inputs = sum(1 for device in found if device.n_inputs)
    outputs = sum(1 for device in found if device.n_outputs)
    systems = ", ".join(sorted({device.host_api for device in found}))
    if not outputs:
        yield Finding("warn", "sound cards", "PortAudio sees none: connect one, or start JACK, PipeWire or PulseAudio")
    elif not inputs:
        yield Finding("warn", "sound cards", f"{outputs} outputs ({systems}), no input: `play` works, `live` does not")
    else:
        yield Finding("ok", "sound cards", f"{inputs} inputs, {outputs} outputs ({systems}); see `rtkaraoke devices`")


def check_sound_server() -> Iterator[Finding]:
    """JACK, PipeWire or PulseAudio, where Linux has them."""
    if sys.platform != "linux":
        return
    runtime = Path(os.environ.get("XDG_RUNTIME_DIR", f"/run/user/{os.getuid()}"))
    user = os.getuid()
    jack = any(Path("/dev/shm").glob("jack-shm-registry*")) and any(Path("/dev/shm").glob(f"jack_*{user}_*"))
    running = {
        "JACK": jack,
        "PipeWire": (runtime / "pipewire-0").exists(),
        "PulseAudio": (runtime / "pulse" / "native").exists(),
    }
    names = [name for name, there in running.items() if there]
    if "JACK" in names or "PipeWire" not in names:
        detail = ", ".join(names) or "none runs; ALSA devices are used as they are"
    else:
        detail = ", ".join(names) + "; `pw-jack -p 128 rtkaraoke live` gives short periods"
    yield Finding("ok", "sound server", detail)


def check_realtime() -> Iterator[Finding]:
    """Whether a thread may run before all others."""
    from rtkaraoke.live.priority import WAY_OUT, realtime_allowed

    if realtime_allowed():
        detail = "threads may run at real-time priority; `rtkaraoke bench schedule` says how late they wake"
        yield Finding("ok", "real time", detail)
    else:
        way_out = WAY_OUT.get(sys.platform, "")
        yield Finding("warn", "real time", f"not allowed, so more sound is queued and comes later. {way_out}")


def check_gpu() -> Iterator[Finding]:
    """CUDA. Its absence is no fault: the networks are made for the CPU."""
    from rtkaraoke.masks.providers import cuda_problem, driver_problem

    problem = cuda_problem()
    if problem is None:
        yield Finding("ok", "GPU", "CUDA works")
    elif driver_problem():
        yield Finding("ok", "GPU", f"the CPU computes ({problem})")
    else:
        yield Finding("warn", "GPU", f"there is one, but the CPU computes: {problem}")


def check_kernels() -> Iterator[Finding]:
    """The compiled signal processing, and whether it is kept for the next start."""
    started = time.monotonic()
    from rtkaraoke.dsp import kernels

    for module in iter_modules(kernels.__path__):
        import_module(f"{kernels.__name__}.{module.name}")
    seconds = time.monotonic() - started
    path = getattr(getattr(kernels.take_in, "stats", None), "cache_path", None)
    if path is None:
        yield Finding("warn", "kernels", "not compiled (NUMBA_DISABLE_JIT is set): far too slow for live use")
    elif not os.access(path, os.W_OK):
        yield Finding("warn", "kernels", f"{path} is not writable: every start compiles anew; set NUMBA_CACHE_DIR")
    else:
        yield Finding("ok", "kernels", f"ready in {seconds:.1f} s, kept in {path}")


def check_models() -> Iterator[Finding]:
    """Every shipped network: loads, and computes a hop in time."""
    import numpy as np

    from rtkaraoke.masks.onnx import load_model, shipped_models

    shipped = shipped_models()
    if not shipped:
        yield Finding("fail", "networks", "none in the package: install rtkaraoke again, or give --model FILE.onnx")
    for name in shipped:
        try:
            model = load_model(name, "cpu").open(44_100)
        except RtkaraokeError as error:
            yield Finding("fail", "networks", f"{name}: {error}")
            continue
        spectrum = np.zeros((2, model.geometry.n_bins), np.complex64)
        mask = np.zeros((2, model.geometry.n_bins), np.float32)
        times_s = []
        for _ in range(N_STEPS):
            started = time.perf_counter()
            model.step(spectrum, mask)
            times_s.append(time.perf_counter() - started)
        model.close()
        hop_s = model.geometry.hop_s
        p50_s, p99_s = np.percentile(times_s[N_STEPS // 10 :], [50, 99])
        detail = f"{name}: {1e3 * p50_s:.1f} of {1e3 * hop_s:.1f} ms per hop on the CPU (p99 {1e3 * p99_s:.1f} ms)"
        if p50_s > BUSY_SHARE * hop_s:
            yield Finding("warn", "networks", f"{detail}: this machine is too slow for it to be safe live")
        elif p99_s > BUSY_SHARE * hop_s:
            yield Finding("warn", "networks", f"{detail}: something else keeps this machine busy")
        else:
            yield Finding("ok", "networks", detail)


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


CHECKS: tuple[Callable[[], Iterator[Finding]], ...] = (
    check_python,
    check_packages,
    check_portaudio,
    check_sound_server,
    check_realtime,
    check_gpu,
    check_kernels,
    check_models,
)
