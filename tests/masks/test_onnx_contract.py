"""Files that break the contract, one way each: refused with the field, the value found and the value wanted."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from rtkaraoke.errors import ModelError
from rtkaraoke.masks.onnx import load_model, shipped_models
from tests.support.networks import build, constant_mask, model_info, stateful_mask, tensor

BINS = 33
SIZES = {"n_fft": 64, "hop": 16}
METADATA = model_info(**SIZES).to_metadata()
SPECTRUM = tensor("spectrum", ["stream", 2, BINS, 2])
MASK = tensor("mask", ["stream", 2, BINS])
HALF = [
    helper.make_node("Shape", ["spectrum"], ["shape"], start=0, end=3),
    helper.make_node(
        "ConstantOfShape", ["shape"], ["mask"], value=helper.make_tensor("half", TensorProto.FLOAT, [1], [0.5])
    ),
]

Write = Callable[[Path], object]


def identity(name: str) -> onnx.NodeProto:
    return helper.make_node("Identity", [name], [f"{name}_out"])


def graph(inputs: list = (), outputs: list = (), nodes: list = (), metadata: dict | None = None) -> Write:
    """The half mask with these inputs, outputs and nodes added to its own."""
    return lambda path: build(
        path, [*HALF, *nodes], [SPECTRUM, *inputs], [MASK, *outputs], METADATA if metadata is None else metadata
    )


def whole(inputs: list, outputs: list, nodes: list, **constants: float) -> Write:
    return lambda path: build(path, nodes, inputs, outputs, METADATA, constants)


def with_metadata(**changes: str | None) -> Write:
    changed = METADATA | {f"rtkaraoke.{key}": value for key, value in changes.items()}
    return graph(metadata={key: value for key, value in changed.items() if value is not None})


def edited(edit: Callable[[onnx.ModelProto], object]) -> Write:
    """The stateful network, its protobuf changed by ``edit``."""

    def write(path: Path) -> None:
        model = onnx.load(stateful_mask(path, **SIZES))
        edit(model)
        onnx.save(model, path)

    return write


def power_mask(scale: float) -> Write:
    """A mask that is the spectrum's power times ``scale``: outside [0, 1]."""
    nodes = [
        helper.make_node("ReduceSumSquare", ["spectrum"], ["power"], axes=[3], keepdims=0),
        helper.make_node("Mul", ["power", "scale"], ["mask"]),
    ]
    return whole([SPECTRUM], [MASK], nodes, scale=scale)


def log_state() -> Write:
    """A state that turns to minus infinity at the first silent frame, behind a mask that never shows it."""
    nodes = [
        *HALF,
        helper.make_node("ReduceSumSquare", ["spectrum"], ["power"], axes=[3], keepdims=0),
        helper.make_node("Log", ["power"], ["state_log_out"]),
    ]
    shape = ["stream", 2, BINS]
    return whole([SPECTRUM, tensor("state_log", shape)], [MASK, tensor("state_log_out", shape)], nodes)


def first_stream_only() -> Write:
    """Claims a free stream axis, but answers for the first stream alone."""
    nodes = [
        helper.make_node("Constant", [], ["zero"], value_ints=[0]),
        helper.make_node("Constant", [], ["one"], value_ints=[1]),
        *HALF[:1],
        helper.make_node(HALF[1].op_type, ["shape"], ["halves"]),
        helper.make_node("Slice", ["halves", "zero", "one", "zero"], ["mask"]),
    ]
    return whole([SPECTRUM], [MASK], nodes)


