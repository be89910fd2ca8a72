"""Small ONNX files that keep the mask contract, built node by node: no training, no torch, a few kilobytes.

:func:`constant_mask` knows no state; :func:`stateful_mask` has a mask that depends on every frame so far, so that a
lost, repeated or swapped hop shows, and :func:`stateful_oracle` is the same in NumPy. :func:`build` takes any nodes
and leaves contract breaches to the caller.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from rtkaraoke.geometry import StftGeometry
from rtkaraoke.masks.protocol import ModelInfo

OPSET = 17
IR_VERSION = 8  # old enough for every onnxruntime since 1.11
GEOMETRY = StftGeometry(44_100, 2048, 256)

Shape = Sequence[int | str]


def model_info(
    name: str = "test",
    *,
    sample_rate: int = GEOMETRY.sample_rate,
    n_fft: int = GEOMETRY.n_fft,
    hop: int = GEOMETRY.hop,
    look_ahead: int = 0,
    window: int = 0,
    n_channels: int = 2,
    **more: Any,
) -> ModelInfo:
    """A complete :class:`ModelInfo`; ``more`` are its remaining fields."""
    fields = {"licence": "CC0-1.0", "training_data": "none"} | more
    return ModelInfo(name, StftGeometry(sample_rate, n_fft, hop, look_ahead, window), n_channels, **fields)


def tensor(name: str, shape: Shape, dtype: int = TensorProto.FLOAT) -> onnx.ValueInfoProto:
    """Declare an input or output; a string in ``shape`` is a symbolic axis."""
    return helper.make_tensor_value_info(name, dtype, list(shape))


def build(
    path: str | Path,
    nodes: Sequence[onnx.NodeProto],
    inputs: Sequence[onnx.ValueInfoProto],
    outputs: Sequence[onnx.ValueInfoProto],
    metadata: Mapping[str, str],
    constants: Mapping[str, float] | None = None,
) -> Path:
    """Write a graph as it is given, right or wrong; ``constants`` become scalar float32 initializers."""
    initializers = [
        helper.make_tensor(name, TensorProto.FLOAT, [], [value]) for name, value in (constants or {}).items()
    ]
    graph = helper.make_graph(list(nodes), "mask", list(inputs), list(outputs), initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    helper.set_model_props(model, dict(metadata))
    target = Path(path)
    onnx.save(model, target)
    return target


def constant_mask(path: str | Path, value: float = 0.5, **info: Any) -> Path:
    """A network whose mask is ``value`` everywhere and that remembers nothing.

    ``info`` goes to :func:`model_info`: ``hop``, ``n_fft``, ``look_ahead``, ``n_channels``, ``sample_rate``, ...
    """
    about = model_info(**{"name": "constant", **info})
    channel, bins = about.n_channels, about.n_bins
    filled = helper.make_tensor("filled", TensorProto.FLOAT, [1], [value])
    nodes = [
        helper.make_node("Shape", ["spectrum"], ["mask_shape"], start=0, end=3),
        helper.make_node("ConstantOfShape", ["mask_shape"], ["mask"], value=filled),
    ]
    return build(
        path,
        nodes,
        [tensor("spectrum", ["stream", channel, bins, 2])],
        [tensor("mask", ["stream", channel, bins])],
        about.to_metadata(),
    )


def stateful_mask(path: str | Path, *, smoothing: float = 0.9, threshold: float = 100.0, **info: Any) -> Path:
    """A network with a one-pole state over frames; see :func:`stateful_oracle` for what it computes.

    Parameters
    ----------
    path : str or Path
        Where to write the file.
    smoothing : float
        Share of the past in the state, 0 to 1.
    threshold : float
        Smoothed power at which the mask is one half. A full-scale sine has a power of about 2.5e5.
    **info
        As for :func:`constant_mask`.
    """
    about = model_info(**{"name": "stateful", **info})
    channel, bins = about.n_channels, about.n_bins
    shape = ["stream", channel, bins]
    nodes = [
        helper.make_node("ReduceSumSquare", ["spectrum"], ["power"], axes=[3], keepdims=0),
        helper.make_node("Mul", ["state_power", "smoothing"], ["kept"]),
        helper.make_node("Mul", ["power", "fresh"], ["added"]),
        helper.make_node("Add", ["kept", "added"], ["state_power_out"]),
        helper.make_node("Add", ["state_power_out", "threshold"], ["total"]),
        helper.make_node("Div", ["state_power_out", "total"], ["mask"]),
    ]
    return build(
        path,
        nodes,
        [tensor("spectrum", [*shape, 2]), tensor("state_power", shape)],
        [tensor("mask", shape), tensor("state_power_out", shape)],
        about.to_metadata(),
        {"smoothing": smoothing, "fresh": 1.0 - smoothing, "threshold": threshold},
    )


def stateful_oracle(
    spectra: NDArray[np.complex64], smoothing: float = 0.9, threshold: float = 100.0
) -> NDArray[np.float32]:
    """What :func:`stateful_mask` answers to ``spectra`` ``(frame, channel, bin)``: masks of the same shape."""
    state = np.zeros(spectra.shape[1:], np.float32)
    masks = np.empty(spectra.shape, np.float32)
    for frame, mask in zip(spectra, masks, strict=True):
        power = frame.real**2 + frame.imag**2
        state = np.float32(smoothing) * state + np.float32(1.0 - smoothing) * power
        mask[:] = state / (state + np.float32(threshold))
    return masks
