"""Everything that a preset can say, table by table, with its default and its limits."""

from dataclasses import dataclass, field
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Interval, Len, MinLen, Predicate

from rtkaraoke.geometry import MAX_SAMPLE_RATE, MIN_SAMPLE_RATE

SampleRate = Annotated[int, Interval(ge=MIN_SAMPLE_RATE, le=MAX_SAMPLE_RATE)]
Channels = Annotated[tuple[Annotated[int, Ge(1)], ...], MinLen(1)]
BusName = Annotated[str, Predicate(str.isidentifier)]
Value = float | str
_STRICT = {"extra": "forbid"}


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """Which network, and what computes it."""

    __pydantic_config__ = _STRICT

    name: str = "live"  #: a shipped network (`rtkaraoke models`), "centre", or a file
    provider: Literal["auto", "cpu", "cuda"] = "auto"


@dataclass(frozen=True, slots=True)
class EngineConfig:
    """The chains, by plugin name. ``music`` runs first, ``master`` on the sum of all buses."""

    __pydantic_config__ = _STRICT

    music: tuple[str, ...] = ("vocal_remover",)
    master: tuple[str, ...] = ("limiter",)
    duck: bool = True  #: the guide vocal falls while a microphone is sung into; where there are both


ChannelPair = Annotated[tuple[Annotated[int, Ge(1)], ...], Len(1, 2)]


@dataclass(frozen=True, slots=True)
class MicConfig:
    """A microphone: its input channels and its chain."""

    __pydantic_config__ = _STRICT

    channels: ChannelPair  #: of the card, counted from 1: one, or two for stereo
    chain: tuple[str, ...] = ()
    max_latency: Annotated[int, Interval(ge=0, le=8192)] = 0  #: samples that its chain may add to what the singer hears


@dataclass(frozen=True, slots=True)
class SendConfig:
    """An effect bus."""

    __pydantic_config__ = _STRICT

    chain: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class OutputConfig:
    """Further outputs, such as headphones."""

    __pydantic_config__ = _STRICT

    channels: ChannelPair
    chain: tuple[str, ...] = ("limiter",)


@dataclass(frozen=True, slots=True)
class LiveConfig:
    """Sound cards and time, as :class:`rtkaraoke.live.settings.LiveSettings` explains them."""

    __pydantic_config__ = _STRICT

    input: str | int | None = None
    output: str | int | None = None
    channels_in: Channels = (1, 2)
    channels_out: Channels = (1, 2)
    voice_out: tuple[Annotated[int, Ge(1)], ...] = ()
    sample_rate: SampleRate | None = None
    block: Annotated[int, Interval(ge=16, le=8192)] = 128
    prefill: Annotated[int, Interval(ge=16, le=65536)] = 512
    prefill_without_realtime: Annotated[int, Interval(ge=16, le=65536)] = 2048
    realtime: bool = True
    latency_budget_ms: Annotated[float, Gt(0)] | None = None
    two_clocks: bool | None = None
    fade_in_ms: Annotated[float, Interval(ge=0, le=10_000)] = 50.0
    reconnect: bool = False  #: wait for a sound card that went away, and go on


@dataclass(frozen=True, slots=True)
class Config:
    """Everything that a preset can say."""

    __pydantic_config__ = _STRICT

    description: str = ""
    model: ModelConfig = field(default_factory=ModelConfig)
    engine: EngineConfig = field(default_factory=EngineConfig)
    mics: dict[BusName, MicConfig] = field(default_factory=dict)
    sends: dict[BusName, SendConfig] = field(default_factory=dict)
    outputs: dict[BusName, OutputConfig] = field(default_factory=dict)
    plugins: dict[str, dict[str, Value | dict[str, Value]]] = field(default_factory=dict)
    live: LiveConfig = field(default_factory=LiveConfig)
