"""From a checkpoint to an ONNX file that keeps the contract of :mod:`rtkaraoke.masks.protocol`.

The moving average of the weights is what is exported, rounded to half precision and stored so: the file is half
as large, and ONNX Runtime widens the constants again when it loads it. Nothing is written unless the file, run step
by step, gives the masks that torch gives over the whole sequence.
"""

import hashlib
import io
import warnings
from dataclasses import asdict
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from rtkaraoke.errors import ModelError
from rtkaraoke.geometry import StftGeometry
from rtkaraoke.masks.protocol import ModelInfo
from rtkaraoke.train.checkpoint import read_checkpoint
from rtkaraoke.train.config import parse_config
from rtkaraoke.train.networks.gru_unet import GruUnet
from rtkaraoke.train.networks.patch_mask import LiveMask
from rtkaraoke.train.stft import TorchStft

OPSET = 17
TOLERANCE = 1e-4
N_CHECKED = 300  # steps
SMALL = 256  # values; constants of fewer stay as they are


class Step(nn.Module):
    """One frame in, one mask out, with the states as plain tensors: the shape of the exported graph."""

    def __init__(self, network: GruUnet | LiveMask) -> None:
        super().__init__()
        self.network = network
        self.names = list(network.initial_states(1))

    def forward(self, spectrum: Tensor, *states: Tensor) -> tuple[Tensor, ...]:
        """Mask ``(stream, channel, bin)`` of a frame ``(stream, channel, bin, 2)``, then the states after it."""
        mask, after = masks(self.network, spectrum.unsqueeze(2), dict(zip(self.names, states, strict=True)))
        return mask[:, :, 0], *(after[name] for name in self.names)


def masks(
    network: GruUnet | LiveMask, spectrum: Tensor, states: dict[str, Tensor] | None = None
) -> tuple[Tensor, dict[str, Tensor]]:
    """Masks ``(stream, channel, frame, bin)`` of a spectrum ``(stream, channel, frame, bin, 2)``, and the states."""
    found, after = network(spectrum, states)
    return found if isinstance(network, LiveMask) else torch.sigmoid(found), after


def channels_and_bins(network: GruUnet | LiveMask) -> tuple[int, int]:
    """What one frame of the network has."""
    if isinstance(network, LiveMask):
        return network.n_channels, network.n_bins
    return 2, network.geometry.n_bins


def export(
    checkpoint: Path | str, out_path: Path | str, blend: Path | str | None = None, share: float = 0.5
) -> ModelInfo:
    """Write the network of ``checkpoint`` to ``out_path`` and return what it says of itself.

    With ``blend``, a checkpoint that one of the two was trained on from, its weights make up the given ``share``: such
    a mean is often better on new songs than either (M. Wortsman et al., Robust fine-tuning of zero-shot models, 2022).

    Raises
    ------
    ModelError
        When a checkpoint is missing or damaged, the two have different networks, or torch and ONNX Runtime differ by
        more than ``TOLERANCE`` in any mask.
    """
    saved = read_checkpoint(checkpoint, {"average", "step", "scores", "recipe"})
    config = parse_config(saved["recipe"], str(checkpoint))
    geometry = StftGeometry(**asdict(config.geometry))
    network = GruUnet(config.network, geometry)
    weights, scores = saved["average"], saved["scores"]
    if blend is not None:
        weights, scores = blended(weights, read_checkpoint(blend, {"average"})["average"], share, str(blend)), {}
    network.load_state_dict({name: value.half().float() for name, value in weights.items()})
    network.eval()
    revision = f"{saved['step']}-{weights_hash(network)}"
    info = ModelInfo(geometry=geometry, revision=revision, scores=scores, **asdict(config.card))
    write(network, info, out_path)
    return info


def write(network: GruUnet | LiveMask, info: ModelInfo, out_path: Path | str) -> None:
    """Write ``network``, whose weights half precision holds, to ``out_path``.

    Raises
    ------
    ModelError
        When torch and ONNX Runtime differ by more than ``TOLERANCE`` in any mask.
    """
    model = halve_constants(to_onnx(network))
    helper.set_model_props(model, info.to_metadata())
    onnx.checker.check_model(model, full_check=True)
    data = model.SerializeToString()
    check_same(network, info.geometry, data)
    Path(out_path).write_bytes(data)


