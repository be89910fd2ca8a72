"""Networks by name, and the classical mask that needs none."""

import numpy as np
import pytest

from rtkaraoke.errors import ModelError
from rtkaraoke.geometry import StftGeometry
from rtkaraoke.masks.centre import CentreNetwork
from rtkaraoke.masks.models import load_model
from rtkaraoke.masks.protocol import ModelInfo


def test_centre_needs_no_file() -> None:
    network = load_model("centre")
    model = network.open(48_000)
    assert model.geometry.hop == 279
    mask = np.ones((2, model.geometry.n_bins), np.float32)
    model.step(np.ones((2, model.geometry.n_bins), np.complex64), mask)
    bin_hz = 48_000 / model.geometry.n_fft
    assert not mask[:, : int(240 / bin_hz)].any()
    assert (mask[:, int(280 / bin_hz) : int(6_900 / bin_hz)] == np.float32(0.7)).all()
    assert not mask[:, int(7_100 / bin_hz) :].any()
    model.reset()
    model.close()
    assert network.info is CentreNetwork.info


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(ModelError, match="nosuch"):
        load_model("nosuch")


INFO = ModelInfo(
    "n", StftGeometry(48_000, 2232, 279, 2), 1, "CC0-1.0", "none", True, "7", "text", 1.5, -0.5, {"music_sdr_db": 8.5}
)


def test_metadata_survives_the_round_trip() -> None:
    assert ModelInfo.from_metadata(INFO.to_metadata(), "x.onnx") == INFO


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("contract", None, "'rtkaraoke.contract' is missing"),
        ("contract", "2", "contract version 2, wanted 1"),
        ("hop", "fast", "'rtkaraoke.hop' is 'fast', wanted an integer of 1 or more"),
        ("n_fft", "0", "'rtkaraoke.n_fft' is '0'"),
        ("n_channels", "3", "'n_channels' is 3, wanted 1 or 2"),
        ("sample_rate", "44100.5", "'44100.5', wanted an integer"),
        ("look_ahead", "-1", "wanted an integer of 0 or more"),
        ("scores", "[]", "no JSON object of numbers"),
        ("scores", '{"a": "b"}', "no JSON object of numbers"),
        ("strength", "9", "wanted a number from 0.25 to 4"),
        ("bias", "nan", "wanted a number from -6 to 6"),
        ("licence", None, "is missing"),
    ],
)
def test_broken_metadata_is_refused_with_field_and_value(field: str, value: str | None, words: str) -> None:
    metadata = INFO.to_metadata()
    if value is None:
        del metadata["rtkaraoke." + field]
    else:
        metadata["rtkaraoke." + field] = value
    with pytest.raises(ModelError, match=words) as caught:
        ModelInfo.from_metadata(metadata, "x.onnx")
    assert str(caught.value).startswith("x.onnx: ")
