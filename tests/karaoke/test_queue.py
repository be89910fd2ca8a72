"""The queue of singers: nothing is lost, nobody is forgotten."""

import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from rtkaraoke.errors import LibraryError, QueueError
from rtkaraoke.karaoke.entries import Limits, Settings
from rtkaraoke.karaoke.library import Library
from rtkaraoke.karaoke.queue import Queue
from rtkaraoke.karaoke.store import Song

ROOT = Path(__file__).parents[2]


def song(number: int) -> Song:
    return Song(f"{number:016x}", f"Song {number}", "Artist", length_s=100.0)


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[Queue]:
    with Queue(tmp_path / "queue.sqlite") as opened:
        yield opened


def fill(queue: Queue, *names: str) -> list[int]:
    """A song for each name in turn; the numbers of the entries."""
    return [queue.add(queue.singer(name).id, song(number)).id for number, name in enumerate(names)]


def names(queue: Queue) -> list[str]:
    return [entry.singer.name for entry in queue.waiting()]


def test_an_evening_from_first_to_last_song(queue: Queue) -> None:
    assert queue.start_next() is None
    assert queue.next_up() is None
    assert queue.skip() is None
    fill(queue, "Anna", "Anna", "Ben")
    assert names(queue) == ["Anna", "Ben", "Anna"]
    assert queue.next_up() == queue.waiting()[0]
    first = queue.start_next()
    assert first is not None
    assert (first.singer.name, first.title, first.state) == ("Anna", "Song 0", "playing")
    assert queue.playing() == first
    assert queue.finish().state == "done"
    assert queue.playing() is None
    assert queue.start_next().singer.name == "Ben"
    assert queue.skip().state == "skipped"
    assert queue.start_next().title == "Song 1"
    assert queue.start_next() is None  # and what played is done
    assert [(entry.title, entry.state) for entry in queue.history()] == [
        ("Song 1", "done"),
        ("Song 2", "skipped"),
        ("Song 0", "done"),
    ]
    assert all(entry.started_at <= entry.ended_at for entry in queue.history())
    assert len(queue.history(limit=2)) == 2


def test_late_comers_sing_in_the_round_that_is_on(queue: Queue) -> None:
    fill(queue, "Anna", "Ben", "Anna", "Ben")
    queue.start_next()
    fill(queue, "Cleo")
    assert names(queue) == ["Ben", "Cleo", "Anna", "Ben"]


def test_a_removed_song_was_no_turn_and_a_skipped_one_was(queue: Queue) -> None:
    entries = fill(queue, "Anna", "Ben", "Anna", "Ben")
    queue.remove(entries[0])
    assert names(queue) == ["Ben", "Anna", "Ben"]
    queue.start_next()
    queue.skip()
    assert names(queue) == ["Anna", "Ben"]
    with pytest.raises(QueueError, match="was removed"):
        queue.entry(entries[0])
    with pytest.raises(QueueError, match="is skipped"):
        queue.remove(entries[1])


def test_who_leaves_waits_no_more(queue: Queue) -> None:
    fill(queue, "Anna", "Ben", "Anna")
    assert queue.leave(queue.singer("Anna").id) == 2
    assert names(queue) == ["Ben"]


@pytest.mark.parametrize("start", range(5))
@pytest.mark.parametrize("place", [-3, 0, 1, 2, 4, 99])
def test_the_host_moves_an_entry_to_any_place(queue: Queue, start: int, place: int) -> None:
    fill(queue, "A", "B", "C", "D", "E")
    moved = queue.waiting()[start]
    queue.move(moved.id, place)
    wanted = [name for name in "ABCDE" if name != moved.singer.name]
    wanted.insert(max(0, min(place, 4)), moved.singer.name)
    assert names(queue) == wanted
    assert [entry.singer.name for entry in queue.waiting() if entry.moved] == [moved.singer.name]


def test_moved_entries_keep_their_places_when_another_is_moved_between(queue: Queue) -> None:
    fill(queue, "A", "B", "C", "D", "E")
    by_name = {entry.singer.name: entry.id for entry in queue.waiting()}
    queue.move(by_name["E"], 0)
    queue.move(by_name["D"], 0)
    assert names(queue) == ["D", "E", "A", "B", "C"]
    queue.move(by_name["A"], 1)
    assert names(queue) == ["D", "A", "E", "B", "C"]
    queue.move(by_name["D"], 4)
    assert names(queue) == ["A", "E", "B", "C", "D"]
    queue.start_next()
    assert names(queue) == ["E", "B", "C", "D"]


