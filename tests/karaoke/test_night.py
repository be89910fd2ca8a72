"""An evening: songs follow each other, belong to somebody, and survive."""

from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from rtkaraoke.errors import LibraryError, NightError, PluginError, QueueError
from rtkaraoke.karaoke.night import Guest, Night
from tests.support.night import Evening

ADA, BEN, HOST = Guest("ada's phone"), Guest("ben's phone"), Guest("host", host=True)


@pytest.fixture
def evening(tmp_path: Path) -> Iterator[Evening]:
    evening = Evening(tmp_path)
    yield evening
    evening.close()


def queue(evening: Evening, *titles: str) -> list[int]:
    """One song each for singers of their own."""
    return [evening.night.add(evening.song(title), f"singer of {title}", ADA) for title in titles]


def test_a_queued_song_begins_by_itself_and_the_next_one_follows_it(evening: Evening) -> None:
    queue(evening, "One", "Two")
    evening.play(2)
    assert (evening.now, evening.waiting) == ("One", ["Two"])
    evening.play(evening.session.length_s)
    assert (evening.now, evening.waiting) == ("Two", [])
    evening.play(evening.session.length_s + 5)
    assert (evening.now, evening.waiting) == ("", [])
    assert [entry.state for entry in evening.queue.history()] == ["done", "done"]


def test_the_next_song_is_loaded_while_the_present_one_plays(evening: Evening) -> None:
    queue(evening, "One", "Two")
    evening.play(3)
    assert evening.session.source["loaded"] == 2
    assert evening.session.source["serial"] == 1


def test_who_is_queued_or_moved_to_the_front_is_loaded_instead(evening: Evening) -> None:
    first, second, third = queue(evening, "One", "Two", "Three")
    evening.play(3)
    evening.night.move(third, 0)
    evening.play(1)
    assert evening.session.source["loaded"] == third
    evening.night.remove(third, HOST)
    evening.play(1)
    assert evening.session.source["loaded"] == second
    evening.night.remove(second, ADA)
    evening.play(2)
    assert evening.session.source["loaded"] == 0
    assert evening.session.source["serial"] == first


def test_key_tempo_and_vocal_level_are_applied_and_remembered_per_singer_and_song(evening: Evening) -> None:
    song = evening.song("One")
    evening.night.add(song, "Ada", ADA, key=-3, tempo=90, vocals=-12.0)
    evening.play(2)
    assert (evening.session.source["key"], evening.session.source["tempo"]) == (-3, 90)
    assert evening.session.values["vocal_remover.vocals"] == -12.0
    entry = evening.night.state()["now"]["entry"]
    evening.night.change(entry, ADA, key=2)
    assert evening.session.source["key"] == 2
    evening.play(evening.session.length_s + 5)
    evening.night.add(song, "ada", BEN)
    evening.night.add(song, "Ben", BEN)
    other, again = evening.night.state()["queue"]
    assert (again["key"], again["tempo"], again["vocals"]) == (2, 90, -12.0)
    assert (other["key"], other["tempo"]) == (0, 100)


def test_what_is_changed_while_it_waits_holds_when_it_begins(evening: Evening) -> None:
    _, second = queue(evening, "One", "Two")
    evening.play(3)
    evening.night.change(second, ADA, key=4, vocals=-6.0)
    evening.play(2)
    assert evening.session.values["vocal_remover.vocals"] == -90.0
    evening.night.skip(ADA)
    evening.play(3)
    assert (evening.now, evening.session.source["key"]) == ("Two", 4)
    assert evening.session.values["vocal_remover.vocals"] == -6.0


def test_the_host_s_fader_for_the_voice_is_the_singer_s(evening: Evening) -> None:
    queue(evening, "One")
    evening.play(2)
    evening.night.controls.set("vocal_remover", "vocals", -20.0)
    assert evening.night.state()["now"]["vocals"] == -20.0
    assert evening.session.values["vocal_remover.vocals"] == -20.0


def test_a_skip_goes_on_to_the_next_and_at_the_end_to_silence(evening: Evening) -> None:
    queue(evening, "One", "Two")
    evening.play(5)
    evening.night.skip(HOST)
    evening.play(3)
    assert evening.now == "Two"
    evening.night.skip(HOST)
    evening.play(3)
    assert evening.now == ""
    assert evening.session.source["serial"] == 0
    with pytest.raises(NightError, match="nobody waits"):
        evening.night.skip(HOST)


