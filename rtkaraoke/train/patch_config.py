"""A training run of a network over patches, as frozen dataclasses, read from a TOML file of ``configs/train``."""

import tomllib
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rtkaraoke.errors import ConfigError
from rtkaraoke.geometry import StftGeometry
from rtkaraoke.train.config import GeometryConfig, ModelCard, build_table, parse_toml
from rtkaraoke.train.networks.deep_karaoke import DeepKaraoke, DeepKaraokeConfig
from rtkaraoke.train.networks.ibm_cnn import IbmCnn, IbmCnnConfig, StreamingIbmCnn

KINDS: dict[str, tuple[type[DeepKaraoke] | type[IbmCnn], type[DeepKaraokeConfig] | type[IbmCnnConfig]]] = {
    "deep-karaoke": (DeepKaraoke, DeepKaraokeConfig),
    "ibm-cnn": (IbmCnn, IbmCnnConfig),
    "ibm-cnn-streaming": (StreamingIbmCnn, IbmCnnConfig),
}
MIXINGS = ("peaks", "sum")
OPTIMISERS = ("sgd", "adam")
ROWS = ("all", "last")
INPUTS = ("published", "rms")


@dataclass(frozen=True, slots=True)
class PatchData:
    """What is learned from: clips of the family ``mir1k`` in the data folder.

    Parameters
    ----------
    singers : tuple of str
        Those of the classical protocol by default.
    mixing : str
        ``peaks``: half of each part at a peak of one (Simpson et al.); ``sum``: as recorded (Lin et al.), the voice
        scaled to be ``balance_db`` louder than its music.
    balance_db : float
        For ``sum``.
    input : str
        What is one for the network's magnitudes: as ``published``, the largest of the training data (Simpson et al.) or
        twice a full-scale sine (Lin et al.); or their root mean square over the training data, ``rms``.
    stride : int
        Between patches, in frames.
    n_patches : int
        At most so many, drawn without replacement; 0 for all.
    valid_every : int
        Every so many-th clip is held back to choose the best epoch by; 0 for none, and the last epoch.
    n_clips : int
        Only the first so many; 0 for all.
    """

    singers: tuple[str, ...] = ("abjones", "amy")
    mixing: str = "sum"
    balance_db: float = 0.0
    input: str = "published"
    stride: int = 8
    n_patches: int = 0
    valid_every: int = 0
    n_clips: int = 0


@dataclass(frozen=True, slots=True)
class PatchFit:
    """The optimisation.

    Parameters
    ----------
    optimiser : str
        ``sgd`` with ``momentum``, or ``adam``.
    epochs : int
        All of them, the pre-training's included.
    pretrain_epochs : int
        The first so many train an autoencoder on the voice's part of the mixture; weights and optimiser carry over.
    rows : str
        ``last``: the loss counts the last frame of a patch alone, which is what a step without look-ahead reads.
    threads : int
        Of a CPU. A run that is to resume to the bit has one: several add up in an order of their own.
    accelerator, precision : str
        See :class:`rtkaraoke.train.config.FitConfig`.
    """

    optimiser: str = "adam"
    learning_rate: float = 1e-4
    momentum: float = 0.5
    batch: int = 107
    epochs: int = 300
    pretrain_epochs: int = 0
    rows: str = "all"
    seed: int = 1
    threads: int = 1
    accelerator: str = "auto"
    precision: str = "bf16-mixed"


@dataclass(frozen=True, slots=True)
class PatchTrainConfig:
    """Everything that defines a run. ``run`` is a folder outside the repository, ``kind`` one of :data:`KINDS`."""

    run: Path
    kind: str
    network: DeepKaraokeConfig | IbmCnnConfig
    card: ModelCard = field(default_factory=ModelCard)
    geometry: GeometryConfig = field(default_factory=GeometryConfig)
    data: PatchData = field(default_factory=PatchData)
    fit: PatchFit = field(default_factory=PatchFit)
    alpha: float = 0.0  # recommended to the engine, with theta
    theta: float = 0.0

    @property
    def stft_geometry(self) -> StftGeometry:
        """At the reference rate."""
        return StftGeometry(**asdict(self.geometry))

    def build(self) -> DeepKaraoke | IbmCnn:
        """The network with fresh weights."""
        network, _ = KINDS[self.kind]
        return network(self.network)  # type: ignore[arg-type]


def is_patch_recipe(text: str) -> bool:
    """Whether a recipe trains a network over patches: its table ``network`` names a kind."""
    try:
        return "kind" in tomllib.loads(text).get("network", {})
    except (tomllib.TOMLDecodeError, TypeError):
        return False


def parse_patch_config(text: str, where: str) -> PatchTrainConfig:
    """Read a run from a recipe's text; ``where`` names it in messages.

    Raises
    ------
    ConfigError
        Naming the file, the key, the value found and what would be right.
    """
    values = parse_toml(text, where)
    table = dict(values.get("network", {}))
    kind = _one_of(table.pop("kind", None), KINDS, f"{where}: network.kind")
    _, sizes = KINDS[kind]
    config: PatchTrainConfig = build_table(
        PatchTrainConfig, values | {"kind": kind, "network": build_table(sizes, table, where)}, where
    )
    _one_of(config.data.mixing, MIXINGS, f"{where}: data.mixing")
    _one_of(config.fit.optimiser, OPTIMISERS, f"{where}: fit.optimiser")
    _one_of(config.fit.rows, ROWS, f"{where}: fit.rows")
    _one_of(config.data.input, INPUTS, f"{where}: data.input")
    if config.geometry.look_ahead:
        raise ConfigError(
            f"{where}: geometry.look_ahead is {config.geometry.look_ahead}: a network over patches is trained without "
            "and serves any; choose it with `rtkaraoke export --look-ahead`"
        )
    n_bins = config.stft_geometry.n_bins
    if config.network.n_bins > n_bins:
        raise ConfigError(f"{where}: network.n_bins is {config.network.n_bins}, the transform has {n_bins}")
    if config.fit.pretrain_epochs > config.fit.epochs:
        raise ConfigError(
            f"{where}: fit.pretrain_epochs is {config.fit.pretrain_epochs}, of {config.fit.epochs} epochs in all"
        )
    return config


def _one_of(value: Any, wanted: Any, where: str) -> str:
    if value not in wanted:
        raise ConfigError(f"{where} is {value!r}, wanted one of {', '.join(wanted)}")
    return str(value)
