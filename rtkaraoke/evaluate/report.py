"""The figures of an evaluation: by song, together with their intervals, and compared in pairs."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

N_DRAWS = 2_000  #: of the bootstrap
LEVEL = 0.95
NONE_DB = -90.0  #: a loss below this is none


@dataclass(frozen=True, slots=True)
class FigureKind:
    """How a figure is shown and summed up: ``weighted`` is a mean weighted by length, else the median of songs."""

    heading: str
    higher_is_better: bool = True
    weighted: bool = False


#: All figures, in dB, in the order of the table.
FIGURES = {
    "voice_sdr": FigureKind("voice SDR"),
    "music_sdr": FigureKind("music SDR"),
    "removal": FigureKind("removal"),
    "damage": FigureKind("damage", higher_is_better=False),
    "leak": FigureKind("leak", higher_is_better=False),
    "loss": FigureKind("loss", higher_is_better=False),
    **{f"{part}_{name}_v4": FigureKind(f"{part} {name.upper()} v4") for part in ("voice", "music") for name in
       ("sdr", "sir", "sar")},
    **{f"{part}_{name}": FigureKind(f"{part} G{name.upper()}", weighted=True) for part in ("voice", "music") for name in
       ("nsdr", "sir", "sar")},
}  # fmt: skip

EXPLANATION = (
    "Decibels with 95 % bootstrap intervals over songs. SDR: of the whole song, median. Removal: how much lower the "
    "true voice is afterwards, by least squares. Damage: what is neither voice nor music, against the music. Leak: "
    "what is taken from the music where nobody sings. Loss: the same of songs without voice. v4: museval, median of "
    "seconds, median of songs. G: BSS-EVAL v3, mean weighted by length."
)


@dataclass(frozen=True, slots=True)
class SongResult:
    """What one method scored on one song; ``figures`` has those keys of :data:`FIGURES` that are defined for it."""

    method: str
    song: str
    seconds: float
    figures: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure over ``n_songs`` songs, and the ends of its bootstrap interval."""

    value: float
    low: float
    high: float
    n_songs: int

    def __str__(self) -> str:
        if self.value <= NONE_DB:
            return "none"
        value, low, high = (f"{number:z.2f}" for number in (self.value, self.low, self.high))
        return f"{value} ({low} … {high})" if self.n_songs > 1 else value


