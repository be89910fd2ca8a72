"""Some streams of one ONNX Runtime session: buffers and bindings made once, so that a step allocates nothing.

The states ping-pong between two sets of buffers. The even binding reads set 0 and writes set 1, the odd one the
reverse, and a step runs whichever is due: nothing is copied and nothing rebound. ``spectrum`` and ``mask`` have one
buffer each. On the CPU, ONNX Runtime works in NumPy's own memory; on a card the states never leave it, and only
``spectrum`` and ``mask`` travel, through pinned memory.
"""

import ctypes
import itertools
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtkaraoke.masks.contract import OUT, Signature
from rtkaraoke.masks.providers import SILENT, OpenedSession

HOST_TO_DEVICE = 1  # enum cudaMemcpyKind
DEVICE_TO_HOST = 2
DEVICE_TO_DEVICE = 3

_graph_numbers = itertools.count(1)  # a graph holds the addresses of one parity of one stream, so none is used twice


class DeviceCopy:
    """A copy between an array and a device tensor, prepared once and called every step.

    Plain ``cudaMemcpy``: the array is pinned, so it goes by DMA, and it returns when the data has arrived.
    """

    def __init__(self, cudart: Any, array: NDArray[np.float32], device_pointer: int, kind: int) -> None:
        self._cudart = cudart
        self._array = array  # kept alive as long as the card may write to it
        host, device = ctypes.c_void_p(array.ctypes.data), ctypes.c_void_p(device_pointer)
        ends = (device, host) if kind == HOST_TO_DEVICE else (host, device)
        self._arguments = (*ends, ctypes.c_size_t(array.nbytes), ctypes.c_int(kind))
        # Refused where memory may not be locked; the copy then works all the same, a little slower.
        self._pinned = cudart.cudaHostRegister(host, ctypes.c_size_t(array.nbytes), ctypes.c_uint(0)) == 0

    def __call__(self) -> None:
        """Copy; returns when done."""
        _check(self._cudart.cudaMemcpy(*self._arguments))

    def close(self) -> None:
        """Unpin, before NumPy frees the memory. May be called twice."""
        if self._pinned:
            self._cudart.cudaHostUnregister(ctypes.c_void_p(self._array.ctypes.data))
            self._pinned = False


