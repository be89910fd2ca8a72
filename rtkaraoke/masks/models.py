"""Mask networks by name: the shipped ones, any ONNX file that keeps the contract, and the classical ``centre``."""

from pathlib import Path

from rtkaraoke.masks.centre import CentreNetwork
from rtkaraoke.masks.protocol import MaskNetwork

DEFAULT_MODEL = "live"


def load_model(name: str | Path = DEFAULT_MODEL, provider: str = "auto", graphs: bool = True) -> MaskNetwork:
    """Load and check a mask network.

    Parameters
    ----------
    name : str or Path
        The name of a shipped network, ``centre`` for the classical mask, or the path of an ONNX file.
    provider : str
        ``auto`` (the quicker by measured p99), ``cpu`` or ``cuda``; the classical mask takes no notice.
    graphs : bool
        Whether a card may replay a step as a CUDA graph, which spares it launching node by node.

    Raises
    ------
    ModelError
        When there is no such network, or it breaks the contract.
    ProviderError
        When the provider cannot be had.
    """
    if name == CentreNetwork.info.name:
        return CentreNetwork()
    from rtkaraoke.masks.onnx import load_model as load_onnx  # ONNX Runtime only when it is needed

    return load_onnx(name, provider, graphs)
