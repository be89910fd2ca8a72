"""What was measured of device pairs, kept for the streams that are opened later.

A file of this user, ``calibration.json``. An entry holds for two devices, a rate and a block, and only as long as the
driver declares what it declared when the entry was made: a sound server that was given another period voids it.
"""

import datetime as dt
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rtkaraoke.errors import LiveError
from rtkaraoke.folders import state_folder

FILE = "calibration.json"
LONGEST_S = 5.0  #: no card is later


@dataclass(frozen=True, slots=True)
class Pair:
    """What an entry holds for: devices and system by PortAudio's names, ``sample_rate`` in Hz, ``block`` in samples."""

    input: str
    output: str
    system: str
    sample_rate: int
    block: int

    @property
    def key(self) -> str:
        """All of it in one line."""
        return " | ".join(str(value) for value in asdict(self).values())


@dataclass(frozen=True, slots=True)
class Measured:
    """The round trip of ``channel``, in samples, and what the driver declared of it, in samples."""

    channel: int
    round_trip_samples: float
    half_width_samples: float
    declared_samples: int


def path() -> Path:
    """Where the entries are."""
    return state_folder() / FILE


def save(pair: Pair, measured: Measured) -> Path:
    """Keep ``measured`` beside what was measured of the pair's other input channels; returns the file.

    Raises
    ------
    LiveError
        When the file cannot be written.
    """
    entries = _read()
    channels = entries.setdefault(pair.key, {})
    channels[str(measured.channel)] = asdict(measured) | {"date": dt.datetime.now(dt.UTC).date().isoformat()}
    target = path()
    draft = target.with_suffix(".new")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        draft.write_text(json.dumps(entries, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        draft.replace(target)
    except OSError as error:
        raise LiveError(f"{target}: cannot be written: {error.strerror or error}") from None
    return target


def round_trip(pair: Pair, declared_samples: int) -> int | None:
    """The pair's measured round trip in samples, that of the input channel that is nearest; None without one.

    ``declared_samples`` is what the driver declares now.
    """
    found = [
        entry["round_trip_samples"]
        for entry in _entries(_read().get(pair.key))
        if entry["declared_samples"] == declared_samples
        and 0 <= entry["round_trip_samples"] <= LONGEST_S * pair.sample_rate
    ]
    return round(min(found)) if found else None


def _entries(channels: Any) -> list[dict[str, Any]]:
    """Those of one pair that have numbers where numbers must be: the file may have been edited."""
    if not isinstance(channels, dict):
        return []
    return [
        entry
        for entry in channels.values()
        if isinstance(entry, dict)
        and isinstance(entry.get("round_trip_samples"), int | float)
        and isinstance(entry.get("declared_samples"), int)
    ]


def _read() -> dict[str, Any]:
    """All entries; none where the file is missing or damaged: a stream starts without it as well."""
    try:
        found = json.loads(path().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
