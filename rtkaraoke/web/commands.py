"""What a page may ask for: every command with its fields, their ranges, and who may give it.

A message is one JSON object, ``{"do": "add", "song": "1f3c...", "singer": "Ada"}``. What is not declared here is
refused: unknown commands and fields, numbers as text, NaN, values out of range. Plugins and parameters are checked
by the night, which knows the ones there are.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from rtkaraoke.errors import NightError
from rtkaraoke.karaoke.night import Guest, Night
from rtkaraoke.karaoke.text import clean
from rtkaraoke.web.access import Role


def _clean(text: str) -> str:
    """``text`` as a name that can be seen, on one line."""
    name = " ".join(clean(text).split())
    if not name:
        raise ValueError("wanted a name that can be seen")
    return name


Name = Annotated[str, Field(min_length=1, max_length=40), AfterValidator(_clean)]
Word = Annotated[str, Field(min_length=1, max_length=80)]
SongId = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
Id = Annotated[int, Field(ge=1, le=2**53)]
Key = Annotated[int, Field(ge=-6, le=6)]
Tempo = Annotated[int, Field(ge=70, le=130)]
Vocals = Annotated[float, Field(ge=-90, le=0)]
Real = Annotated[float, Field(ge=-1e6, le=1e6)]


class Command(BaseModel, ABC):
    """One command; ``role`` is who may give it."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, frozen=True)
    role: ClassVar[Role] = "host"

    @abstractmethod
    def run(self, night: Night, who: Guest) -> Any:
        """Do it; what it returns goes back to the page. Raises :class:`~rtkaraoke.errors.RtkaraokeError`."""


class Add(Command):
    """Put a song into the queue."""

    role = "guest"
    do: Literal["add"]
    song: SongId
    singer: Name
    key: Key | None = None
    tempo: Tempo | None = None
    vocals: Vocals | None = None

    def run(self, night: Night, who: Guest) -> Any:
        """Returns the entry's number."""
        return {"entry": night.add(self.song, self.singer, who, key=self.key, tempo=self.tempo, vocals=self.vocals)}


class Change(Command):
    """Key, tempo or vocal level of an entry, also of the one that is sung now."""

    role = "guest"
    do: Literal["change"]
    entry: Id
    key: Key | None = None
    tempo: Tempo | None = None
    vocals: Vocals | None = None

    def run(self, night: Night, who: Guest) -> Any:
        """Guests change their own."""
        night.change(self.entry, who, key=self.key, tempo=self.tempo, vocals=self.vocals)


class Remove(Command):
    """Take an entry out of the queue."""

    role = "guest"
    do: Literal["remove"]
    entry: Id

    def run(self, night: Night, who: Guest) -> Any:
        """Guests remove their own."""
        night.remove(self.entry, who)


class Move(Command):
    """Put an entry at another place of the queue, counted from 0; the order is the host's from then on."""

    do: Literal["move"]
    entry: Id
    place: Annotated[int, Field(ge=0, le=10_000)]

    def run(self, night: Night, who: Guest) -> Any:
        """For hosts."""
        night.move(self.entry, self.place)


class Skip(Command):
    """End the song that plays; guests end their own."""

    role = "guest"
    do: Literal["skip"]

    def run(self, night: Night, who: Guest) -> Any:
        """On to the next."""
        night.skip(who)


class Pause(Command):
    """Pause, or go on."""

    do: Literal["pause"]
    on: bool

    def run(self, night: Night, who: Guest) -> Any:
        """For hosts."""
        night.pause(self.on)


class Seek(Command):
    """To a second of the song that plays."""

    do: Literal["seek"]
    to_s: Annotated[float, Field(ge=0, le=86_400)]

    def run(self, night: Night, who: Guest) -> Any:
        """For hosts."""
        night.seek(self.to_s)


