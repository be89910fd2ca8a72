"""Search as you type over 10 000 songs, and how long a folder of them takes to scan and to scan again.

    python benchmarks/search.py [--songs 10000] [--typed 60] [--real-time] [--quick]

Songs are tiny real files in a temporary folder, with tags made of 4 000 words as unevenly spread as those of a
language. Every query is what stands in the field after a key: each beginning of an artist and title that exists,
half of them in lower case without accents; then words in the midst of others, and such as nobody has. Writes
``results/search.json``.
"""

import argparse
import io
import os
import random
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import soundfile
from common import Cell, Table, parse, save

from rtkaraoke.karaoke import store
from rtkaraoke.karaoke.library import Library
from rtkaraoke.karaoke.text import fold

BUDGET_MS = 50.0
N_WORDS = 4_000
PARTS = ("ba", "be", "ko", "la", "le", "li", "ma", "mi", "no", "ra", "ro", "sa", "ti", "to", "va", "wé", "zü", "grå")
COLUMNS = {
    "search": "",
    "queries": "",
    "median ms": ".1f",
    "p95 ms": ".1f",
    "longest ms": ".1f",
    "CPU p95 ms": ".1f",
    "songs found": ".0f",
}


def words(rng: random.Random, n_words: int) -> list[str]:
    """``n_words`` different words."""
    found: dict[str, None] = {}
    while len(found) < n_words:
        found["".join(rng.choices(PARTS, k=rng.randint(1, 4)))] = None
    return list(found)


def names(rng: random.Random, n_songs: int) -> list[tuple[str, str]]:
    """Artist and title of each song; common words are common, artists have many songs or few."""
    language = words(rng, N_WORDS)
    weights = [1 / rank for rank in range(1, N_WORDS + 1)]

    def phrase(longest: int) -> str:
        return " ".join(rng.choices(language, weights, k=rng.randint(1, longest))).title()

    artists = [phrase(3) for _ in range(n_songs // 5)]
    ranks = [1 / rank for rank in range(1, len(artists) + 1)]
    return [(rng.choices(artists, ranks)[0], phrase(6)) for _ in range(n_songs)]


def write(folder: Path, songs: list[tuple[str, str]]) -> None:
    """A file for each song, 200 to a folder."""
    silence = np.zeros((100, 1), np.float32)
    for number, (artist, title) in enumerate(songs):
        path = folder / f"{number // 200:03}" / f"{number}.wav"
        path.parent.mkdir(exist_ok=True)
        data = io.BytesIO()  # a file would be synchronised with the disk
        with soundfile.SoundFile(data, "w", 8_000, 1, format="WAV") as file:
            file.title, file.artist, file.album = title, artist, f"Album {number % 700}"
            file.write(silence)
        path.write_bytes(data.getvalue())


def typed(rng: random.Random, songs: list[tuple[str, str]], n_songs: int) -> Iterator[str]:
    """What stands in the field after each key while someone looks for one of ``n_songs`` songs."""
    for artist, title in rng.sample(songs, n_songs):
        text = rng.choice((title, artist, f"{artist} {title}", f"{title} {artist}"))[:24]
        text = fold(text) if rng.random() < 0.5 else text
        yield from (text[:end] for end in range(1, len(text) + 1))


def measure(library: Library, queries: Iterable[str]) -> list[Cell]:
    """How many queries, how long they took and what of it was computing, in ms, and what they found on average."""
    times, busy, found = [], [], []
    for query in queries:
        started, started_cpu = time.perf_counter(), time.thread_time()
        songs = library.search(query)
        times.append(1e3 * (time.perf_counter() - started))
        busy.append(1e3 * (time.thread_time() - started_cpu))
        found.append(len(songs))
    p50, p95, longest = map(float, np.percentile(times, [50, 95, 100]))
    return [len(times), p50, p95, longest, float(np.percentile(busy, 95)), float(np.mean(found))]


def rows(
    library: Library, rng: random.Random, songs: list[tuple[str, str]], n_typed: int, how: str
) -> list[list[Cell]]:
    """One row for each kind of query."""
    keys = list(typed(rng, songs, n_typed))
    inside = [fold(title)[1:6] for _, title in rng.sample(songs, n_typed)]
    kinds = {
        "every key": keys,
        "the first letter": [query for query in keys if len(query) == 1],
        "two or three letters": [query for query in keys if 2 <= len(query) <= 3],
        "more": [query for query in keys if len(query) > 3],
        "inside words": inside,
        "what nobody has": [f"{word} xq" for word in inside],
        "nothing: the list": [""] * 50,
    }
    result: list[list[Cell]] = []
    for kind, queries in kinds.items():
        result.append([f"{kind}{how}", *measure(library, queries)])
        print(*result[-1], flush=True)
    return result


def scans(library: Library, folder: Path) -> list[list[Cell]]:
    """The first scan, one with nothing new, one with ten new tags."""
    result: list[list[Cell]] = []

    def scan(name: str) -> None:
        started = time.perf_counter()
        report = library.scan()
        result.append([name, report.n_songs, report.n_opened, time.perf_counter() - started])
        print(*result[-1], flush=True)

    scan("first")
    scan("nothing has changed")
    write(folder, [("New Artist", f"New title {number}") for number in range(10)])
    scan("ten files have changed")
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--songs", type=int, default=10_000)
    parser.add_argument("--typed", type=int, default=60, help="songs that are looked for, key by key")
    parser.add_argument("--real-time", action="store_true", help="search before all others, on a busy machine (Linux)")
    options = parse(parser, songs=200, typed=3)
    rng = random.Random(1)
    songs = names(rng, options.songs)
    with tempfile.TemporaryDirectory(prefix="rtkaraoke-search-") as temporary:
        folder = Path(temporary) / "songs"
        folder.mkdir()
        write(folder, songs)
        with Library(folder, Path(temporary) / "library.sqlite") as library:
            scanned = scans(library, folder)
            if options.real_time:
                os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
            found = rows(library, rng, songs[10:], options.typed, "")
        store.has_full_text_search = lambda _: False
        with Library(folder, Path(temporary) / "library.sqlite") as library:
            found += rows(library, rng, songs[10:], options.typed, ", no FTS5")
    tables = [
        Table(
            "search",
            f"Search as you type, {options.songs} songs",
            COLUMNS,
            found,
            f"At most 50 songs are asked for; the budget is {BUDGET_MS:g} ms at p95. *no FTS5*: an SQLite without "
            "full-text search.",
        ),
        Table(
            "scan",
            "Scanning the folder",
            {"scan": "", "songs": "", "opened": "", "s": ".2f"},
            scanned,
            "WAV files of a hundred samples with tags: what is measured is the library's own part and the opening of "
            "files, not the reading of long ones.",
        ),
    ]
    for table in tables:
        print(table.markdown() + "\n")
    p95_ms = found[0][3]  # every key, with FTS5
    print(f"p95 {p95_ms:.1f} ms of {BUDGET_MS:g} ms")
    how = {"real_time": options.real_time, "load_average": round(os.getloadavg()[0])}
    print(f"wrote {save('search', tables, songs=options.songs, typed=options.typed, **how)}")


if __name__ == "__main__":
    main()
