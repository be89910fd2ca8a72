"""Who decides what is voice: the contract between the engine and a mask network.

A network is an ONNX file. One run of it is one *step*: one STFT frame in, one mask out.

=================  ======================================================  =========================================
tensor             shape, dtype                                            meaning
=================  ======================================================  =========================================
``spectrum``       (stream, channel, bin, 2) float32                       real and imaginary part of the frame
                                                                           that ends now, at the level of a window
                                                                           of 2048 samples
``state_<name>``   (stream, ...) float32                                   what the network remembers; zero at first
``mask``           (stream, channel, bin) float32 in [0, 1]                the share of the voice in the frame that
                                                                           lies ``look_ahead`` hops back
``state_<name>_out``  as ``state_<name>``                                  the same after this step
=================  ======================================================  =========================================

``stream`` is 1 for live use and free (a symbolic axis) for batching many rooms on one card. Everything
that the host must know travels in the file's ``metadata_props`` under the keys of :data:`METADATA_PREFIX`.
"""

import json
import math
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from rtkaraoke.errors import ModelError
from rtkaraoke.geometry import StftGeometry

CONTRACT_VERSION = 1
METADATA_PREFIX = "rtkaraoke."
STRENGTH_RANGE = (0.25, 4.0)  #: slope of the mask's logit; 1 leaves the mask as it is
BIAS_RANGE = (-6.0, 6.0)  #: bias of the mask's logit; 0 leaves the mask as it is

