"""What pages are told of the engine."""

from rtkaraoke.karaoke import shown_state
from rtkaraoke.live.telemetry import LiveStatus


def test_the_late_answers_of_plugins_in_processes_of_their_own_are_shown_by_name() -> None:
    hops = {"hops": 900, "late": 4, "mic1.chorus.late": 2, "mic1.chorus.dry": 9, "reverb.late": 0}
    shown = shown_state.engine(LiveStatus(hops=hops))
    assert (shown["late"], shown["hops"]) == (4, 900)
    assert shown["late_plugins"] == {"mic1.chorus": 2, "reverb": 0}
