"""What the shipped networks are: size, work per step, state, latency, read off their files.

    python benchmarks/networks.py [--model live playback ...] [--quick]

Nothing is timed. Multiply-adds are those of convolutions, matrix products and recurrent layers. Needs the package
`onnx`. Writes ``results/networks.json``, whose tables the model cards show.
"""

import argparse
import math
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from common import Cell, Table, parse, save
from onnx import numpy_helper
from quality import shipped_by_default_first

from rtkaraoke.masks.models import load_model
from rtkaraoke.masks.onnx import shipped_models

Shapes = dict[str, tuple[int, ...]]


def weights_of(graph: onnx.GraphProto) -> Shapes:
    """The shape of every constant by name; half precision weights are constants behind a cast."""
    shapes = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant":
            shapes[node.output[0]] = tuple(numpy_helper.to_array(node.attribute[0].t).shape)
        elif node.op_type in ("Cast", "Identity", "Transpose") and node.input[0] in shapes:
            shapes[node.output[0]] = shapes[node.input[0]]
    return shapes


def multiply_adds(model: onnx.ModelProto) -> int:
    """Multiply-adds of one step of one stream. The shapes are those of a real run."""
    counted = [node for node in model.graph.node if node.op_type in ("Conv", "Gemm", "MatMul", "GRU")]
    model.graph.output.extend(onnx.ValueInfoProto(name=node.output[0]) for node in counted)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    silence = {
        given.name: np.zeros([size if isinstance(size, int) else 1 for size in given.shape], np.float32)
        for given in session.get_inputs()
    }
    outputs = session.run([node.output[0] for node in counted], silence)
    weights = weights_of(model.graph)
    total = 0
    for node, output in zip(counted, outputs, strict=True):
        if node.op_type == "GRU":
            total += math.prod(weights[node.input[1]]) + math.prod(weights[node.input[2]])
        elif node.op_type == "Conv":
            total += output.size * math.prod(weights[node.input[1]][1:])
        elif node.input[1] in weights:
            total += output.size * weights[node.input[1]][1 if transposed(node) else 0]
    return total


def transposed(node: onnx.NodeProto) -> bool:
    """Whether a product takes its second matrix the other way round."""
    return any(attribute.name == "transB" and attribute.i for attribute in node.attribute)


def describe(name: str, path: Path) -> dict[str, Cell]:
    """One network's figures, by heading."""
    model = onnx.load(path)
    info = load_model(name, "cpu").info
    geometry = info.geometry
    n_parameters = sum(math.prod(tensor.dims) for tensor in model.graph.initializer if tensor.dims)
    n_state = sum(
        math.prod(max(axis.dim_value, 1) for axis in value.type.tensor_type.shape.dim)
        for value in model.graph.input
        if value.name.startswith("state_")
    )
    per_step = multiply_adds(model)
    return {
        "parameters, million": n_parameters / 1e6,
        "file, MB": path.stat().st_size / 1e6,
        "multiply-adds per step, million": per_step / 1e6,
        "multiply-adds per second, thousand million": per_step / geometry.hop_s / 1e9,
        "state per stream, KB": 4e-3 * n_state,
        "n_fft": geometry.n_fft,
        "hop": geometry.hop,
        "look-ahead, hops": geometry.look_ahead,
        "algorithmic latency, samples": geometry.latency,
        "algorithmic latency, ms": 1e3 * geometry.latency / geometry.sample_rate,
        "recommended strength": info.strength,
        "recommended bias": info.bias,
        "revision": info.revision,
    }


def text(value: Cell) -> str:
    """A figure for a card."""
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", nargs="+", default=shipped_by_default_first())
    options = parse(parser)  # quick as it is
    found = {name: describe(name, shipped_models()[name]) for name in options.model}
    tables = [
        Table(name, f"`{name}`", {"network": "", name: ""}, [[what, text(value)] for what, value in figures.items()])
        for name, figures in found.items()
    ]
    path = save("networks", tables)
    for table in tables:
        print(f"{table.markdown()}\n")
    print(f"wrote {path.name}")


if __name__ == "__main__":
    main()