def blended(weights: dict[str, Tensor], others: dict[str, Tensor], share: float, where: str) -> dict[str, Tensor]:
    """``weights`` with a ``share`` of ``others``; ``where`` names those in a message."""
    if not 0 <= share <= 1:
        raise ModelError(f"a share of {share:g} of {where}: wanted 0 to 1")
    if {name: value.shape for name, value in weights.items()} != {name: value.shape for name, value in others.items()}:
        raise ModelError(f"{where} holds another network: wanted a checkpoint of the same one")
    return {name: torch.lerp(value, others[name], share) for name, value in weights.items()}


def weights_hash(network: nn.Module) -> str:
    """Twelve digits that name these very weights."""
    digest = hashlib.sha256()
    for value in network.state_dict().values():
        digest.update(value.numpy().tobytes())
    return digest.hexdigest()[:12]


def to_onnx(network: GruUnet | LiveMask) -> onnx.ModelProto:
    """The graph of one step, its stream axis free."""
    step = Step(network).eval()  # the exporter puts the mode back that it finds
    frame = channels_and_bins(network)
    states = network.initial_states(1)
    inputs = ["spectrum", *(f"state_{name}" for name in states)]
    outputs = ["mask", *(f"state_{name}_out" for name in states)]
    spectrum = torch.zeros(1, *frame, 2)
    buffer = io.BytesIO()
    with warnings.catch_warnings():  # the older exporter needs no further package, and says that it is old
        warnings.simplefilter("ignore")
        torch.onnx.export(
            step,
            (spectrum, *states.values()),
            buffer,  # type: ignore[arg-type]
            dynamo=False,
            opset_version=OPSET,
            input_names=inputs,
            output_names=outputs,
            dynamic_axes={name: {0: "stream"} for name in (*inputs, *outputs)},
        )
    model = onnx.load_from_string(buffer.getvalue())
    for value, shape in zip(model.graph.output, [frame, *(s.shape[1:] for s in states.values())], strict=True):
        for dim, size in zip(value.type.tensor_type.shape.dim[1:], shape, strict=True):
            dim.ClearField("dim_param")
            dim.dim_value = size
    return model


def halve_constants(model: onnx.ModelProto) -> onnx.ModelProto:
    """Store large float32 constants as float16 behind a Cast, where that loses nothing."""
    casts = []
    for constant in model.graph.initializer:
        value = numpy_helper.to_array(constant)
        half = value.astype(np.float16)
        if value.dtype != np.float32 or value.size < SMALL or not np.array_equal(half.astype(np.float32), value):
            continue
        name = constant.name
        constant.CopyFrom(numpy_helper.from_array(half, f"{name}_half"))
        casts.append(helper.make_node("Cast", [f"{name}_half"], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return model


def bursts(n_samples: int, n_channels: int = 2, seed: int = 0) -> NDArray[np.float32]:
    """Noise in bursts with a pause ``(channel, sample)``: loud, soft and silent frames for the comparison."""
    random = np.random.default_rng(seed)
    envelope = np.abs(np.sin(np.linspace(0, 9, n_samples))) ** 3
    envelope[n_samples // 3 : n_samples // 2] = 0.0
    return (0.2 * envelope * random.standard_normal((n_channels, n_samples))).astype(np.float32)


def check_same(network: GruUnet | LiveMask, geometry: StftGeometry, data: bytes) -> None:
    """Compare torch over a whole sequence with ONNX Runtime step by step.

    Raises
    ------
    ModelError
        When a mask differs by more than ``TOLERANCE``, or leaves [0, 1].
    """
    n_channels, n_bins = channels_and_bins(network)
    signal = torch.from_numpy(bursts(N_CHECKED * geometry.hop, n_channels))
    with torch.no_grad():
        spectrum = TorchStft(geometry).spectrum(signal)[None, ..., :n_bins]
        sequence = torch.view_as_real(spectrum) * geometry.level_scale
        wanted = masks(network, sequence)[0][0].numpy()
    frames = sequence.numpy()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    states = {f"state_{name}": value.numpy() for name, value in network.initial_states(1).items()}
    worst = 0.0
    for t in range(N_CHECKED):
        mask, *after = session.run(None, {"spectrum": np.ascontiguousarray(frames[:, :, t]), **states})
        states = dict(zip(states, after, strict=True))
        worst = max(worst, float(np.abs(mask[0] - wanted[:, t]).max()))
        if not (mask.min() >= 0.0 and mask.max() <= 1.0):
            raise ModelError(f"the mask of step {t} leaves [0, 1]: {mask.min()} to {mask.max()}")
    if not worst <= TOLERANCE:
        raise ModelError(f"torch and ONNX Runtime differ by {worst:.2e} in a mask, allowed is {TOLERANCE:.0e}")
