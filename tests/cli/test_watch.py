"""Riding a live run: keys reach the session, the view shows it, its end and its errors come through."""

import json
from dataclasses import replace

import pytest

from rtkaraoke.cli.controls import Controls
from rtkaraoke.cli.keys import NoKeys, name_of, open_keys
from rtkaraoke.cli.watch import About, watch
from rtkaraoke.errors import DeviceError
from rtkaraoke.live.telemetry import LiveEvent, LiveStatus
from tests.cli.test_view import STATUS

ABOUT = About("live", "in", "out", "centre", song=False)
SONG = About("play", "song", "out", "centre", song=True)


class FakeSession:
    """A session that runs for ``n_polls`` looks at it."""

    def __init__(self, status: LiveStatus = STATUS, n_polls: int = 3, error: Exception | None = None) -> None:
        self.error: Exception | None = None
        self.calls: list[tuple] = []
        self.stopped = 0
        self._status = status
        self._left = n_polls
        self._error = error
        self.news: list[LiveEvent] = []
        self.news_at_the_end: list[LiveEvent] = []

    def start(self) -> LiveStatus:
        return self._status

    def status(self) -> LiveStatus:
        return self._status

    def events(self) -> list[LiveEvent]:
        news, self.news = self.news, []
        return news

    def wait(self, timeout_s: float | None = None) -> bool:
        self._left -= 1
        if self._left < 0:
            self.error = self._error
        return self._left < 0

    def stop(self) -> None:
        self.stopped += 1
        self.news, self.news_at_the_end = self.news + self.news_at_the_end, []

    def set(self, plugin: str, parameter: str, value: float) -> None:
        self.calls.append((plugin, parameter, value))

    def mute(self, muted: bool) -> None:
        self.calls.append(("mute", muted))

    def command(self, name: str, value: float = 0.0) -> None:
        self.calls.append((name, value))


class Typed(NoKeys):
    """Keys from a list; an exception in it is raised."""

    def __init__(self, *keys: str | BaseException) -> None:
        self._keys = list(keys)

    def read(self, timeout_s: float) -> str | None:
        key = self._keys.pop(0) if self._keys else None
        if isinstance(key, BaseException):
            raise key
        return key


def controls(song: bool = True, **parameters: float) -> tuple[Controls, FakeSession]:
    session = FakeSession()
    return Controls(session, parameters, song=song), session


def press(keys: str | list[str], **parameters: float) -> list[tuple]:
    ridden, session = controls(**parameters)
    for key in keys:
        ridden.press(key)
    return [call[1:] if call[0] == "vocal_remover" else call for call in session.calls]


class TestControls:
    def test_the_vocal_level_goes_up_in_steps_and_stops_untouched(self) -> None:
        assert press(["up", "up"], vocals=-90.0) == [("vocals", -36.0), ("vocals", -33.0)]
        assert press(["up", "up"], vocals=-2.0) == [("vocals", 0.0), ("vocals", 0.0)]

    def test_and_down_until_the_voice_is_gone(self) -> None:
        assert press(["down"] * 3, vocals=-33.0) == [("vocals", -36.0), ("vocals", -90.0), ("vocals", -90.0)]

    def test_alpha_and_theta_step_within_their_range(self) -> None:
        assert press("+=-", alpha=0.5) == [("alpha", 0.55), ("alpha", 0.6), ("alpha", 0.55)]
        assert press(".", theta=0.98) == [("theta", 1.0)]
        assert press(",") == [("theta", 0.0)]

    def test_alpha_and_theta_are_in_the_help_of_a_network_made_for_them(self) -> None:
        shown = {name for _, name in Controls(FakeSession(), {"alpha": 0.5, "theta": 0.0}, song=False).help}
        assert "alpha" in shown
        assert "theta" not in shown

    def test_strength_stays_in_its_range(self) -> None:
        assert press("]]", strength=3.95) == [("strength", 4.0), ("strength", 4.0)]
        assert press("[[", strength=0.3) == [("strength", 0.25), ("strength", 0.25)]

    def test_switches_switch(self) -> None:
        assert press("bBs", bypass=1.0) == [("bypass", 0.0), ("bypass", 1.0), ("solo", 1.0)]
        assert press("mm") == [("mute", True), ("mute", False)]

    def test_a_song_can_be_paused_and_skipped(self) -> None:
        assert press([" ", " ", "left", "right"]) == [("pause", 1.0), ("pause", 0.0), ("skip", -10.0), ("skip", 10.0)]

    def test_a_stream_cannot(self) -> None:
        ridden, session = controls(song=False)
        assert not ridden.press(" ")
        assert session.calls == []
        assert "pause" not in dict(ridden.help).values()

    def test_every_key_of_the_help_does_something(self) -> None:
        ridden, _ = controls()
        for key in ("up", "down", "[", "]", "b", "s", "m", " ", "left", "right", "q"):
            assert ridden.press(key)
        assert ridden.ended
        assert not ridden.press("x")


