"""Does an ONNX file keep the contract of :mod:`rtkaraoke.masks.protocol`? Every refusal names field, found, wanted."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtkaraoke.errors import GeometryError, ModelError
from rtkaraoke.masks.protocol import ModelInfo
from rtkaraoke.masks.providers import reason

FLOAT = "tensor(float)"
STATE = "state_"
OUT = "_out"
MAX_ELEMENTS = 2**26  # of all inputs of one stream: 256 MB, far above any network that keeps up with a hop
TRIAL_LEVELS = (0.0, 100.0, 0.0)  # silence, music at about -14 dB, silence
TRIAL_STREAMS = 2
ROUNDING = 1e-6  # a mask may leave [0, 1] by this much; steps clip it


@dataclass(frozen=True, slots=True)
class Signature:
    """Shapes of one stream, without the stream axis."""

    n_channels: int
    n_bins: int
    states: dict[str, tuple[int, ...]]  #: input name to shape

    @property
    def spectrum_shape(self) -> tuple[int, int, int]:
        """``(channel, bin, 2)``."""
        return (self.n_channels, self.n_bins, 2)


def read_contract(session: Any, source: str) -> tuple[ModelInfo, Signature]:
    """Check metadata, inputs and outputs of ``session``, then run three trial steps.

    Parameters
    ----------
    session : onnxruntime.InferenceSession
        On the CPU.
    source : str
        The file's name, for messages.

    Raises
    ------
    ModelError
        Naming the field, the value found and the value wanted.
    """
    try:
        info = ModelInfo.from_metadata(session.get_modelmeta().custom_metadata_map, source)
    except GeometryError as error:
        raise ModelError(
            f"{source}: the metadata's sample_rate, n_fft, hop, look_ahead or window cannot work: {error}"
        ) from None
    inputs = {value.name: value for value in session.get_inputs()}
    outputs = {value.name: value for value in session.get_outputs()}
    signature = Signature(info.n_channels, info.n_bins, _states(inputs, outputs, source))
    _check_tensor(inputs["spectrum"], signature.spectrum_shape, source)
    _check_tensor(outputs["mask"], signature.spectrum_shape[:2], source)
    for name, shape in signature.states.items():
        _check_tensor(outputs[name + OUT], shape, source)
    n_elements = sum(math.prod(shape) for shape in (signature.spectrum_shape, *signature.states.values()))
    if n_elements > MAX_ELEMENTS:
        raise ModelError(f"{source}: inputs and states hold {n_elements} numbers, wanted {MAX_ELEMENTS} or less")
    _try(session, signature, source)
    return info, signature


def _states(inputs: dict[str, Any], outputs: dict[str, Any], source: str) -> dict[str, tuple[int, ...]]:
    """Check that the names are the contract's; answer the shape of every state."""
    for kind, found, wanted in (("input", inputs, "spectrum"), ("output", outputs, "mask")):
        if wanted not in found:
            raise ModelError(f"{source}: there is no {kind} {wanted!r}, found {_listed(found)}")
    states = [name for name in inputs if name != "spectrum"]
    if foreign := [name for name in states if not name.startswith(STATE)]:
        raise ModelError(f"{source}: input {foreign[0]!r}, wanted 'spectrum' and names that begin with {STATE!r}")
    wanted_outputs = {name + OUT for name in states}
    if missing := sorted(wanted_outputs - set(outputs)):
        raise ModelError(f"{source}: there is no output {missing[0]!r}, found {_listed(outputs)}")
    if foreign := [name for name in outputs if name != "mask" and name not in wanted_outputs]:
        raise ModelError(f"{source}: output {foreign[0]!r}, wanted 'mask' and one {STATE}<name>{OUT} for every state")
    shapes = {}
    for name in states:
        shape = tuple(inputs[name].shape)
        if not shape or not all(isinstance(size, int) and size > 0 for size in shape[1:]):
            raise ModelError(
                f"{source}: input {name!r} has the shape {_shown(shape)}, wanted a symbolic stream axis, "
                "then fixed sizes of 1 or more"
            )
        _check_tensor(inputs[name], shape[1:], source)
        shapes[name] = shape[1:]
    return shapes


def _check_tensor(value: Any, wanted: tuple[int, ...], source: str) -> None:
    """Compare with ``(stream, *wanted)``; an output's other axes may be symbolic, since the trial measures them."""
    if value.type != FLOAT:
        raise ModelError(f"{source}: {value.name!r} is a {value.type}, wanted {FLOAT}")
    shape = tuple(value.shape)
    is_output = value.name == "mask" or value.name.endswith(OUT)
    fits = len(shape) == 1 + len(wanted) and all(
        found == size or (is_output and not isinstance(found, int))
        for found, size in zip(shape[1:], wanted, strict=True)
    )
    if not fits:
        raise ModelError(
            f"{source}: {value.name!r} has the shape {_shown(shape)}, wanted {_shown(('stream', *wanted))} "
            "(channels and bins, n_fft / 2 + 1 unless n_bins says so, as in the metadata)"
        )
    if isinstance(shape[0], int):
        raise ModelError(
            f"{source}: the first axis of {value.name!r} is {shape[0]}, wanted a symbolic one: "
            "export the network with a dynamic stream axis"
        )


def _try(session: Any, signature: Signature, source: str) -> None:
    """Run silence, noise, silence through two streams at once and look at what comes out."""
    noise = np.random.default_rng(0).standard_normal((TRIAL_STREAMS, *signature.spectrum_shape)).astype(np.float32)
    states = {name: np.zeros((TRIAL_STREAMS, *shape), np.float32) for name, shape in signature.states.items()}
    names = ["mask", *(name + OUT for name in states)]
    for level in TRIAL_LEVELS:
        try:
            mask, *after = session.run(names, {"spectrum": noise * np.float32(level), **states})
        except Exception as error:  # noqa: BLE001 - ONNX Runtime's exceptions share no other base class
            raise ModelError(f"{source}: a trial step with {TRIAL_STREAMS} streams fails: {reason(error)}") from None
        _check_values("mask", mask, signature.spectrum_shape[:2], source)
        if mask.min() < -ROUNDING or mask.max() > 1 + ROUNDING:
            raise ModelError(f"{source}: 'mask' lies in {mask.min():g} to {mask.max():g}, wanted 0 to 1")
        for name, state in zip(list(states), after, strict=True):
            _check_values(name + OUT, state, signature.states[name], source)
            states[name] = state


def _check_values(name: str, values: NDArray[np.float32], shape: tuple[int, ...], source: str) -> None:
    if values.shape != (TRIAL_STREAMS, *shape):
        raise ModelError(f"{source}: {name!r} came out as {values.shape}, wanted {(TRIAL_STREAMS, *shape)}")
    if not np.isfinite(values).all():
        raise ModelError(f"{source}: {name!r} holds NaN or infinity in a trial step, wanted finite numbers")


def _listed(values: dict[str, Any]) -> str:
    return ", ".join(repr(name) for name in values) or "none"


def _shown(shape: tuple[int | str | None, ...]) -> str:
    return "(" + ", ".join("?" if size is None else str(size) for size in shape) + ")"
