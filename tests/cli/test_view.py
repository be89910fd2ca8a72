"""What is shown while sound runs: complete, readable at 80 columns, and true."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from rtkaraoke.cli.view import Frame, clock, picture, plain_line, vocals_text
from rtkaraoke.live.telemetry import LiveStatus

STATUS = LiveStatus(
    state="running",
    sample_rate=44_100,
    period=128,
    input_peak_db=(-3.2, -9.0),
    input_rms_db=(-15.0, -21.0),
    output_peak_db=(-0.1, -120.0),
    output_rms_db=(-1.0, -120.0),
    latency_terms={"vocal_remover": 512, "limiter": 0, "prefill": 512, "device out": 128},
    latency_budget_ms=40.0,
    load={"p50": 0.12, "p99": 0.31, "p99.9": 0.4, "max": 0.62},
    step_ms={"p50": 0.61, "p99": 0.92, "max": 3.14},
    hops={"hops": 123_456, "late": 3, "skipped": 1, "held": 2, "fallback": 0},
    xruns={"lost_input": 128, "silent_output": 256, "underruns": 4, "overruns": 1},
    realtime=True,
    provider="cpu",
    parameters={"vocal_remover.vocals": -12.0, "vocal_remover.strength": 1.5, "vocal_remover.solo": 1.0},
    source={"position_s": 63.0, "length_s": 205.0, "paused": 1.0},
)
FRAME = Frame("play", "song.flac", "loopback", "live", 754.0, (("↑↓", "vocals"), ("q", "quit")), ("a message",))


def drawn(status: LiveStatus, frame: Frame = FRAME, width: int = 80) -> list[str]:
    console = Console(file=io.StringIO(), width=width, color_system=None)
    console.print(picture(status, frame))
    return console.file.getvalue().splitlines()


def test_everything_that_was_asked_for_is_there() -> None:
    text = "\n".join(drawn(STATUS))
    for fragment in (
        "rtkaraoke play", "song.flac → loopback", "44.1 kHz", "1:03 / 3:25", "-3.2 dB", "-9.0 dB", "silent", "-12 dB",
        "strength 1.50", "26.1 of 40 ms", "remover 11.6", "prefill 11.6", "device out 2.9", "12 / 31 / 62 %",
        "network 0.6 / 0.9 / 3.1 ms", "late 3", "held 2", "xruns 5", "123456 hops", "live on cpu", "12:34",
        "a message", "solo", "pause", "q quit",
    ):  # fmt: skip
        assert fragment.replace(" ", "") in text.replace("\xa0", "").replace(" ", ""), fragment
    assert "limiter" not in text  # a term of nothing


@pytest.mark.parametrize("width", [60, 80, 100, 200])
def test_no_line_is_wider_than_the_terminal_and_the_frame_is_whole(width: int) -> None:
    lines = drawn(STATUS, width=width)
    assert max(map(len, lines)) <= width
    framed = [line for line in lines if line[:1] in "╭│╰"]
    assert len({len(line.rstrip()) for line in framed}) == 1
    assert len(framed[0].rstrip()) == min(width, 100)


def test_it_can_be_drawn_before_anything_is_known() -> None:
    text = "\n".join(drawn(LiveStatus(), Frame("live", "a", "b", "live", 0.0)))
    assert "removed" in text
    assert "0.0 ms" in text


def test_devices_are_named_in_full_once_they_are_known() -> None:
    text = drawn(replace(STATUS, source={}, input="Loopback 1", output="Loopback 2", state="waiting"))[0]
    assert "Loopback 1 → Loopback 2 · 44.1 kHz · waiting" in text


def test_no_real_time_priority_is_told() -> None:
    assert "no real time" in "\n".join(drawn(replace(STATUS, realtime=False)))


def test_a_latency_beyond_the_bar_does_not_break_it() -> None:
    crowded = {f"a term with a long name {n}": 100 * n for n in range(12)}
    lines = drawn(replace(STATUS, latency_terms=crowded, latency_budget_ms=None))
    assert max(map(len, lines)) <= 80


def test_one_line_says_the_same() -> None:
    line = plain_line(STATUS, FRAME)
    assert "\n" not in line
    for fragment in ("12:34 running", "1:03 / 3:25", "in -3.2 dB", "vocals -12 dB", "latency 26.1 ms", "p99 31 %",
                     "late 3", "xruns 5", "solo", "pause"):  # fmt: skip
        assert fragment in line
    assert "in silent" in plain_line(replace(STATUS, input_peak_db=(-90.0,)), FRAME)


def test_late_blocks_of_contained_plugins_are_shown_where_there_are_some() -> None:
    status = replace(STATUS, hops={**STATUS.hops, "chorus.late": 0, "mic1.phaser.late": 7, "mic1.phaser.dry": 90})
    assert "late 3  held 2  fallback 0  mic1.phaser late 7  xruns 5" in plain_line(status, FRAME)
    lines = drawn(status)
    assert max(map(len, lines)) <= 80
    assert "mic1.phaserlate7" in "".join(lines).replace(" ", "")


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (59.9, "0:59"), (3_600, "1:00:00"), (-1, "0:00")])
def test_clock(seconds: float, text: str) -> None:
    assert clock(seconds) == text


@pytest.mark.parametrize(("level", "text"), [(-90.0, "removed"), (0.0, "untouched"), (-12.0, "-12 dB")])
def test_levels_of_the_voice_are_words_at_the_ends(level: float, text: str) -> None:
    assert vocals_text(level) == text
