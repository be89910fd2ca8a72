"""A training run as frozen dataclasses, read from a TOML file of ``configs/train``."""

import tomllib
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

from rtkaraoke.errors import ConfigError
from rtkaraoke.train.loss import LOSSES
from rtkaraoke.train.networks.gru_unet import GruUnetConfig
from rtkaraoke.train.pack import SAMPLE_RATE, SOURCES


@dataclass(frozen=True, slots=True)
class GeometryConfig:
    """The network's STFT at its reference rate, in samples; see :class:`rtkaraoke.geometry.StftGeometry`."""

    sample_rate: int = 44_100
    n_fft: int = 2048
    hop: int = 256
    look_ahead: int = 0
    window: int = 0


@dataclass(frozen=True, slots=True)
class MixConfig:
    """How examples are drawn; probabilities unless named otherwise.

    ``voices``, ``musics`` and ``pairs`` weigh the families of the data folder against each other; a family that is
    not named is not used.
    """

    segment_s: float = 4.0
    batch: int = 5
    true_pair: float = 0.45
    no_voice: float = 0.08
    no_music: float = 0.04
    speed: float = 0.12  # largest change, both ways
    formants: float = 0.0  # largest shift of a voice's formants, both ways
    colour: float = 0.3  # an equaliser on a true pair's voice, and on its music
    codec: float = 0.0  # a lossy codec has coded the mixture
    mashup: float = 0.0  # a random voice's music is that of two songs
    voice_db: float = -4.0  # mean level of a random voice against its backing
    voice_db_spread: float = 5.0
    pairs: dict[str, float] = field(default_factory=dict)
    voices: dict[str, float] = field(default_factory=dict)
    musics: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FitConfig:
    """The optimisation. ``warm_up``, ``cool_down`` and the intervals are in steps."""

    steps: int = 2000
    optimiser: str = "muon"  # or adamw
    learning_rate: float = 2e-3
    weight_decay: float = 1e-2
    warm_up: int = 40
    cool_down: int = 400
    clip: float = 5.0
    loss: dict[str, float] = field(default_factory=lambda: {"sdr": 1.0})  # weights; see rtkaraoke.train.loss
    loss_segments: int = 4  # parts of an example, for "sdr"
    ema: float = 0.998
    seed: int = 1
    devices: int = 1  # processes on a CPU; each takes ``threads`` threads and a batch of its own
    machines: int = 1  # with so many devices each; ``rtkaraoke train --help`` says how they find each other
    threads: int = 2
    workers: int = 1  # more processes, for each of the ``devices``, that mix examples; a GPU mixes its own
    accelerator: str = "auto"
    precision: str = "bf16-mixed"
    checkpoint_every: int = 50
    validate_every: int = 100


@dataclass(frozen=True, slots=True)
class TeacherConfig:
    """What learns from another network; see :mod:`rtkaraoke.train.teacher`. With a share of 0 nothing does."""

    weights: Path = Path()
    share: float = 0.0  # of the voice to be learned, that is the teacher's and not the true one


@dataclass(frozen=True, slots=True)
class ModelCard:
    """What the exported file says of itself; ``strength`` and ``bias`` are the recommended ones of the mask's logit."""

    name: str = "unnamed"
    licence: str = "unknown"
    training_data: str = "unknown"
    non_commercial: bool = True
    description: str = ""
    strength: float = 1.0
    bias: float = 0.0


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """Everything that defines a run. ``run`` and ``cache`` are folders outside the repository.

    ``data`` is what the cache is made from: the ``manifest`` of the data folder, or songs ``generated`` by the package;
    ``more_data`` names further folders with a ``manifest.csv``. ``start`` is a checkpoint whose averaged weights a new
    run begins from; its network may differ in whatever leaves their shapes, as hop, ``back`` and ``pace`` do.
    """

    run: Path
    cache: Path
    data: str = "manifest"
    more_data: tuple[Path, ...] = ()
    start: Path = Path()
    card: ModelCard = field(default_factory=ModelCard)
    geometry: GeometryConfig = field(default_factory=GeometryConfig)
    network: GruUnetConfig = field(default_factory=GruUnetConfig)
    mix: MixConfig = field(default_factory=MixConfig)
    teacher: TeacherConfig = field(default_factory=TeacherConfig)
    fit: FitConfig = field(default_factory=FitConfig)