def test_key_tempo_and_vocals_are_remembered_for_singer_and_song(queue: Queue) -> None:
    anna, ben = queue.singer("Anna"), queue.singer("Ben")
    wanted = Settings(-3, 90, -20.0)
    entry = queue.add(anna.id, song(1))
    assert entry.settings == Settings(0, 100, -90.0)
    assert queue.set(entry.id, wanted).settings == wanted
    queue.start_next()
    again = Settings(-2, 95, -10.5)
    queue.set(entry.id, again)
    queue.finish()
    with pytest.raises(QueueError, match="is done"):
        queue.set(entry.id, wanted)
    assert queue.add(anna.id, song(1)).settings == again
    assert queue.add(ben.id, song(1)).settings == Settings()
    assert queue.add(anna.id, song(2), wanted).settings == wanted
    assert queue.remembered(anna.id, song(2).id) == wanted
    assert queue.remembered(anna.id, "\ud800") == Settings()


@pytest.mark.parametrize(
    ("key", "tempo", "vocals_db"),
    [
        (7, 100, -90.0), (-7, 100, 0.0), (0, 69, 0.0), (0, 131, 0.0), (0, 100, 0.1), (0, 100, -90.1),
        (0, 100, float("nan")), (0.5, 100, 0.0), (True, 100, 0.0), ("1", 100, 0.0),
            pytest.param(10**5000, 100, 0.0, id="huge"),
        (0, None, 0.0), (0, 100, "-1"), (0, 100, float("-inf")),
    ],
)  # fmt: skip
def test_settings_out_of_range_are_refused(key: int, tempo: int, vocals_db: float) -> None:
    with pytest.raises(QueueError, match="wanted"):
        Settings(key, tempo, vocals_db)


def test_names_are_shown_as_text_and_found_in_any_spelling(queue: Queue) -> None:
    zoe = queue.singer("  Zoë ")
    assert zoe.name == "Zoë"
    assert queue.singer("ZOE") == zoe
    assert queue.singer("<script>\u202e\n x").name == "<script> x"
    assert queue.singer("💃").name == "💃"
    assert queue.singer("🕺") != queue.singer("💃")
    assert len(queue.singer("x" * 1000).name) == 40
    assert queue.singer("\udce4").name == "ä"
    assert zoe in queue.singers()
    for name in ("", "  ", "\u202e", "\x00", "\u200d"):
        with pytest.raises(QueueError, match="name"):
            queue.singer(name)


@pytest.mark.parametrize("number", [0, -1, 5, 1 << 70, pytest.param(10**5000, id="huge"), "1; DROP TABLE", None, 1.5])
def test_numbers_that_nobody_gave_are_refused(queue: Queue, number: int) -> None:
    fill(queue, "Anna")
    for ask in (queue.entry, queue.remove, queue.leave, lambda n: queue.move(n, 0), lambda n: queue.add(n, song(9))):
        with pytest.raises(QueueError, match="has the number"):
            ask(number)


def test_limits_hold_and_free_up(tmp_path: Path) -> None:
    with Queue(tmp_path / "q.sqlite", Limits(waiting_per_singer=2, waiting=3, singers=2)) as queue:
        anna, ben = queue.singer("Anna"), queue.singer("Ben")
        with pytest.raises(QueueError, match="2 singers"):
            queue.singer("Cleo")
        queue.add(anna.id, song(1))
        with pytest.raises(QueueError, match="already"):
            queue.add(anna.id, song(1))
        queue.add(anna.id, song(2))
        with pytest.raises(QueueError, match="at most 2"):
            queue.add(anna.id, song(3))
        queue.add(ben.id, song(1))
        with pytest.raises(QueueError, match="3 songs wait"):
            queue.add(ben.id, song(2))
        queue.start_next()
        queue.add(anna.id, song(1))


def test_every_change_is_seen_by_the_revision(queue: Queue) -> None:
    seen = [queue.revision]
    entry = fill(queue, "Anna", "Ben")[1]
    changes = (
        lambda: queue.move(entry, 0),
        lambda: queue.set(entry, Settings(1)),
        queue.start_next,
        queue.recover,
        queue.start_next,
        queue.skip,
        queue.start_next,
        queue.finish,
        lambda: queue.set_paused(True),
        lambda: fill(queue, "Cleo"),
        lambda: queue.remove(queue.waiting()[0].id),
    )
    for change in changes:
        seen.append(queue.revision)
        change()
        assert queue.revision > seen[-1]
    unchanged = queue.revision
    queue.waiting(), queue.history(), queue.playing(), queue.singer("Anna"), queue.finish()
    assert queue.revision == unchanged


