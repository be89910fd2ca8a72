"""The songs of a folder: found, kept current, searched, and never anything outside of it."""

import os
import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from rtkaraoke.errors import LibraryError, LyricsError, RtkaraokeError
from rtkaraoke.files import AudioReader
from rtkaraoke.karaoke import library as library_module
from rtkaraoke.karaoke import reading, store
from rtkaraoke.karaoke.library import MAX_COVER, Library, Song
from tests.support.lyrics import hostile_lyrics
from tests.support.songs import JPEG, N_SAMPLES, PNG, RATE, ULTRASTAR, write_mp3, write_song, write_ultrastar

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="needs links, pipes and names of any bytes")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "songs").mkdir()
    return tmp_path / "songs"


@pytest.fixture
def library(folder: Path, tmp_path: Path) -> Iterator[Library]:
    with Library(folder, tmp_path / "library.sqlite") as opened:
        yield opened


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of all files that are opened from now on."""
    names: list[str] = []

    def noting(function: Callable[..., object]) -> Callable[..., object]:
        def call(path: Path, *rest: object) -> object:
            names.append(path.name)
            return function(path, *rest)

        return call

    for name in ("probe", "read_embedded", "read_text", "read_lyrics"):
        monkeypatch.setattr(reading, name, noting(getattr(reading, name)))
    return names


def only(library: Library) -> Song:
    (song,) = library.songs()
    return song


def play(path: Path) -> int:
    with AudioReader(path) as reader:
        return reader.read(np.empty((reader.info.n_channels, 2 * RATE), np.float32))


class TestScan:
    def test_real_songs_have_names_lengths_covers_and_lyrics(self, music_data: Path, tmp_path: Path) -> None:
        with Library(music_data / "songs", tmp_path / "a.sqlite") as library:
            report = library.scan()
            assert (report.n_songs, report.problems) == (4, ())
            for song in library.songs():
                assert song.artist
                assert 100 < (song.length_s or 0) < 400
                assert song.lyrics == "syllables"
                lyrics, cover = library.lyrics(song.id), library.cover(song.id)
                assert lyrics is not None
                assert lyrics.lines[-1].end_s < song.length_s
                assert cover is not None
                assert cover.mime == "image/jpeg"
                assert library.path(song.id).is_file()
            # Its song.txt names audio.mp3, which is audio.ogg.
            (monkey,) = library.search("code monkey")
            assert library.path(monkey.id).name == "audio.ogg"

    @pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg", ".mp3"])
    def test_sound_files_are_named_by_their_tags(self, library: Library, folder: Path, suffix: str) -> None:
        write_song(folder / "deep" / "er" / f"x{suffix}", title="Zoë", artist="Ænima", album="Album")
        library.scan()
        song = only(library)
        assert (song.title, song.artist, song.album) == ("Zoë", "Ænima", "Album")
        assert song.length_s == pytest.approx(N_SAMPLES / RATE, abs=0.05)
        assert song.path == f"deep/er/x{suffix}"
        assert play(library.path(song.id)) > 0

    @pytest.mark.parametrize(
        ("name", "artist", "title"),
        [
            ("A B - C - D.wav", "A B", "C - D"),
            ("Alone.wav", "", "Alone"),
            (" - x.wav", "", "x"),
            ("a-b.wav", "", "a-b"),
        ],
    )
    def test_without_tags_the_name_tells(
        self, library: Library, folder: Path, name: str, artist: str, title: str
    ) -> None:
        write_song(folder / name)
        library.scan()
        assert (only(library).artist, only(library).title) == (artist, title)

    def test_what_a_song_txt_names_is_one_song(self, library: Library, folder: Path) -> None:
        text = write_ultrastar(folder / "a", "One")
        write_song(folder / "a" / "film.mp3")
        text.write_text("#VIDEO:film.mp3\n" + text.read_text())
        write_song(folder / "flat.ogg")
        (folder / "flat (karaoke).txt").write_text(ULTRASTAR.format(title="Two", artist="B", sound="FLAT.OGG"))
        report = library.scan()
        assert [song.title for song in library.songs()] == ["Two", "One"]
        assert report.problems == ()

    def test_lyrics_and_cover_are_found_beside_and_inside(self, library: Library, folder: Path) -> None:
        write_song(folder / "lrc.wav")
        (folder / "lrc.LRC").write_text("[00:01.00]hello\n[00:02.00]you")
        write_song(folder / "plain.wav")
        (folder / "plain.txt").write_text("hello")
        write_mp3(folder / "inside.mp3", cover=PNG, title="Inside", lyrics="[00:01.00]<00:01.00>he<00:02.00>llo")
        write_song(folder / "none.wav")
        (folder / "none.png").write_bytes(PNG)
        assert library.scan().problems == ()
        found = {song.title: song for song in library.songs()}
        assert {title: song.lyrics for title, song in found.items()} == {
            "lrc": "lines",
            "plain": "text",
            "Inside": "syllables",
            "none": "",
        }
        assert {title for title, song in found.items() if song.has_cover} == {"Inside", "none"}
        inside = library.cover(found["Inside"].id)
        assert inside is not None
        assert (inside.data, inside.mime) == (PNG, "image/png")
        lyrics = library.lyrics(found["Inside"].id)
        assert lyrics is not None
        assert lyrics.lines[0].text == "hello"
        assert library.lyrics(found["none"].id) is None
        assert library.cover(found["lrc"].id) is None

    def test_only_what_changed_is_opened(self, library: Library, folder: Path, opened: list[str]) -> None:
        for number in range(5):
            write_ultrastar(folder / str(number), f"Song {number}")
            write_song(folder / f"{number}.wav")
        (folder / "readme.txt").write_text("no song")
        (folder / "broken.ogg").write_bytes(b"OggS" + bytes(100))
        first = library.scan()
        assert (first.n_songs, first.n_added, first.n_changed, first.n_opened) == (10, 10, 0, 12)
        opened.clear()
        again = library.scan()
        assert opened == []
        assert (again.n_songs, again.n_added, again.n_changed, again.n_removed, again.n_opened) == (10, 0, 0, 0, 0)
        assert again.problems == first.problems
        write_song(folder / "3.wav", title="New name")
        (folder / "4" / "cover.jpg").unlink()
        (folder / "2.lrc").write_text("[00:01.00]la")
        third = library.scan()
        assert set(opened) == {"3.wav", "song.txt", "audio.ogg", "2.wav", "2.lrc"}
        assert opened.count("audio.ogg") == 2  # how long it is, and what is inside
        assert (third.n_changed, third.n_opened) == (3, 3)
        assert len(library.search("new name")) == 1

    def test_a_library_that_is_opened_again_knows_its_songs(
        self, folder: Path, tmp_path: Path, opened: list[str]
    ) -> None:
        write_ultrastar(folder / "a", "One")
        for scan in (True, False):
            with Library(folder, tmp_path / "b.sqlite") as library:
                if scan:
                    library.scan()
                song = only(library)
                opened.clear()
                library.scan()
                assert opened == []
                assert only(library) == song

    def test_ids_are_the_same_in_every_database(self, folder: Path, tmp_path: Path) -> None:
        write_song(folder / "a.wav")
        ids = set()
        for name in ("1.sqlite", "2.sqlite"):
            with Library(folder, tmp_path / name) as library:
                library.scan()
                ids.add(only(library).id)
        assert len(ids) == 1

    def test_removed_files_disappear(self, library: Library, folder: Path) -> None:
        write_ultrastar(folder / "a", "One")
        gone = write_song(folder / "b.wav")
        library.scan()
        song_id = library.search("b")[0].id
        gone.unlink()
        with pytest.raises(LibraryError, match="not in the folder"):
            library.path(song_id)
        assert library.scan().n_removed == 1
        assert [song.title for song in library.songs()] == ["One"]
        assert library.search("b") == ()
        with pytest.raises(LibraryError, match="no song has the id"):
            library.song(song_id)
        shutil.rmtree(folder / "a")
        assert library.scan().n_songs == len(library) == 0

    def test_unreadable_files_are_listed_with_a_reason_and_stop_nothing(self, library: Library, folder: Path) -> None:
        (folder / "empty.mp3").write_bytes(b"")
        (folder / "noise.flac").write_bytes(bytes(range(256)) * 10)
        write_ultrastar(folder / "lost", "Lost")
        (folder / "lost" / "audio.ogg").unlink()
        bad = write_ultrastar(folder / "notes", "Notes")
        bad.write_text("#TITLE:Notes\n#MP3:audio.ogg\n#BPM:0\n: 0 1 0 a")
        (folder / "none").mkdir()
        (folder / "none" / "song.txt").write_bytes(bytes(1000))
        write_song(folder / "good.wav")
        reasons = {problem.path: problem.reason for problem in library.scan().problems}
        assert reasons.keys() == {
            *("empty.mp3", "noise.flac", "lost/song.txt", "none/song.txt", "notes/song.txt"),
        }
        assert "is empty" in reasons["empty.mp3"]
        assert "audio.ogg" in reasons["lost/song.txt"]
        assert "without lyrics" in reasons["notes/song.txt"]
        assert [song.title for song in library.songs()] == ["good", "Notes"]
        write_song(folder / "lost" / "audio.ogg")
        assert "lost/song.txt" not in [problem.path for problem in library.scan().problems]

    def test_progress_is_told_and_may_end_the_scan(self, library: Library, folder: Path) -> None:
        for number in range(3):
            write_song(folder / f"{number}.wav")
        told: list[tuple[int, int, str]] = []

        def progress(number: int, total: int, path: str) -> None:
            told.append((number, total, path))
            if number == 2:
                raise InterruptedError

        with pytest.raises(InterruptedError):
            library.scan(progress)
        assert told == [(0, 3, "0.wav"), (1, 3, "1.wav"), (2, 3, "2.wav")]
        assert len(library) == 2
        assert library.scan().n_added == 1

    def test_a_search_is_answered_while_a_scan_is_on(self, library: Library, folder: Path) -> None:
        for number in range(3):
            write_song(folder / f"{number}.wav")
        here, go_on = threading.Event(), threading.Event()

        def progress(number: int, total: int, path: str) -> None:
            here.set()
            assert go_on.wait(30)

        scan = threading.Thread(target=library.scan, args=(progress,))
        scan.start()
        assert here.wait(30)
        assert library.search("x") == ()
        go_on.set()
        scan.join(30)
        assert len(library) == 3

    def test_another_folder_empties_the_database(self, folder: Path, tmp_path: Path) -> None:
        write_song(folder / "a.wav")
        with Library(folder, tmp_path / "c.sqlite") as library:
            library.scan()
        with Library(tmp_path, tmp_path / "c.sqlite") as library:
            assert len(library) == 0

    def test_what_is_no_folder_or_no_database_is_refused(self, folder: Path, tmp_path: Path) -> None:
        (tmp_path / "noise.sqlite").write_bytes(bytes(range(256)) * 100)
        song = write_song(folder / "a.wav")
        for where, database in (
            (tmp_path / "nowhere", tmp_path / "d.sqlite"),
            (song, tmp_path / "d.sqlite"),
            (folder, tmp_path / "noise.sqlite"),
            (folder, tmp_path),
            (folder, song / "d.sqlite"),
        ):
            with pytest.raises(LibraryError):
                Library(where, database)
        library = Library(folder, tmp_path / "d.sqlite")
        library.close()
        library.close()
        with pytest.raises(LibraryError, match="closed"):
            library.search("a")


class TestHostile:
    @pytest.mark.parametrize(
        "name", ["../secret.wav", "/etc/secret.wav", "..\\secret.wav", "C:\\secret.wav", "a/../../x.wav"]
    )
    def test_names_that_point_out_of_the_folder_are_refused(
        self, library: Library, folder: Path, tmp_path: Path, name: str
    ) -> None:
        write_song(tmp_path / "secret.wav")
        (folder / "song.txt").write_text(ULTRASTAR.format(title="T", artist="A", sound=name))
        (problem,) = library.scan().problems
        assert "outside" in problem.reason
        assert len(library) == 0
        write_song(folder / "audio.ogg")
        (tmp_path / "x.wav").write_bytes(JPEG)
        text = ULTRASTAR.format(title="T", artist="A", sound="audio.ogg")
        (folder / "song.txt").write_text(f"#COVER:{name}\n#VIDEO:{name}\n{text}")
        assert library.scan().problems == ()
        assert library.cover(only(library).id) is None

    @posix_only
    def test_links_are_not_followed(self, library: Library, folder: Path, tmp_path: Path) -> None:
        outside = write_song(tmp_path / "outside" / "a.wav")
        (folder / "a.wav").symlink_to(outside)
        (folder / "all").symlink_to(outside.parent)
        (folder / "loop").symlink_to(folder)
        (folder / "lost.wav").symlink_to(tmp_path / "nowhere")
        report = library.scan()
        assert report.n_songs == 0
        assert [problem.path for problem in report.problems] == ["a.wav", "all", "loop", "lost.wav"]
        assert all("link" in problem.reason for problem in report.problems)

    @posix_only
    def test_a_file_that_becomes_a_link_after_the_scan_is_not_followed(
        self, library: Library, folder: Path, tmp_path: Path
    ) -> None:
        write_ultrastar(folder / "a", "One")
        library.scan()
        song = only(library)
        for name in ("audio.ogg", "cover.jpg", "song.txt"):
            (folder / "a" / name).rename(tmp_path / name)
            (folder / "a" / name).symlink_to(tmp_path / name)
        with pytest.raises(LibraryError):
            library.path(song.id)
        with pytest.raises(LibraryError):
            library.lyrics(song.id)
        assert library.cover(song.id) is None

    @posix_only
    def test_pipes_and_closed_folders_are_listed(self, library: Library, folder: Path) -> None:
        os.mkfifo(folder / "pipe.wav")
        os.mkfifo(folder / "song.txt")
        (folder / "a.wav").mkdir()
        problems = {problem.path for problem in library.scan().problems}
        assert problems == {"pipe.wav", "song.txt"}

    @posix_only
    @pytest.mark.parametrize(
        ("name", "shown"),
        [
            (b"<script>alert(1)<script>.wav", "<script>alert(1)<script>"),
            (b"K\xe4se \xff.flac", "Käse ÿ"),
            (b"a\nb\rc\td.ogg", "a b c d"),
            (b"\x1b[2J\x07x.wav", "[2Jx"),
            ("evil\u202egpj.wav".encode(), "evilgpj"),
            ("שיר.wav".encode(), "\u2068שיר\u2069"),
            (b"'; DROP TABLE library; --.wav", "'; DROP TABLE library; --"),
            (b"%s%00{0}$(reboot).wav", "%s%00{0}$(reboot)"),
            (b"n" * 251 + b".wav", "n" * 199 + "…"),
            ("夜に駆ける.wav".encode(), "夜に駆ける"),
            (b"-rf *.wav", "-rf *"),
        ],
    )
    def test_hostile_names_are_shown_as_text_and_can_be_played(
        self, library: Library, folder: Path, name: bytes, shown: str
    ) -> None:
        good = write_song(folder / f"good{Path(os.fsdecode(name)).suffix}")
        try:
            good.rename(folder / os.fsdecode(name))
        except OSError as error:
            pytest.skip(f"this file system refuses the name: {error}")
        report = library.scan()
        assert report.problems == ()
        song = only(library)
        assert song.title == shown
        assert song.path.encode()
        assert play(library.path(song.id)) >= N_SAMPLES
        assert library.search(shown[:5]) or not shown[:5].isalnum()

    def test_hostile_tags_are_shown_as_text(self, library: Library, folder: Path) -> None:
        write_mp3(
            folder / "a.mp3",
            title="<img src=x onerror=alert(1)>\x1b[31m\u202eevil",
            artist="a\nb" * 1000,
            lyrics="<script>\u202e</script>",
        )
        library.scan()
        song = only(library)
        assert song.title == "<img src=x onerror=alert(1)>[31mevil"
        assert song.artist.startswith("a ba b")
        assert len(song.artist) == 200
        lyrics = library.lyrics(song.id)
        assert lyrics is not None
        assert lyrics.lines[0].text == "<script></script>"

    @pytest.mark.parametrize(
        "song_id", ["", "x", "../../etc/passwd", "\ud800", "\0", "a" * 100_000, "' OR 1=1 --", "é"]
    )
    def test_ids_that_nobody_gave_are_refused_everywhere(self, library: Library, folder: Path, song_id: str) -> None:
        write_song(folder / "a.wav")
        library.scan()
        for ask in (library.song, library.path, library.cover, library.lyrics):
            with pytest.raises(LibraryError, match="no song has the id") as caught:
                ask(song_id)
            assert len(str(caught.value)) < 200

    def test_a_cover_is_a_picture_of_reasonable_size(self, library: Library, folder: Path) -> None:
        write_song(folder / "a.wav")
        picture = folder / "a.jpg"
        for data, good in (
            (JPEG, True),
            (b"<svg onload='alert(1)'/>", False),
            (b"<html>", False),
            (b"", False),
            (JPEG + bytes(MAX_COVER), False),
        ):
            picture.write_bytes(data)
            library.scan()
            assert (library.cover(only(library).id) is not None) == good

    def test_fifty_hostile_files_of_lyrics_hide_no_song(self, library: Library, folder: Path) -> None:
        sound = write_song(folder / "a.wav").read_bytes()
        files = hostile_lyrics()
        for number, (name, data) in enumerate(files.items()):
            (folder / str(number)).mkdir()
            (folder / str(number) / name).write_bytes(data)
            (folder / str(number) / name).with_suffix(".wav").write_bytes(sound)
        library.scan()
        songs = library.songs(limit=100)
        assert len(songs) == len(files) + 1
        for song in songs:
            assert play(library.path(song.id)) == N_SAMPLES
            lyrics = library.lyrics(song.id)
            assert (lyrics.detail if lyrics else "") == song.lyrics

    def test_lyrics_that_break_after_the_scan_raise_only_what_is_documented(
        self, library: Library, folder: Path
    ) -> None:
        text = write_ultrastar(folder / "a", "One")
        library.scan()
        text.write_bytes(bytes(5000))
        with pytest.raises(LyricsError):
            library.lyrics(only(library).id)
        text.unlink()
        with pytest.raises(RtkaraokeError):
            library.lyrics(only(library).id)


@pytest.fixture(params=["with FTS5", "without FTS5"])
def shelf(
    request: pytest.FixtureRequest, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Library]:
    """A library of names, searched in both ways."""
    if request.param == "without FTS5":
        monkeypatch.setattr(store, "has_full_text_search", lambda db: False)
    names = (
        "Beyoncé - Déjà vu", "Queen - Don't Stop Me Now", "Queen - We Will Rock You", "AC∕DC - Thunderstruck",
        "Björk - Jóga", "Die Ärzte - Schrei nach Liebe", "Rock Band - Queen of Hearts", "YOASOBI - 夜に駆ける",
        "Łona - Ćwierć wieku", "Abba - Waterloo",
    )  # fmt: skip
    template = write_song(folder / "x.wav").read_bytes()
    (folder / "x.wav").unlink()
    for name in names:
        (folder / f"{name}.wav").write_bytes(template)
    with Library(folder, tmp_path / "shelf.sqlite") as library:
        library.scan()
        yield library


class TestSearch:
    @pytest.mark.parametrize(
        ("text", "titles"),
        [
            ("deja", {"Déjà vu"}),
            ("BEYONCE", {"Déjà vu"}),
            ("vu bey", {"Déjà vu"}),
            ("dont st", {"Don't Stop Me Now"}),
            ("ac dc", {"Thunderstruck"}),
            ("AC/DC", {"Thunderstruck"}),
            ("arzte", {"Schrei nach Liebe"}),
            ("lona cwierc", {"Ćwierć wieku"}),
            ("駆け", {"夜に駆ける"}),
            ("terlo", {"Waterloo"}),
            ("queen rock", {"We Will Rock You", "Queen of Hearts"}),
            ("nothing like it", set()),
            ('"*^(){}:-', None),
            ("", None),
            ("NEAR/2 AND OR NOT", set()),
            ("x" * 10_000, set()),
            ("a " * 10_000, {"Thunderstruck", "Schrei nach Liebe", "Waterloo", "Queen of Hearts"}),
            ("\ud800\x00", None),
        ],
    )
    def test_finds_what_was_meant(self, shelf: Library, text: str, titles: set[str] | None) -> None:
        found = {song.title for song in shelf.search(text)}
        if titles is None:
            assert len(found) == 10
        elif text.startswith("a "):
            assert titles <= found
        else:
            assert found == titles

    def test_titles_that_begin_with_the_text_come_first_then_artists(self, shelf: Library) -> None:
        assert shelf.search("queen")[0].title == "Queen of Hearts"
        assert shelf.search("rock")[0].artist == "Rock Band"
        assert len(shelf.search("queen")) == 3

    def test_gives_no_more_than_was_asked_for(self, shelf: Library) -> None:
        assert len(shelf.search("e", limit=3)) == 3
        assert shelf.search("e", limit=0) == ()
        assert shelf.search("e", limit=-1) == ()
        assert len(shelf.songs(limit=10**30)) == 10

    def test_lists_by_artist(self, shelf: Library) -> None:
        assert ("Queen", 2) in shelf.artists()
        assert [song.title for song in shelf.by_artist("QUEEN")] == ["Don't Stop Me Now", "We Will Rock You"]
        assert [song.artist for song in shelf.songs(limit=2, offset=1)] == ["AC∕DC", "Beyoncé"]


def test_an_index_that_was_not_kept_is_made_anew(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_song(folder / "first.wav")
    with Library(folder, tmp_path / "e.sqlite") as library:
        library.scan()
    with monkeypatch.context() as patch:
        patch.setattr(store, "has_full_text_search", lambda db: False)
        write_song(folder / "second.wav")
        (folder / "first.wav").unlink()
        with Library(folder, tmp_path / "e.sqlite") as library:
            library.scan()
            assert [song.title for song in library.search("sec")] == ["second"]
    monkeypatch.setattr(store.Store, "_search_inside", lambda *args: [])
    with Library(folder, tmp_path / "e.sqlite") as library:
        assert [song.title for song in library.search("sec")] == ["second"]
        assert library.search("first") == ()


def test_public_names() -> None:
    assert all(hasattr(library_module, name) for name in library_module.__all__)
