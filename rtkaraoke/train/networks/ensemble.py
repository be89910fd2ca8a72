"""Networks that answer together: trained apart, each errs in its own way, and the mean of their logits errs less."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from rtkaraoke.errors import ConfigError
from rtkaraoke.train.networks.gru_unet import GruUnet


class Ensemble(nn.Module):
    """Several networks of one geometry as one; states and ``forward`` as those of :class:`GruUnet`.

    Source: L. K. Hansen, P. Salamon, "Neural Network Ensembles", IEEE PAMI 12(10), 1990.

    Raises
    ------
    ConfigError
        When their geometries differ.
    """

    def __init__(self, networks: Sequence[GruUnet]) -> None:
        super().__init__()
        self.geometry = networks[0].geometry
        for other in networks[1:]:
            if other.geometry != self.geometry:
                raise ConfigError(
                    f"networks of {self.geometry} and of {other.geometry} cannot answer together: wanted one geometry"
                )
        self.networks = nn.ModuleList(networks)

    def initial_states(self, n_streams: int) -> dict[str, Tensor]:
        """States of all before the first frame, named ``NUMBER_NAME``."""
        return {
            f"{i}_{name}": state
            for i, network in enumerate(self._members())
            for name, state in network.initial_states(n_streams).items()
        }

    def forward(self, spectrum: Tensor, states: dict[str, Tensor] | None = None) -> tuple[Tensor, dict[str, Tensor]]:
        """Mean of the mask logits ``(stream, 2, frame, bin)``, and the states after the last frame."""
        logits: list[Tensor] = []
        after: dict[str, Tensor] = {}
        for i, network in enumerate(self._members()):
            own = {name: states[f"{i}_{name}"] for name in network.initial_states(1)} if states else None
            found, own = network(spectrum, own)
            logits.append(found)
            after |= {f"{i}_{name}": state for name, state in own.items()}
        return torch.stack(logits).mean(0), after

    def _members(self) -> list[GruUnet]:
        return [network for network in self.networks if isinstance(network, GruUnet)]