def test_guests_change_remove_and_end_only_what_is_their_own(evening: Evening) -> None:
    first, second = queue(evening, "One", "Two")
    evening.play(3)
    for wrong in (lambda: evening.night.change(second, BEN, key=1), lambda: evening.night.remove(second, BEN)):
        with pytest.raises(NightError, match="singer of Two"):
            wrong()
    for stranger in (BEN, Guest()):
        with pytest.raises(NightError, match="somebody else"):
            evening.night.skip(stranger)
    evening.night.change(first, HOST, key=1)
    evening.night.change(second, ADA, key=1)
    evening.night.skip(ADA)


def test_without_autoplay_the_next_song_waits_for_the_host(evening: Evening) -> None:
    queue(evening, "One", "Two")
    evening.night.settings(autoplay=False)
    evening.play(5)
    assert evening.now == ""
    evening.night.skip(HOST)
    evening.play(3)
    assert evening.now == "One"
    evening.play(evening.session.length_s + 5)
    assert (evening.now, evening.waiting) == ("", ["Two"])


def test_the_cross_fade_reaches_the_deck_and_is_kept(evening: Evening) -> None:
    evening.night.settings(crossfade_s=7.5)
    evening.play(1)
    assert ("follow", 7.5, "") in evening.session.commands
    evening.close()
    evening.open()
    assert evening.night.state()["settings"]["crossfade_s"] == 7.5
    with pytest.raises(NightError, match="0 to 12"):
        evening.night.settings(crossfade_s=60.0)


def test_a_song_that_cannot_be_played_is_taken_out_and_the_evening_goes_on(evening: Evening) -> None:
    evening.session.broken.add("Ann - One.wav")
    queue(evening, "One", "Two")
    evening.play(3)
    assert evening.now == "Two"
    assert "One of singer of One cannot be played" in evening.night.state()["messages"][0]["text"]


def test_a_file_that_is_gone_is_taken_out_and_the_evening_goes_on(evening: Evening) -> None:
    queue(evening, "One", "Two")
    (evening.folder / "songs" / "Ann - One.wav").unlink()
    evening.play(3)
    assert evening.now == "Two"


def test_a_killed_night_goes_on_with_the_same_queue_owners_and_desk(evening: Evening) -> None:
    _, second, _ = queue(evening, "One", "Two", "Three")
    evening.night.move(second, 1)
    evening.night.controls.set("mic1.echo", "wet", -7.0)
    evening.play(5)
    before = evening.night.state()
    # As after kill -9: nothing is closed, another process opens the files.
    evening.open()
    assert [entry["entry"] for entry in evening.night.state()["queue"]] == [
        each["entry"] for each in (before["now"], *before["queue"])
    ]
    assert evening.session.values["mic1.echo.wet"] == -7.0
    evening.play(3)
    assert (evening.now, evening.waiting) == ("One", ["Two", "Three"])
    evening.night.remove(second, ADA)


def test_an_engine_that_was_replaced_goes_on_where_the_song_was(evening: Evening) -> None:
    queue(evening, "One", "Two")
    evening.play(30)
    evening.session.state = "waiting"
    evening.session.restart()
    evening.play(5)
    assert evening.now == "One"
    evening.session.state = "running"
    evening.play(4)
    assert (evening.now, evening.waiting) == ("One", ["Two"])
    assert evening.session.source["serial"] == 1
    assert evening.session.source["position_s"] > 28


def test_parameters_are_checked_before_they_reach_the_engine(evening: Evening) -> None:
    for plugin, parameter, error in (("kazoo", "x", NightError), ("mic1", "x", NightError)):
        with pytest.raises(error):
            evening.night.controls.set(plugin, parameter, 0.0)
    for value in (99.0, float("nan"), float("inf")):
        with pytest.raises(PluginError):
            evening.night.controls.set("mic1", "level", value)
    evening.night.controls.set("mic1", "level", -6.0)
    assert evening.session.values["mic1.level"] == -6.0


def test_a_preset_sets_all_of_its_values(evening: Evening) -> None:
    evening.night.controls.preset("mic1.echo", "slap")
    assert (evening.session.values["mic1.echo.time"], evening.session.values["mic1.echo.wet"]) == (90.0, -12.0)
    with pytest.raises(NightError, match="slap"):
        evening.night.controls.preset("mic1.echo", "cathedral")