def load_config(path: Path | str) -> TrainConfig:
    """Read a run from TOML.

    Raises
    ------
    ConfigError
        Naming the file, the key and what would be right.
    """
    return parse_config(read_recipe(path), str(path))


def read_recipe(path: Path | str) -> str:
    """The recipe's text. Raises :class:`ConfigError` when it cannot be read."""
    try:
        return Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from error


def parse_config(text: str, where: str) -> TrainConfig:
    """The same from a recipe's text; ``where`` names it in messages."""
    values = parse_toml(text, where)
    config: TrainConfig = build_table(TrainConfig, values, where)
    _check(config, where)
    return config


def _check(config: TrainConfig, where: str) -> None:
    """Refuse values that have the right type and cannot work."""
    fit = config.fit
    if config.data not in SOURCES:
        raise ConfigError(f"{where}: data is {config.data!r}, wanted one of {', '.join(SOURCES)}")
    if unknown := sorted(set(fit.loss) - set(LOSSES)):
        raise ConfigError(f"{where}: fit: loss: unknown key {unknown[0]!r}, wanted one of {', '.join(LOSSES)}")
    if min(fit.loss.values(), default=0.0) < 0 or not any(fit.loss.values()):
        raise ConfigError(f"{where}: fit: loss is {fit.loss}, wanted weights from 0 up and one above 0")
    if not 0 <= config.teacher.share <= 1:
        raise ConfigError(f"{where}: teacher: share is {config.teacher.share}, wanted 0 to 1")
    for name in ("formants", "codec"):
        if not 0 <= (value := getattr(config.mix, name)) <= 1:
            raise ConfigError(f"{where}: mix: {name} is {value}, wanted 0 to 1")
    if config.teacher.share and config.geometry.sample_rate != SAMPLE_RATE:
        rate = config.geometry.sample_rate
        raise ConfigError(f"{where}: a teacher hears at {SAMPLE_RATE} Hz, the geometry says {rate}")
    counts = {name: getattr(fit, name) for name in ("steps", "loss_segments", "devices", "machines", "threads")}
    counts |= {"checkpoint_every": fit.checkpoint_every, "validate_every": fit.validate_every}
    for name, count in {**counts, "batch": config.mix.batch}.items():
        if count < 1:
            raise ConfigError(f"{where}: {name} is {count}, wanted 1 or more")
    if fit.workers < 0:
        raise ConfigError(f"{where}: workers is {fit.workers}, wanted 0 or more")


def parse_toml(text: str, where: str) -> dict[str, Any]:
    """A recipe's tables. Raises :class:`ConfigError`, which names ``where``, when it is not TOML."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{where}: not TOML: {error}") from error


def build_table(kind: Any, values: dict[str, Any], where: str) -> Any:
    """A dataclass from a table, recursively; every key must be known and of the declared type."""
    hints = get_type_hints(kind)
    if unknown := sorted(set(values) - set(hints)):
        raise ConfigError(f"{where}: unknown key {unknown[0]!r}, wanted one of {', '.join(sorted(hints))}")
    required = [f.name for f in fields(kind) if f.default is MISSING and f.default_factory is MISSING]
    if missing := [name for name in required if name not in values]:
        raise ConfigError(f"{where}: {missing[0]!r} is missing")
    return kind(**{name: _convert(hints[name], value, f"{where}: {name}") for name, value in values.items()})


def _convert(hint: Any, value: Any, where: str) -> Any:
    """``value`` as TOML gave it, as the declared type."""
    if is_dataclass(hint):
        if not isinstance(value, dict):
            raise ConfigError(f"{where} is {value!r}, wanted a table")
        return build_table(hint, value, where)
    if hint is Path and isinstance(value, str):
        return Path(value).expanduser()
    if get_origin(hint) is tuple and isinstance(value, list):
        return tuple(_convert(get_args(hint)[0], part, where) for part in value)
    if get_origin(hint) is dict:
        if not isinstance(value, dict):
            raise ConfigError(f"{where} is {value!r}, wanted a table of names and numbers")
        return {name: _convert(float, part, f"{where}: {name}") for name, part in value.items()}
    if hint is float and isinstance(value, int):
        return float(value)
    if hint in (int, float, str, bool, Path) and type(value) is not hint:
        raise ConfigError(f"{where} is {value!r}, wanted {hint.__name__}")
    return value