def truncated(path: Path) -> None:
    data = stateful_mask(path, **SIZES).read_bytes()
    path.write_bytes(data[: len(data) // 2])


def flipped(path: Path) -> None:
    data = bytearray(stateful_mask(path, **SIZES).read_bytes())
    data[1:200] = bytes(255 - value for value in data[1:200])
    path.write_bytes(data)


def weights_beside(path: Path) -> Path:
    """The stateful network with its threshold, 100, in a file of its own."""
    model = onnx.load(stateful_mask(path, **SIZES))
    (old,) = [value for value in model.graph.initializer if value.name == "threshold"]
    model.graph.initializer.remove(old)
    model.graph.initializer.append(numpy_helper.from_array(np.full(BINS, 100.0, np.float32), "threshold"))
    onnx.save(model, path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    return path.parent / "weights.bin"


def without_its_weights(path: Path) -> None:
    weights_beside(path).unlink()


def out_of_range() -> Write:
    """Reads a bin that is not there, which shows only when it runs."""
    nodes = [
        helper.make_node("Constant", [], ["indices"], value_ints=[99] * BINS),
        *HALF[:1],
        helper.make_node(HALF[1].op_type, ["shape"], ["halves"]),
        helper.make_node("Gather", ["halves", "indices"], ["mask"], axis=2),
    ]
    return whole([SPECTRUM], [MASK], nodes)


def huge(path: Path) -> None:
    with path.open("wb") as file:
        file.write(b"\x08\x08")
        file.truncate(2**31)  # sparse: takes no room


def unknown_operator(model: onnx.ModelProto) -> None:
    model.graph.node[0].op_type = "Karaoke"


def future_opset(model: onnx.ModelProto) -> None:
    model.opset_import[0].version = 9_999


state = ["stream", 2, 5]
BROKEN: dict[str, tuple[Write, str]] = {
    # what the file is
    "missing": (lambda path: None, r"no network or file .*centre"),
    "empty": (lambda path: path.write_bytes(b""), r"empty \(0 bytes\)"),
    "folder": (lambda path: path.mkdir(), r"is no file"),
    "text": (lambda path: path.write_text("hello"), r"is no ONNX file"),
    "sound": (lambda path: path.write_bytes(b"RIFF\0\0\0\0WAVEfmt "), r"is no ONNX file"),
    "one byte": (lambda path: path.write_bytes(b"\x08"), r"ONNX Runtime cannot load it: \w"),
    "truncated": (truncated, r"ONNX Runtime cannot load it: \w"),
    "flipped": (flipped, r"ONNX Runtime cannot load it: \w"),
    "unknown operator": (edited(unknown_operator), r"ONNX Runtime cannot load it: .*Karaoke"),
    "future opset": (edited(future_opset), r"ONNX Runtime cannot load it: .*opset"),
    "weights missing": (without_its_weights, r"ONNX Runtime cannot load it: .*weights.bin"),
    "huge": (huge, r"has 2147483648 bytes, wanted less"),
    # metadata
    "foreign": (graph(metadata={}), r"'rtkaraoke.contract' is missing"),
    "contract": (with_metadata(contract="2"), r"contract version 2, wanted 1"),
    "contract text": (with_metadata(contract="one"), r"'rtkaraoke.contract' is 'one', wanted an integer"),
    "n_fft text": (with_metadata(n_fft="64.0"), r"'rtkaraoke.n_fft' is '64.0', wanted an integer"),
    "n_fft odd": (with_metadata(n_fft="65"), r"n_fft 65 with hop 16: n_fft must be even"),
    "hop zero": (with_metadata(hop="0"), r"'rtkaraoke.hop' is '0', wanted an integer of 1 or more"),
    "hop long": (with_metadata(hop="60"), r"at least two hops"),
    "rate": (with_metadata(sample_rate="1000000000"), r"1000000000 Hz is outside"),
    "look-ahead": (with_metadata(look_ahead="-1"), r"'rtkaraoke.look_ahead' is '-1'"),
    "channels 3": (with_metadata(n_channels="3"), r"n_channels.* is 3, wanted 1 or 2"),
    "scores": (with_metadata(scores="[1]"), r"scores"),
    "window": (with_metadata(window="65"), r"look_ahead or window cannot work: a window of 65 samples"),
    "bins above": (with_metadata(n_bins="34"), r"'rtkaraoke.n_bins' is '34', wanted 33 \(n_fft / 2 \+ 1\) or less"),
    "alpha": (with_metadata(alpha="1.5"), r"'rtkaraoke.alpha' is '1.5', wanted a number from 0 to 1"),
    "theta": (with_metadata(theta="much"), r"'rtkaraoke.theta' is 'much', wanted a number from 0 to 1"),
    # geometry against tensors
    "bins": (with_metadata(n_fft="128"), r"'spectrum' has the shape \(stream, 2, 33, 2\), wanted \(stream, 2, 65, 2\)"),
    "few bins": (
        with_metadata(n_bins="20"),
        r"'spectrum' has the shape \(stream, 2, 33, 2\), wanted \(stream, 2, 20, 2\)",
    ),
    "mono": (with_metadata(n_channels="1"), r"wanted \(stream, 1, 33, 2\)"),
    # inputs
    "no spectrum": (
        whole([tensor("audio", ["stream", 2, BINS])], [MASK], [helper.make_node("Sigmoid", ["audio"], ["mask"])]),
        r"no input 'spectrum', found 'audio'",
    ),
    "foreign input": (
        graph([tensor("audio", state)], [tensor("audio_out", state)], [identity("audio")]),
        r"input 'audio', wanted 'spectrum' and names that begin with 'state_'",
    ),
    "spectrum rank": (
        whole([tensor("spectrum", ["stream", 2, BINS])], [MASK], [helper.make_node("Sigmoid", ["spectrum"], ["mask"])]),
        r"'spectrum' has the shape \(stream, 2, 33\), wanted \(stream, 2, 33, 2\)",
    ),
    "spectrum double": (
        whole([tensor("spectrum", ["stream", 2, BINS, 2], TensorProto.DOUBLE)], [MASK], HALF),
        r"'spectrum' is a tensor\(double\), wanted tensor\(float\)",
    ),
    "spectrum free bins": (
        whole([tensor("spectrum", ["stream", 2, "bins", 2])], [MASK], HALF),
        r"\(stream, 2, bins, 2\), wanted \(stream, 2, 33, 2\)",
    ),
    "one stream": (
        whole([tensor("spectrum", [1, 2, BINS, 2])], [tensor("mask", [1, 2, BINS])], HALF),
        r"first axis of 'spectrum' is 1, wanted a symbolic one",
    ),
    # outputs
    "no mask": (
        whole([SPECTRUM], [tensor("spectrum_out", ["stream", 2, BINS, 2])], [identity("spectrum")]),
        r"no output 'mask', found 'spectrum_out'",
    ),
    "extra output": (
        graph(outputs=[tensor("spectrum_out", ["stream", 2, BINS, 2])], nodes=[identity("spectrum")]),
        r"output 'spectrum_out', wanted 'mask'",
    ),
    "mask double": (
        whole(
            [SPECTRUM],
            [tensor("mask", ["stream", 2, BINS], TensorProto.DOUBLE)],
            [
                helper.make_node("ReduceSumSquare", ["spectrum"], ["power"], axes=[3], keepdims=0),
                helper.make_node("Cast", ["power"], ["mask"], to=TensorProto.DOUBLE),
            ],
        ),
        r"'mask' is a tensor\(double\), wanted tensor\(float\)",
    ),
    "mask rank": (
        whole(
            [SPECTRUM],
            [tensor("mask", ["stream", 2, BINS, 2])],
            [helper.make_node("Sigmoid", ["spectrum"], ["mask"])],
        ),
        r"'mask' has the shape \(stream, 2, 33, 2\), wanted \(stream, 2, 33\)",
    ),
    # states
    "state without output": (graph([tensor("state_a", state)]), r"no output 'state_a_out', found 'mask'"),
    "state changes shape": (
        graph(
            [tensor("state_a", state)],
            [tensor("state_a_out", ["stream", 5, 2])],
            [helper.make_node("Transpose", ["state_a"], ["state_a_out"], perm=[0, 2, 1])],
        ),
        r"'state_a_out' has the shape \(stream, 5, 2\), wanted \(stream, 2, 5\)",
    ),
    "state grows unsaid": (
        graph(
            [tensor("state_a", state)],
            [tensor("state_a_out", ["stream", 2, "grown"])],
            [helper.make_node("Concat", ["state_a", "state_a"], ["state_a_out"], axis=2)],
        ),
        r"'state_a_out' .*\(2, 2, 10\), wanted \(2, 2, 5\)|'state_a_out' has the shape \(stream, 2, 10\)",
    ),
    "state of free size": (
        graph(
            [tensor("state_a", ["stream", "n"])],
            [tensor("state_a_out", ["stream", "n"])],
            [identity("state_a")],
        ),
        r"'state_a' has the shape \(stream, n\), wanted a symbolic stream axis",
    ),
    "state of one stream": (
        graph([tensor("state_a", [1, 5])], [tensor("state_a_out", [1, 5])], [identity("state_a")]),
        r"first axis of 'state_a' is 1, wanted a symbolic one",
    ),
    "scalar state": (
        graph([tensor("state_a", [])], [tensor("state_a_out", [])], [identity("state_a")]),
        r"'state_a' has the shape \(\)",
    ),
    "state int": (
        graph(
            [tensor("state_a", state, TensorProto.INT64)],
            [tensor("state_a_out", state, TensorProto.INT64)],
            [identity("state_a")],
        ),
        r"'state_a' is a tensor\(int64\)",
    ),
    "state of a gigabyte": (
        graph(
            [tensor("state_a", ["stream", 2**28])],
            [tensor("state_a_out", ["stream", 2**28])],
            [identity("state_a")],
        ),
        r"hold 26\d+ numbers, wanted 67108864 or less",
    ),
    # values
    "mask above one": (power_mask(1.0), r"'mask' lies in .* to \d.*, wanted 0 to 1"),
    "mask below zero": (power_mask(-1.0), r"'mask' lies in -.* to .*, wanted 0 to 1"),
    "mask not finite": (power_mask(float("inf")), r"'mask' holds NaN or infinity"),
    "state not finite": (log_state(), r"'state_log_out' holds NaN or infinity"),
    "run fails": (out_of_range(), r"a trial step with 2 streams fails: .*99"),
    "streams": (first_stream_only(), r"'mask' came out as \(1, 2, 33\), wanted \(2, 2, 33\)"),
}
BROKEN |= {
    f"no {key}": (with_metadata(**{key.removeprefix("rtkaraoke."): None}), rf"'{key}' is missing")
    for key in METADATA
    if key not in ("rtkaraoke.description", "rtkaraoke.strength", "rtkaraoke.bias")
}


@pytest.mark.parametrize(("write", "message"), BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_file_is_refused_with_what_was_found_and_wanted(
    write: Write, message: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "network.onnx"
    write(path)
    with pytest.raises(ModelError, match=message) as caught:
        load_model(path, "cpu")
    assert "network.onnx" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", ""), "ONNX Runtime's own alarm reaches the user"


def test_an_unknown_name_lists_what_there_is() -> None:
    with pytest.raises(ModelError) as caught:
        load_model("karaoke-o-matic", "cpu")
    for name in [*shipped_models(), "centre", "karaoke-o-matic"]:
        assert name in str(caught.value)


@pytest.mark.parametrize("name", ["", ".", "x" * 5000, "a/b/c.onnx", "nul\0byte", "~nobody-of-that-name/x.onnx"])
def test_odd_names_are_model_errors(name: str) -> None:
    with pytest.raises(ModelError):
        load_model(name, "cpu")


@pytest.mark.skipif(os.name == "nt" or not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read all")
def test_an_unreadable_file_is_a_model_error(tmp_path: Path) -> None:
    path = constant_mask(tmp_path / "network.onnx")
    path.chmod(0)
    with pytest.raises(ModelError, match="permissions"):
        load_model(path, "cpu")


def test_weights_beside_the_file_are_read(tmp_path: Path) -> None:
    path = tmp_path / "network.onnx"
    assert weights_beside(path).stat().st_size >= 4 * BINS
    model = load_model(path, "cpu").open(44_100)
    mask = np.zeros((2, BINS), np.float32)
    model.step(np.full((2, BINS), np.sqrt(1000), np.complex64), mask)
    np.testing.assert_allclose(mask, 0.5, atol=1e-6)  # a tenth of the power 1000 is the threshold


def test_sizes_that_only_the_trial_knows_are_accepted(tmp_path: Path) -> None:
    """An exporter may name an output's axes instead of giving their sizes."""
    path = tmp_path / "network.onnx"
    build(path, HALF, [SPECTRUM], [tensor("mask", ["stream", "channel", "bin"])], METADATA)
    assert load_model(path, "cpu").info.n_channels == 2
