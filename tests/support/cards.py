"""A stand-in for a graphics card: ONNX Runtime on the CPU behind staged copies, and a session that can be broken."""

import ctypes
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rtkaraoke.masks import providers
from rtkaraoke.masks.providers import OpenedSession

CUDA_ERROR_LAUNCH_FAILURE = 719


class FakeCudart:
    """CUDA's runtime library with host memory for a device; :attr:`broken` makes every copy fail."""

    def __init__(self) -> None:
        self.broken = False
        self.pinned: set[int] = set()
        self.kinds: list[int] = []

    def cudaHostRegister(self, pointer: ctypes.c_void_p, size: ctypes.c_size_t, flags: ctypes.c_uint) -> int:
        assert pointer.value is not None
        assert size.value > 0
        assert flags.value == 0
        if pointer.value in self.pinned:
            return 712  # already registered
        self.pinned.add(pointer.value)
        return 0

    def cudaHostUnregister(self, pointer: ctypes.c_void_p) -> int:
        assert pointer.value is not None
        self.pinned.remove(pointer.value)
        return 0

    def cudaMemcpy(
        self, target: ctypes.c_void_p, source: ctypes.c_void_p, size: ctypes.c_size_t, kind: ctypes.c_int
    ) -> int:
        if self.broken:
            return CUDA_ERROR_LAUNCH_FAILURE
        self.kinds.append(kind.value)
        ctypes.memmove(target, source, size.value)
        return 0

    def cudaMemset(self, target: ctypes.c_void_p, value: ctypes.c_int, size: ctypes.c_size_t) -> int:
        if self.broken:
            return CUDA_ERROR_LAUNCH_FAILURE
        ctypes.memset(target, value.value, size.value)
        return 0


class BreakableSession:
    """An InferenceSession whose runs raise while :attr:`broken`, and may take long."""

    def __init__(self, session: Any, before_run: Callable[[], None] = lambda: None) -> None:
        self._session = session
        self._before_run = before_run
        self.broken = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    def run_with_iobinding(self, binding: Any, options: Any = None) -> None:
        self._before_run()
        if self.broken:
            raise RuntimeError(
                "[ONNXRuntimeError] : 1 : FAIL : CUDA failure 719: unspecified launch failure\nat line 1"
            )
        self._session.run_with_iobinding(binding, options)


class FakeCard:
    """What ``providers.open_cuda`` answers after :meth:`install`: one session per call, all of them listed."""

    def __init__(self, before_run: Callable[[], None] = lambda: None) -> None:
        self.cudart = FakeCudart()
        self.sessions: list[BreakableSession] = []
        self._before_run = before_run

    def install(self, monkeypatch: pytest.MonkeyPatch) -> "FakeCard":
        monkeypatch.setattr(providers, "cuda_problem", lambda: None)
        monkeypatch.setattr(providers, "open_cuda", self.open)
        return self

    def open(self, path: Path, graphs: bool = True) -> OpenedSession:
        session = BreakableSession(providers.open_cpu(path).session, self._before_run)
        self.sessions.append(session)
        return OpenedSession(session, "cpu", self.cudart)