class Settings(Command):
    """How songs follow each other."""

    do: Literal["settings"]
    crossfade_s: Annotated[float, Field(ge=0, le=12)] | None = None
    autoplay: bool | None = None

    def run(self, night: Night, who: Guest) -> Any:
        """For hosts."""
        night.settings(crossfade_s=self.crossfade_s, autoplay=self.autoplay)


class Set(Command):
    """Move a parameter of a plugin."""

    do: Literal["set"]
    plugin: Word
    parameter: Word
    value: Real

    def run(self, night: Night, who: Guest) -> Any:
        """For hosts."""
        night.controls.set(self.plugin, self.parameter, self.value)


class Preset(Command):
    """Give a plugin the values of one of its presets."""

    do: Literal["preset"]
    plugin: Word
    name: Word

    def run(self, night: Night, who: Guest) -> Any:
        """For hosts."""
        night.controls.preset(self.plugin, self.name)


class Mute(Command):
    """Silence at once, or sound again."""

    do: Literal["mute"]
    on: bool

    def run(self, night: Night, who: Guest) -> Any:
        """For hosts."""
        night.controls.mute(self.on)


class Record(Command):
    """Begin or end a recording."""

    do: Literal["record"]
    on: bool
    apart: bool = False

    def run(self, night: Night, who: Guest) -> Any:
        """For hosts."""
        night.controls.record(self.on, self.apart)


class Calibrate(Command):
    """Measure what the microphones hear while nobody sings, for the duck's threshold."""

    do: Literal["calibrate"]

    def run(self, night: Night, who: Guest) -> Any:
        """For hosts."""
        night.controls.calibrate()


class Rescan(Command):
    """Look for songs that came or went."""

    do: Literal["rescan"]

    def run(self, night: Night, who: Guest) -> Any:
        """For hosts."""
        night.rescan()


class MidiPorts(Command):
    """Look which MIDI controllers are connected."""

    do: Literal["midi_ports"]

    def run(self, night: Night, who: Guest) -> Any:
        """For hosts."""
        night.controls.midi_ports()


class MidiOpen(Command):
    """Listen to a MIDI controller; without a name to none."""

    do: Literal["midi_open"]
    port: Annotated[str, Field(max_length=200)] = ""

    def run(self, night: Night, who: Guest) -> Any:
        """For hosts."""
        night.controls.midi_open(self.port)


class MidiLearn(Command):
    """The next controller that moves is for this parameter."""

    do: Literal["midi_learn"]
    plugin: Word
    parameter: Word

    def run(self, night: Night, who: Guest) -> Any:
        """For hosts."""
        night.controls.midi_learn(self.plugin, self.parameter)


class MidiForget(Command):
    """No controller moves this parameter any more."""

    do: Literal["midi_forget"]
    plugin: Word
    parameter: Word

    def run(self, night: Night, who: Guest) -> Any:
        """For hosts."""
        night.controls.midi_forget(self.plugin, self.parameter)


AnyCommand = Annotated[
    Add | Change | Remove | Move | Skip | Pause | Seek | Settings | Set | Preset | Mute | Record | Calibrate | Rescan
    | MidiPorts | MidiOpen | MidiLearn | MidiForget,
    Field(discriminator="do"),
]  # fmt: skip
_COMMANDS: TypeAdapter[AnyCommand] = TypeAdapter(AnyCommand)


def parse(message: Mapping[str, Any], role: Role) -> Command:
    """The command that ``message`` is.

    Raises
    ------
    NightError
        Naming the field, when it is none, or not for this role.
    """
    try:
        command: Command = _COMMANDS.validate_python(message)
    except ValidationError as error:
        detail = error.errors(include_url=False, include_input=False, include_context=False)[0]
        place = ".".join(str(part) for part in detail["loc"][1:]) or "do"
        raise NightError(f"{place[:80]}: {detail['msg'][:200]}") from None
    if command.role == "host" and role != "host":
        raise NightError("this is for the host: enter the PIN in the host view")
    return command