def test_recordings_get_a_name_of_their_own_in_their_folder(evening: Evening) -> None:
    evening.night.controls.record(True, apart=True)
    evening.night.controls.record(False)
    (path, apart), (end, _) = evening.session.recorded
    assert path is not None
    assert (path.parent, path.suffix, apart, end) == (evening.folder / "recordings", ".flac", True, None)


def test_the_version_grows_with_everything_that_is_shown_and_with_nothing_else(evening: Evening) -> None:
    evening.play(2)
    before = evening.night.version
    evening.play(5)
    assert evening.night.version == before
    for act in (
        lambda: queue(evening, "One"),
        lambda: evening.night.pause(True),
        lambda: evening.night.controls.mute(True),
        lambda: evening.session.tell("hello"),
        lambda: evening.night.settings(crossfade_s=1.0),
    ):
        act()
        evening.play(1)
        assert evening.night.version > before
        before = evening.night.version
    assert evening.night.state()["messages"][0]["text"] == "hello"


def test_what_is_shown_holds_no_path(evening: Evening) -> None:
    queue(evening, "One", "Two")
    evening.play(2)
    shown = [evening.night.state(), evening.night.pulse(), evening.night.controls.layout(), evening.night.search("")]
    assert str(evening.folder) not in str(shown)
    assert ".wav" not in str(shown)


def test_the_clock_says_what_is_heard_how_old_that_is_and_how_fast_it_runs(evening: Evening) -> None:
    queue(evening, "One")
    evening.play(10)
    entry = evening.night.state()["now"]["entry"]
    clock = evening.night.pulse()["clock"]
    assert (clock["entry"], clock["rate"], clock["age_s"]) == (entry, 1.0, 0.0)
    assert clock["heard_s"] == evening.session.source["position_s"]
    evening.night.change(entry, ADA, tempo=80)
    assert evening.night.pulse()["clock"]["rate"] == 0.8
    evening.night.pause(True)
    assert evening.night.pulse()["clock"]["rate"] == 0.0


class FakeVoices:
    def __init__(self) -> None:
        self.notes: deque[str] = deque()
        self.there: set[Path] = set()
        self.wanted: list[str] = []

    def find(self, song: Path) -> Path | None:
        return song.with_suffix(".flac") if song in self.there else None

    def tick(self, wanted: Sequence[Path]) -> None:
        self.wanted = [path.stem for path in wanted]


def test_voices_of_the_next_songs_are_separated_ahead_and_loaded_when_they_are_there(evening: Evening) -> None:
    voices = FakeVoices()
    evening.night.close()
    evening.night = Night(
        evening.library, evening.queue, evening.memory, evening.session, recordings=evening.folder,
        midi_path=evening.folder / "midi.json", voices=voices, clock=evening.session.clock,
    )  # fmt: skip
    queue(evening, "One", "Two", "Three")
    evening.play(3)
    assert voices.wanted == ["Bob - Two", "Cid - Three"]
    assert "voice" not in evening.session.loaded
    voices.there.add(evening.library.folder / "Bob - Two.wav")
    voices.notes.append(f"{evening.library.folder / 'Cid - Three.wav'}: no voice")
    evening.play(3)
    assert evening.session.loaded["voice"].endswith("Bob - Two.flac")
    assert evening.session.source["loaded"] == 2
    assert evening.night.state()["messages"][0]["text"] == "Cid - Three.wav: no voice"


def test_unknown_songs_and_entries_are_refused(evening: Evening) -> None:
    with pytest.raises(LibraryError):
        evening.night.add("0" * 16, "Ada", ADA)
    with pytest.raises(LibraryError):
        evening.night.cover("../../etc/passwd")
    with pytest.raises(QueueError):
        evening.night.change(99, HOST, key=1)


def test_the_thread_runs_the_evening_and_ends_with_it(evening: Evening) -> None:
    import time

    queue(evening, "One")
    evening.night.start()
    ends = time.monotonic() + 10
    while not evening.now and time.monotonic() < ends:
        time.sleep(0.01)
    assert evening.now == "One"
    evening.night.close()
    evening.night.close()
