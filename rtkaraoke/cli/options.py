"""Options that several commands share, and how they become settings.

Every option stands for one key of a preset; ``rtkaraoke config show`` prints which of the two, or the default, held.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from cyclopts import Group, Parameter

from rtkaraoke.config import Effective, Key, Option, load
from rtkaraoke.errors import ConfigError, PluginError

VOICE = Group("Voice", sort_key=1)
NETWORK = Group("Network", sort_key=2)
SOUND_CARD = Group("Sound card", sort_key=3)
OTHER = Group("Other", sort_key=4)

Provider = Literal["auto", "cpu", "cuda"]
JsonFlag = Annotated[
    bool, Parameter(name="--json", negative=(), group=OTHER, show_default=False, help="Answer in JSON, for programs.")
]


def _option(group: Group, text: str, **more: object) -> Parameter:
    return Parameter(group=group, help=text, show_default=False, **more)  # type: ignore[arg-type]


ForceFlag = Annotated[
    bool, Parameter(name="--force", negative=(), group=OTHER, show_default=False, help="Overwrite what is there.")
]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True, slots=True)
class Common:
    """Options of every command that processes sound."""

    vocals: Annotated[
        float | None,
        _option(VOICE, "Level of the voice in dB: 0 = untouched, -inf = removed (the default)."),
    ] = None
    strength: Annotated[
        float | None,
        _option(VOICE, "How decided the network is: more removes more of the voice, and more music with it."),
    ] = None
    set_: Annotated[
        tuple[str, ...],
        _option(
            VOICE,
            "Any parameter of a plugin, as PLUGIN.PARAMETER=VALUE, or PLUGIN.preset=NAME; may be repeated.",
            name="--set",
            negative=(),
        ),
    ] = ()
    model: Annotated[str | None, _option(NETWORK, "A name from `rtkaraoke models`, or a file FILE.onnx.")] = None
    provider: Annotated[Provider | None, _option(NETWORK, "What computes the network.")] = None
    preset: Annotated[
        str | None, _option(OTHER, "Settings by name (`rtkaraoke presets`) or from a file FILE.toml.")
    ] = None
    latency_budget: Annotated[
        float | None, _option(OTHER, "Refuse to run when the sound would be later than this, in ms.")
    ] = None

    def given(self) -> Iterator[tuple[Key, Option]]:
        """The settings that these options stand for."""
        yield ("plugins", "vocal_remover", "vocals"), Option("--vocals", self.vocals)
        yield ("plugins", "vocal_remover", "strength"), Option("--strength", self.strength)
        for text in self.set_:
            yield _assignment(text)
        yield ("model", "name"), Option("--model", self.model)
        yield ("model", "provider"), Option("--provider", self.provider)
        yield ("live", "latency_budget_ms"), Option("--latency-budget", self.latency_budget)

    def settings(self, default_preset: str | None = None, more: Sequence[tuple[Key, Option]] = ()) -> Effective:
        """Defaults, the preset, these options and ``more``, in this order."""
        options = {key: option for key, option in (*self.given(), *more) if option.value is not None}
        return load(self.preset or default_preset, options)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True, slots=True)
class SoundCard:
    """Options of every command that opens a sound card."""

    output: Annotated[
        str | None, _option(SOUND_CARD, "Output device: a number or a part of a name from `rtkaraoke devices`.")
    ] = None
    channels: Annotated[
        str | None, _option(SOUND_CARD, "The card's channels to use, counted from 1, such as 1,2 or 3,4.")
    ] = None
    sample_rate: Annotated[int | None, _option(SOUND_CARD, "In Hz; the device's own when left out.")] = None
    block: Annotated[
        int | None, _option(SOUND_CARD, "Samples that the sound card asks for at a time, such as 128.")
    ] = None
    prefill: Annotated[
        int | None, _option(SOUND_CARD, "Samples kept ready for the sound card: more is safer and later.")
    ] = None
    reconnect: Annotated[
        bool | None, _option(SOUND_CARD, "Wait for a sound card that went away, and go on.", negative=())
    ] = None

    def given(self) -> Iterator[tuple[Key, Option]]:
        """The settings that these options stand for."""
        yield ("live", "output"), Option("--output", device(self.output))
        yield ("live", "channels_out"), Option("--channels", channels("--channels", self.channels))
        for name in ("sample_rate", "block", "prefill", "reconnect"):
            yield ("live", name), Option("--" + name.replace("_", "-"), getattr(self, name))


def device(text: str | None) -> str | int | None:
    """A device as LiveSettings wants it: an index where ``text`` is a number, else a part of a name."""
    return int(text) if text is not None and text.isdecimal() else text


def channels(option: str, text: str | None) -> tuple[int, ...] | None:
    """Channel numbers from ``"1,2"``."""
    if text is None:
        return None
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise ConfigError(f"{option} {text}: wanted channel numbers with commas between them, such as 1,2") from None


def _assignment(text: str) -> tuple[Key, Option]:
    target, equals, value = text.partition("=")
    keys = tuple(target.strip().split("."))
    if not (equals and all(keys) and len(keys) in (2, 3) and value.strip()):
        raise PluginError(
            f"--set {text}: wanted PLUGIN.PARAMETER=VALUE, such as vocal_remover.strength=1.5 or mic1.gate.range=-50"
        )
    try:
        number: float | str = float(value)
    except ValueError:
        number = value.strip()  # a named choice, such as fallback=centre
    return ("plugins", *keys), Option(f"--set {target.strip()}", number)