def test_everything_is_there_when_it_is_opened_again(tmp_path: Path) -> None:
    with Queue(tmp_path / "q.sqlite") as queue:
        fill(queue, "Anna", "Ben", "Anna", "Cleo")
        queue.move(queue.waiting()[3].id, 1)
        queue.start_next()
        queue.finish()
        queue.start_next()
        queue.set_paused(True)
        before = queue.waiting(), queue.history(), queue.playing(), queue.singers(), queue.revision
    with Queue(tmp_path / "q.sqlite") as queue:
        assert (queue.waiting(), queue.history(), queue.playing(), queue.singers(), queue.revision) == before
        assert queue.paused


def test_what_played_when_the_power_went_comes_first_again(queue: Queue) -> None:
    fill(queue, "Anna", "Ben", "Anna")
    queue.move(queue.waiting()[2].id, 0)
    queue.start_next()
    playing = queue.start_next()
    order = names(queue)
    back = queue.recover()
    assert back is not None
    assert (back.id, back.state, back.started_at) == (playing.id, "waiting", None)
    assert names(queue) == [playing.singer.name, *order]
    assert queue.recover() is None
    assert queue.start_next().id == playing.id


KILLED = """
import sys
from rtkaraoke.karaoke.entries import Settings
from rtkaraoke.karaoke.queue import Queue
from rtkaraoke.karaoke.store import Song
queue = Queue(sys.argv[1])
singers = [queue.singer(name) for name in ("Anna", "Ben", "Cleo")]
number = 0
while True:
    number += 1
    entry = queue.add(singers[number % 3].id, Song(f"{number:016x}", f"Song {number}"), Settings(number % 6))
    if number % 2:
        entry = queue.start_next()
    print(number, entry.id, entry.state, queue.revision, flush=True)
"""


def test_what_was_answered_survives_kill_9(tmp_path: Path) -> None:
    """A process that works is killed in the midst of it; all that it had said is there, and nothing is torn."""
    for attempt in range(2):
        database = tmp_path / f"{attempt}.sqlite"
        program = subprocess.Popen(
            [sys.executable, "-c", KILLED, database],
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
        )
        assert program.stdout is not None
        with program:
            lines = [program.stdout.readline() for _ in range(12 + attempt)]
            program.kill()
            lines += program.stdout.readlines()
        number, entry, state, revision = lines[-1].split() if lines[-1].endswith("\n") else lines[-2].split()
        check = sqlite3.connect(database)
        assert check.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        check.close()
        with Queue(database) as queue:
            assert queue.revision >= int(revision)
            assert queue.entry(int(entry)).state in (state, "done")
            entries = [*queue.history(10_000), *queue.waiting(), *filter(None, [queue.playing()])]
            titles = {found.title for found in entries}
            assert titles >= {f"Song {known}" for known in range(1, int(number) + 1)}
            assert len(entries) == len(titles)
            queue.recover()
            assert queue.start_next() is not None


def test_many_threads_take_and_give_without_loss(queue: Queue) -> None:
    sung: list[int] = []
    errors: list[BaseException] = []

    def work(name: str) -> None:
        try:
            singer = queue.singer(name)
            for number in range(10):
                queue.add(singer.id, song(number))
                entry = queue.start_next()
                if entry is not None:
                    sung.append(entry.id)
                queue.waiting()
        except BaseException as error:  # noqa: BLE001 - told by the test's own thread
            errors.append(error)

    threads = [threading.Thread(target=work, args=(name,)) for name in "ABCDE"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert errors == []
    assert len(sung) == len(set(sung)) == 50
    assert queue.waiting() == ()


def test_library_and_queue_share_a_file_and_history_outlives_songs(tmp_path: Path) -> None:
    (tmp_path / "songs").mkdir()
    with Library(tmp_path / "songs", tmp_path / "n.sqlite") as library, Queue(tmp_path / "n.sqlite") as queue:
        fill(queue, "Anna")
        library.scan()
        entry = queue.start_next()
        assert entry is not None
        assert (entry.title, entry.artist, entry.length_s) == ("Song 0", "Artist", 100.0)
        with pytest.raises(LibraryError):
            library.song(entry.song)


def test_databases_that_cannot_be_used_are_refused(tmp_path: Path) -> None:
    (tmp_path / "noise").write_bytes(bytes(range(256)) * 100)
    with Queue(tmp_path / "newer"):
        pass
    newer = sqlite3.connect(tmp_path / "newer", isolation_level=None)
    newer.execute("UPDATE queue_facts SET value = 99 WHERE name = 'version'")
    newer.close()
    for path in (tmp_path / "noise", tmp_path / "newer", tmp_path, tmp_path / "noise" / "x"):
        with pytest.raises(QueueError, match=r"choose another|move the file"):
            Queue(path)