@dataclass(frozen=True, slots=True)
class Comparison:
    """By how much ``method`` scores above ``reference`` on the same songs, and on how many it is better."""

    method: str
    reference: str
    figure: str
    difference: Figure
    n_better: int

    def __str__(self) -> str:
        return (
            f"{self.method} against {self.reference}, {FIGURES[self.figure].heading}: {self.difference.value:+.2f} dB "
            f"({self.difference.low:+.2f} … {self.difference.high:+.2f}), better on {self.n_better} of "
            f"{self.difference.n_songs}"
        )


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that :func:`rtkaraoke.evaluate.run.evaluate` found.

    Attributes
    ----------
    dataset, kind, split : str
        The folder's name, the reader's, and the songs' split.
    methods : tuple of str
        The rows of the table, in order; ``models`` are those of them that were asked for by name.
    results : tuple of SongResult
    settings : dict
        What departs from the defaults.
    notes : tuple of str
        Lines for the user.
    """

    dataset: str
    kind: str
    split: str
    methods: tuple[str, ...]
    models: tuple[str, ...]
    results: tuple[SongResult, ...]
    settings: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def n_songs(self) -> int:
        """Songs, those without voice included."""
        return len({result.song for result in self.results})

    @property
    def seconds(self) -> float:
        """Length of all songs together."""
        return sum(result.seconds for result in self.results if result.method == self.methods[0])

    @property
    def figures(self) -> list[str]:
        """The figures that some song has, in the order of the table."""
        return [name for name in FIGURES if any(name in result.figures for result in self.results)]

    def figure(self, method: str, name: str) -> Figure | None:
        """One cell of the table; None where no song has that figure."""
        found = [(r.figures[name], r.seconds) for r in self.results if r.method == method and name in r.figures]
        return _summary([v for v, _ in found], [s for _, s in found], FIGURES[name].weighted)

    def compare(self, method: str, reference: str, name: str) -> Comparison | None:
        """``method`` minus ``reference``, song by song; None where they have no song in common."""
        before = {r.song: r.figures[name] for r in self.results if r.method == reference and name in r.figures}
        pairs = [
            (r.figures[name] - before[r.song], r.seconds)
            for r in self.results
            if r.method == method and name in r.figures and r.song in before
        ]
        kind = FIGURES[name]
        difference = _summary([v for v, _ in pairs], [s for _, s in pairs], kind.weighted)
        if difference is None:
            return None
        better = sum((value > 0) == kind.higher_is_better and value != 0 for value, _ in pairs)
        return Comparison(method, reference, name, difference, better)

    def comparisons(self) -> list[Comparison]:
        """Every further model against the first one, in all figures."""
        pairs = [(model, self.models[0], name) for model in self.models[1:] for name in self.figures]
        return [found for found in (self.compare(*pair) for pair in pairs) if found is not None]

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Headings and rows of text: the method, then each figure; a dash where it has none."""
        headings = ["method", *(FIGURES[name].heading for name in self.figures)]
        rows = [[method, *(str(self.figure(method, name) or "–") for name in self.figures)] for method in self.methods]
        return headings, rows

    def title(self) -> str:
        """What was evaluated, in a line."""
        settings = "".join(f", {name.replace('_', ' ')} {value}" for name, value in self.settings.items())
        return (
            f"{self.dataset} ({self.kind}, {self.split}): {self.n_songs} songs, {self.seconds / 60:.1f} min{settings}"
        )

    def to_markdown(self) -> str:
        """The table, what its columns mean, and the comparisons."""
        headings, rows = self.table()
        rules = [":--", *["--:"] * (len(headings) - 1)]
        lines = ["| " + " | ".join(cells) + " |" for cells in (headings, rules, *rows)]
        blocks = [self.title(), "\n".join(lines), EXPLANATION]
        blocks += ["\n".join(f"- {comparison}" for comparison in self.comparisons())] if len(self.models) > 1 else []
        return "\n\n".join(blocks) + "\n"

    def to_dict(self) -> dict[str, Any]:
        """All of it for programs: plain numbers, dicts and lists."""
        return {
            "dataset": self.dataset,
            "kind": self.kind,
            "split": self.split,
            "n_songs": self.n_songs,
            "seconds": self.seconds,
            "settings": self.settings,
            "methods": {
                method: {
                    name: asdict(figure)
                    for name in self.figures
                    if (figure := self.figure(method, name)) is not None
                }
                for method in self.methods
            },
            "comparisons": [asdict(comparison) for comparison in self.comparisons()],
            "songs": [asdict(result) for result in self.results],
            "notes": list(self.notes),
        }  # fmt: skip


def _summary(values: Sequence[float], seconds: Sequence[float], weighted: bool) -> Figure | None:
    """Median, or mean weighted by length, and what it would be on songs drawn anew from these."""
    if not values:
        return None
    found, n_songs = np.asarray(values), len(values)
    random = np.random.default_rng(0)
    if weighted:
        weights = np.asarray(seconds)
        counts = random.multinomial(n_songs, np.full(n_songs, 1 / n_songs), N_DRAWS)
        draws: NDArray[np.float64] = (counts @ (found * weights)) / (counts @ weights)
        value = np.average(found, weights=weights)
    else:
        draws = np.median(random.choice(found, (N_DRAWS, n_songs)), axis=1)
        value = np.median(found)
    low, high = np.quantile(draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Figure(float(value), float(low), float(high), n_songs)
