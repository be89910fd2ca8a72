"""What a figure was measured on: without it, a time means nothing."""

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import rtkaraoke

PACKAGES = ("numpy", "numba", "rocket-fft", "onnxruntime-gpu", "onnxruntime", "rtmixer", "soundfile")


def describe_machine() -> dict[str, str]:
    """Processor, cores, memory, graphics card, system, Python."""
    described = {
        "cpu": _cpu_name(),
        "cores": str(os.cpu_count()),
        "memory": _memory(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
    }
    gpu = _gpu_name()
    return described | ({"gpu": gpu} if gpu else {})


def describe_versions() -> dict[str, str]:
    """The installed version of each package that a figure hangs on."""
    found = {"rtkaraoke": rtkaraoke.__version__}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def describe_revision(checkout: Path) -> str:
    """The commit of ``checkout``, with ``+`` when the package itself has changes that are not committed."""
    try:
        revision = _output("git", "-C", str(checkout), "rev-parse", "--short=10", "HEAD")
        changes = _output("git", "-C", str(checkout), "status", "--porcelain", "--", "rtkaraoke")
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return revision + ("+" if changes else "")


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def _memory() -> str:
    if not hasattr(os, "sysconf"):
        return "unknown"
    return f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB"


def _gpu_name() -> str:
    try:
        return _output("nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader").replace("\n", "; ")
    except (OSError, subprocess.SubprocessError):
        return ""


def _output(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=20).stdout.strip()