class TestWatch:
    def test_lines_in_a_pipe(self, capsys: pytest.CaptureFixture[str]) -> None:
        session = FakeSession()
        session.news = [LiveEvent("notice", "the weather is fine")]
        watch(session, ABOUT, keys=Typed("up"))
        out, err = capsys.readouterr()
        assert "running" in out
        assert "the weather is fine" in err
        assert "delay the video by 26 ms" in err
        assert session.calls == [("vocal_remover", "vocals", -9.0)]
        assert session.stopped

    def test_json_for_programs(self, capsys: pytest.CaptureFixture[str]) -> None:
        session = FakeSession(replace(STATUS, input_peak_db=(float("-inf"),)))
        session.news = [LiveEvent("lost", "gone")]
        watch(session, ABOUT, json=True, keys=Typed())
        out, err = capsys.readouterr()
        lines = [json.loads(line) for line in out.splitlines()]
        assert {line["kind"] for line in lines} == {"notice", "lost", "status"}
        status = next(line for line in lines if line["kind"] == "status")
        assert status["latency_terms"]["prefill"] == 512
        assert status["input_peak_db"] == ["-inf"]
        assert err == ""

    def test_a_view_in_a_terminal(self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("sys.stdout.isatty", lambda: True)
        session = FakeSession(n_polls=2)
        session.news = [LiveEvent("notice", "a word")]
        watch(session, ABOUT, keys=Typed())
        out = capsys.readouterr().out
        assert "26.1 of 40 ms" in out
        assert "a word" in out

    def test_quit_ends_it(self) -> None:
        session = FakeSession(n_polls=1_000_000)
        watch(session, ABOUT, keys=Typed("q"))
        assert session.stopped

    def test_the_song_s_end_ends_it(self) -> None:
        session = FakeSession(replace(STATUS, source={"position_s": 1.0, "ended": 1.0}), n_polls=1_000_000)
        watch(session, SONG, keys=Typed())
        assert session.stopped

    def test_what_ended_it_comes_through_once(self, capsys: pytest.CaptureFixture[str]) -> None:
        session = FakeSession(n_polls=0, error=DeviceError("the card is gone"))
        session.news_at_the_end = [LiveEvent("lost", "the card is gone")]
        with pytest.raises(DeviceError, match="the card is gone"):
            watch(session, ABOUT, keys=Typed())
        assert "gone" not in capsys.readouterr().err

    def test_what_kept_it_from_running_comes_with_what_was_said_before(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        session = FakeSession()
        session.news = [LiveEvent("notice", "no permission"), LiveEvent("error", "busy")]

        def refuse() -> LiveStatus:
            raise DeviceError("busy")

        session.start = refuse
        with pytest.raises(DeviceError):
            watch(session, ABOUT, keys=Typed())
        assert capsys.readouterr().err == "no permission\n"
        assert session.stopped

    def test_ctrl_c_stops_the_session(self) -> None:
        session = FakeSession(n_polls=1_000_000)
        with pytest.raises(KeyboardInterrupt):
            watch(session, ABOUT, keys=Typed(KeyboardInterrupt()))
        assert session.stopped

    def test_terms_of_use_are_shown_on_the_first_run_only(self, capsys: pytest.CaptureFixture[str]) -> None:
        for times in (1, 0):
            session = FakeSession()
            session.news = [LiveEvent("notice", "trained on non-commercial data")]
            watch(session, ABOUT, keys=Typed())
            assert capsys.readouterr().err.count("non-commercial") == times


class TestKeys:
    @pytest.mark.parametrize(
        ("sent", "name"),
        [("\x1b[A", "up"), ("\x1bOB", "down"), ("\x1b[C", "right"), ("\x1b[D", "left"), ("\x1b", "escape"),
         ("\r", "enter"), ("q", "q"), (" ", " "), ("\x1b[Z", "unknown")],
    )  # fmt: skip
    def test_names(self, sent: str, name: str) -> None:
        assert name_of(sent) == name

    def test_without_a_terminal_there_are_none(self) -> None:
        with open_keys() as keys:
            assert keys.read(0.0) is None

    def test_from_a_terminal(self) -> None:
        pty = pytest.importorskip("pty")
        termios = pytest.importorskip("termios")
        import os

        from rtkaraoke.cli.keys import TerminalKeys

        controller, terminal = pty.openpty()
        before = termios.tcgetattr(terminal)
        with TerminalKeys(terminal) as keys:
            assert not termios.tcgetattr(terminal)[3] & termios.ICANON
            os.write(controller, b"\x1b[A\x1b[Bq")
            assert [keys.read(1.0) for _ in range(3)] == ["up", "down", "q"]
            assert keys.read(0.0) is None
            os.write(controller, b"\x1b")
            assert keys.read(1.0) == "escape"
        assert termios.tcgetattr(terminal) == before
        os.close(controller)
        os.close(terminal)

    def test_a_terminal_that_went_away_gives_no_keys(self) -> None:
        pytest.importorskip("termios")
        import os
        import pty

        from rtkaraoke.cli.keys import TerminalKeys

        controller, terminal = pty.openpty()
        keys = TerminalKeys(terminal)
        reading, writing = os.pipe()
        os.close(writing)
        keys._descriptor = reading  # at its end
        assert keys.read(0.1) is None
        assert keys.read(0.0) is None
        for descriptor in (controller, terminal, reading):
            os.close(descriptor)