class BoundSession:
    """Fill :attr:`spectra`, call :meth:`run`, read :attr:`masks`. For one thread at a time.

    Attributes
    ----------
    spectra : complex64 array ``(stream, channel, bin)``
        Input of the next step; bins as many as the network has.
    masks : float32 array ``(stream, channel, bin)``
        Output of the last step.
    """

    def __init__(self, opened: OpenedSession, signature: Signature, n_streams: int = 1) -> None:
        self.device = opened.device
        self._session = opened.session
        self._cudart = opened.cudart
        self._copies: list[DeviceCopy] = []
        spectra = np.zeros((n_streams, *signature.spectrum_shape), np.float32)
        self.masks: NDArray[np.float32] = np.zeros((n_streams, *signature.spectrum_shape[:2]), np.float32)
        self.spectra: NDArray[np.complex64] = spectra.view(np.complex64)[..., 0]
        # On the CPU the tensors work in these arrays; on a card the arrays are what the tensors began with.
        self._arrays = [
            {name: np.zeros((n_streams, *shape), np.float32) for name, shape in signature.states.items()}
            for _ in range(2)
        ]
        self._states = [{name: self._tensor(array) for name, array in arrays.items()} for arrays in self._arrays]
        self._zeros = np.zeros(
            n_streams * max((math.prod(shape) for shape in signature.states.values()), default=0), np.float32
        )
        if opened.cudart is None:
            tensors = self._tensor(spectra), self._tensor(self.masks)
        else:  # the device's tensors are others than the host's arrays
            tensors = self._tensor(spectra.copy()), self._tensor(self.masks.copy())
            pointers = [tensor.data_ptr() for tensor in tensors]
            self._copies = [
                DeviceCopy(opened.cudart, spectra, pointers[0], HOST_TO_DEVICE),
                DeviceCopy(opened.cudart, self.masks, pointers[1], DEVICE_TO_HOST),
            ]
        self._tensors = tensors
        self._bindings = [self._bind(parity, *tensors) for parity in range(2)]
        self._options = [_graph_options() if opened.graph else None for _ in range(2)]
        self._parity = 0

    def run(self) -> None:
        """One step. Raises whatever ONNX Runtime or CUDA raise."""
        parity = self._parity
        if self._copies:
            self._copies[0]()
        self._session.run_with_iobinding(self._bindings[parity], self._options[parity])
        if self._copies:
            self._copies[1]()
        self._parity = 1 - parity

    def hold(self, stream: int) -> None:
        """Undo the last step for one stream: it remembers what it did before. Raises whatever CUDA raises."""
        for name, array in self._arrays[self._parity].items():
            if self._cudart is None:
                np.copyto(array[stream], self._arrays[1 - self._parity][name][stream])
            else:
                ends = (self._on_card(self._parity, name, stream), self._on_card(1 - self._parity, name, stream))
                size = ctypes.c_size_t(array[stream].nbytes)
                _check(self._cudart.cudaMemcpy(*ends, size, ctypes.c_int(DEVICE_TO_DEVICE)))

    def forget(self, stream: int) -> None:
        """Set the states of one stream to zero. Raises whatever CUDA raises."""
        for name, array in self._arrays[self._parity].items():
            if self._cudart is None:
                array[stream] = 0.0
            else:
                size = ctypes.c_size_t(array[stream].nbytes)
                _check(self._cudart.cudaMemset(self._on_card(self._parity, name, stream), ctypes.c_int(0), size))

    def reset(self) -> None:
        """Set every state to zero. Raises whatever CUDA raises."""
        for states in self._states:
            for tensor in states.values():
                tensor.update_inplace(self._zeros[: math.prod(tensor.shape())].reshape(tensor.shape()))

    def close(self) -> None:
        """Release pinned memory, buffers and bindings. May be called twice; no step after it."""
        for copy in self._copies:
            copy.close()
        self._bindings.clear()
        self._states.clear()

    def _on_card(self, parity: int, name: str, stream: int) -> ctypes.c_void_p:
        """Where a state of one stream begins in the card's memory."""
        offset = stream * self._arrays[parity][name][stream].nbytes
        return ctypes.c_void_p(self._states[parity][name].data_ptr() + offset)

    def _tensor(self, array: NDArray[np.float32]) -> Any:
        """Wrap ``array`` as an OrtValue: the same memory on the CPU, a copy on a device."""
        import onnxruntime

        return onnxruntime.OrtValue.ortvalue_from_numpy(array, self.device, 0)

    def _bind(self, parity: int, spectrum: Any, mask: Any) -> Any:
        """Bind all inputs and outputs for steps that read the states of set ``parity``."""
        binding = self._session.io_binding()
        binding.bind_ortvalue_input("spectrum", spectrum)
        binding.bind_ortvalue_output("mask", mask)
        for name in self._states[parity]:
            binding.bind_ortvalue_input(name, self._states[parity][name])
            binding.bind_ortvalue_output(name + OUT, self._states[1 - parity][name])
        return binding


def _check(code: int) -> None:
    """Raise for a CUDA error."""
    if code:
        raise RuntimeError(f"a copy on the card failed with CUDA error {code}")


def _graph_options() -> Any:
    """Options of a run that is captured once and then replayed as a CUDA graph, under a number of its own.

    Other runs take None: ONNX Runtime's Python layer looks for a graph's number in any options it is given, and not
    finding one costs it 25 us.
    """
    import onnxruntime

    options = onnxruntime.RunOptions()
    options.log_severity_level = SILENT
    options.add_run_config_entry("gpu_graph_id", str(next(_graph_numbers)))
    return options