Spectrum = NDArray[np.complex64]
Mask = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """What a network says of itself.

    ``geometry`` is at the network's reference rate. ``scores`` maps a figure's name to dB, as measured on the
    validation songs. ``non_commercial`` is true when any training data forbids commercial use. ``strength`` and
    ``bias`` are the slope and bias of the mask's logit that its makers recommend, ``alpha`` and ``theta`` likewise the
    threshold of a binary mask and the floor of a soft one (see :func:`rtkaraoke.dsp.kernels.shape_mask`). ``n_bins``
    is how many of the spectrum's bins, from the lowest, the network sees and masks; 0 stands for all of them.

    In a file's metadata, the geometry's window, ``n_bins``, ``alpha`` and ``theta`` may be left out where they are
    n_fft, all, 0 and 0.
    """

    name: str
    geometry: StftGeometry
    n_channels: int = 2
    licence: str = "unknown"
    training_data: str = "unknown"
    non_commercial: bool = False
    revision: str = "0"
    description: str = ""
    strength: float = 1.0
    bias: float = 0.0
    scores: dict[str, float] = field(default_factory=dict)
    n_bins: int = 0
    alpha: float = 0.0
    theta: float = 0.0

    def __post_init__(self) -> None:
        if self.n_bins == 0:
            object.__setattr__(self, "n_bins", self.geometry.n_bins)

    def to_metadata(self) -> dict[str, str]:
        """The ``metadata_props`` of an ONNX file, all values strings."""
        values: dict[str, Any] = {
            "contract": CONTRACT_VERSION,
            "name": self.name,
            "sample_rate": self.geometry.sample_rate,
            "n_fft": self.geometry.n_fft,
            "hop": self.geometry.hop,
            "look_ahead": self.geometry.look_ahead,
            "n_channels": self.n_channels,
            "licence": self.licence,
            "training_data": self.training_data,
            "non_commercial": int(self.non_commercial),
            "revision": self.revision,
            "description": self.description,
            "strength": self.strength,
            "bias": self.bias,
            "scores": json.dumps(self.scores),
        }
        optional: dict[str, tuple[float, float]] = {  # found, and what it is when left out
            "window": (self.geometry.window, self.geometry.n_fft),
            "n_bins": (self.n_bins, self.geometry.n_bins),
            "alpha": (self.alpha, 0.0),
            "theta": (self.theta, 0.0),
        }
        values |= {key: found for key, (found, usual) in optional.items() if found != usual}
        return {METADATA_PREFIX + key: str(value) for key, value in values.items()}

    @classmethod
    def from_metadata(cls, metadata: dict[str, str], source: str) -> "ModelInfo":
        """Read ``metadata_props``; ``source`` names the file in messages.

        Raises
        ------
        ModelError
            Naming the field, the value found and the value wanted.
        """

        def text(key: str) -> str:
            try:
                return metadata[METADATA_PREFIX + key]
            except KeyError:
                raise ModelError(
                    f"{source}: metadata field {METADATA_PREFIX + key!r} is missing: not a network for rtkaraoke, "
                    "or one exported without `rtkaraoke export`"
                ) from None

        def integer(key: str, lowest: int, default: int | None = None) -> int:
            if default is not None and METADATA_PREFIX + key not in metadata:
                return default
            value = text(key)
            try:
                number = int(value)
            except ValueError:
                number = lowest - 1
            if number < lowest:
                raise ModelError(
                    f"{source}: metadata field {METADATA_PREFIX + key!r} is {value!r}, "
                    f"wanted an integer of {lowest} or more"
                )
            return number

        def number(key: str, lowest: float, highest: float, default: float | None = None) -> float:
            if default is not None and METADATA_PREFIX + key not in metadata:
                return default
            value = text(key)
            try:
                found = float(value)
            except ValueError:
                found = math.nan
            if not lowest <= found <= highest:
                raise ModelError(
                    f"{source}: metadata field {METADATA_PREFIX + key!r} is {value!r}, "
                    f"wanted a number from {lowest:g} to {highest:g}"
                )
            return found

        contract = integer("contract", 1)
        if contract != CONTRACT_VERSION:
            raise ModelError(
                f"{source}: contract version {contract}, wanted {CONTRACT_VERSION}: "
                "export the network again with this version of rtkaraoke"
            )
        geometry = StftGeometry(
            integer("sample_rate", 1),
            integer("n_fft", 2),
            integer("hop", 1),
            integer("look_ahead", 0),
            integer("window", 2, default=0),
        )
        n_bins = integer("n_bins", 1, default=geometry.n_bins)
        if n_bins > geometry.n_bins:
            raise ModelError(
                f"{source}: metadata field {METADATA_PREFIX + 'n_bins'!r} is '{n_bins}', "
                f"wanted {geometry.n_bins} (n_fft / 2 + 1) or less"
            )
        n_channels = integer("n_channels", 1)
        if n_channels > 2:
            raise ModelError(f"{source}: metadata field 'n_channels' is {n_channels}, wanted 1 or 2")
        try:
            scores = {str(key): float(value) for key, value in json.loads(text("scores")).items()}
        except (ValueError, AttributeError, TypeError):
            raise ModelError(
                f"{source}: metadata field {METADATA_PREFIX + 'scores'!r} is no JSON object of numbers"
            ) from None
        return cls(
            name=text("name"),
            geometry=geometry,
            n_channels=n_channels,
            licence=text("licence"),
            training_data=text("training_data"),
            non_commercial=bool(integer("non_commercial", 0)),
            revision=text("revision"),
            description=text("description"),
            strength=number("strength", *STRENGTH_RANGE),
            bias=number("bias", *BIAS_RANGE),
            scores=scores,
            n_bins=n_bins,
            alpha=number("alpha", 0.0, 1.0, default=0.0),
            theta=number("theta", 0.0, 1.0, default=0.0),
        )


class MaskModel(Protocol):
    """One step per hop. Implemented by :class:`rtkaraoke.masks.onnx.OnnxMask` and by test models.

    A model is used from one thread at a time. Nothing allocates in :meth:`step`.
    """

    info: ModelInfo
    geometry: StftGeometry  #: at the rate it was prepared for

    def step(self, spectrum: Spectrum, mask: Mask) -> None:
        """Read ``spectrum`` ``(channel, bin)`` at the network's level and fill ``mask`` ``(channel, bin)``.

        Both have ``geometry.n_bins`` bins: fitting them to the network's own number of bins (zeros in, the last
        mask value out) and mono to stereo is the model's affair.
        """
        ...

    def reset(self) -> None:
        """Forget all state: the next step is the first."""
        ...

    def close(self) -> None:
        """Free what is held outside Python's memory. May be called twice."""
        ...


class MaskNetwork(Protocol):
    """A network that has been loaded and checked, before it is put to work at a sample rate."""

    @property
    def info(self) -> ModelInfo:
        """What it says of itself."""
        ...

    def open(self, sample_rate: int) -> MaskModel:
        """A model with a state of its own that masks sound of ``sample_rate`` Hz. Raises :class:`GeometryError`."""
        ...
