"""The combining of runs, what is kept of them, and the truth: JACK's dummy driver, whose round trip is one period."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from rtkaraoke.bench.iodelay import jack_iodelay
from rtkaraoke.dsp.probe import Answer, CalibrationError, make_probes
from rtkaraoke.errors import LiveError
from rtkaraoke.live import measured
from rtkaraoke.live.calibrate import Schedule, agree, check_time, find_in
from rtkaraoke.live.devices import Choice
from rtkaraoke.live.measured import Measured, Pair
from rtkaraoke.live.rtmixer_backend import _declare_measured
from tests.support.jack import jack_server

RATE = 44_100
PAIR = Pair("Line (Card)", "Headphones (Card)", "ALSA", RATE, 128)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("XDG_STATE_HOME", "LOCALAPPDATA", "HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    return tmp_path


@pytest.fixture(scope="module")
def schedule() -> Schedule:
    return Schedule(make_probes(2, RATE, order=12, seed=1), RATE, longest_s=0.1)


def refusal(call, *arguments) -> CalibrationError:
    with pytest.raises(CalibrationError) as caught:
        call(*arguments)
    return caught.value


def test_the_figure_is_the_mean_of_the_runs_with_its_interval() -> None:
    delay, half_width = agree([[100.0, 100.2], [100.3, 100.3], [99.9, 100.1]], RATE)
    assert delay == pytest.approx(100.1333, abs=1e-3)
    assert half_width == pytest.approx(4.303 * np.std([100.1, 100.3, 100.0], ddof=1) / 3**0.5, rel=1e-3)


def test_no_interval_is_narrower_than_what_can_be_resolved() -> None:
    assert agree([[64.0, 64.0], [64.0, 64.0]], RATE) == (64.0, 0.001)
    assert agree([[64.0]], RATE) == (64.0, 0.001)


def test_a_delay_that_moves_while_the_stream_runs_is_refused() -> None:
    assert refusal(agree, [[100.0, 101.0], [100.0, 100.0]], RATE).kind == "lost samples"


def test_a_delay_that_is_another_at_every_start_is_refused_with_all_of_them() -> None:
    error = refusal(agree, [[441.0, 441.0], [882.0, 882.0]], RATE)
    assert error.kind == "varying"
    assert "10.00, 20.00 ms" in error.reason


def test_an_answer_before_the_question_is_refused() -> None:
    terms = {"prefill": 512, "device in": 0, "device out": 128}
    check_time(Answer(512.0, 0.0, 1, 50.0), terms, RATE)
    assert refusal(check_time, Answer(500.0, 0.0, 1, 50.0), terms, RATE).kind == "too early"


@pytest.mark.parametrize("delay", [0, 1234, 4410])
def test_every_probe_is_found_at_its_own_place(schedule: Schedule, delay: int) -> None:
    recorded = np.concatenate([np.zeros(delay, np.float32), schedule.signal])[: len(schedule.signal)]
    assert [round(find_in(schedule, recorded, number).delay, 3) for number in range(2)] == [delay, delay]


def test_an_answer_later_than_the_longest_delay_is_refused_with_its_time(schedule: Schedule) -> None:
    recorded = np.concatenate([np.zeros(6615, np.float32), schedule.signal])[: len(schedule.signal)]
    error = refusal(find_in, schedule, recorded, 0)
    assert error.kind == "too late"
    assert "150 ms, later than the 100 ms" in error.reason
    assert "--longest 250" in error.reason


def test_a_delay_of_just_one_probe_and_pause_is_not_taken_for_none(schedule: Schedule) -> None:
    step = schedule.starts[1] - schedule.starts[0]
    recorded = np.concatenate([np.zeros(step, np.float32), schedule.signal])[: len(schedule.signal)]
    assert refusal(find_in, schedule, recorded, 1).kind in ("noise", "other signal")


def test_what_was_measured_holds_for_its_devices_rate_block_and_declaration() -> None:
    measured.save(PAIR, Measured(1, 300.4, 0.1, 256))
    measured.save(PAIR, Measured(2, 310.0, 0.1, 256))  # a microphone farther away
    assert measured.round_trip(PAIR, 256) == 300
    assert measured.round_trip(PAIR, 512) is None
    assert measured.round_trip(Pair(PAIR.input, PAIR.output, PAIR.system, 48_000, PAIR.block), 256) is None
    measured.save(PAIR, Measured(1, 290.0, 0.1, 256))
    assert measured.round_trip(PAIR, 256) == 290


class Device:
    """What a driver declares."""

    sample_rate, latency_in, latency_out = RATE, 100, 156


@pytest.mark.parametrize(("round_trip", "terms"), [(300.4, (100, 200)), (90.0, (90, 0)), (None, (100, 156))])
def test_what_was_measured_is_declared_in_place_of_the_drivers_word(round_trip, terms) -> None:
    choice = Choice(0, 0, PAIR.input, PAIR.output, PAIR.system, RATE, False)
    if round_trip is not None:
        measured.save(PAIR, Measured(1, round_trip, 0.1, 256))
    device = Device()
    _declare_measured(device, choice, PAIR.block)
    assert (device.latency_in, device.latency_out) == terms


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{", '{"KEY": 3}', '{"KEY": {"1": {"round_trip_samples": "x", "declared_samples": 256}}}', "\xff",
     '{"KEY": {"1": {"round_trip_samples": -5, "declared_samples": 256}, "2": [], "3": {}}}',
     '{"KEY": {"1": {"round_trip_samples": 1e99, "declared_samples": 256}}}'],
)  # fmt: skip
def test_a_damaged_file_is_as_none(text: str) -> None:
    measured.path().parent.mkdir(parents=True)
    measured.path().write_text(text.replace("KEY", PAIR.key), encoding="latin-1")
    assert measured.round_trip(PAIR, 256) is None


def test_a_folder_that_cannot_be_written_is_said(home: Path) -> None:
    (home / "rtkaraoke").write_text("a file, where a folder should be")
    with pytest.raises(LiveError, match=r"calibration.json: cannot be written"):
        measured.save(PAIR, Measured(1, 300.0, 0.1, 256))


def loopback(server, home: Path, *argv: object) -> tuple[int, dict, str]:
    """``rtkaraoke bench loopback`` in a process that begins after the server and ends before it."""
    root = Path(__file__).resolve().parents[2]
    command = [sys.executable, "-m", "rtkaraoke", "bench", "loopback", "--json", "--output", "loopback", "--input"]
    command += ["loopback", "--runs", "1", "--probes", "2", "--order", "12", "--longest", "150"]
    done = subprocess.run(
        [*command, *map(str, argv)],
        env=server.environment | {"PYTHONPATH": str(root), "XDG_STATE_HOME": str(home), "HOME": os.environ["HOME"]},
        capture_output=True, text=True, timeout=90,
    )  # fmt: skip
    return done.returncode, json.loads(done.stdout) if done.stdout else {}, done.stderr


jack = pytest.mark.skipif(sys.platform != "linux", reason="JACK's dummy driver is for Linux")
MATRIX = [(128, 44_100), (256, 48_000), (512, 96_000), (1024, 44_100)]


@pytest.mark.jack
@jack
@pytest.mark.parametrize(("period", "rate"), MATRIX)
def test_the_figure_is_the_known_truth_and_that_of_jack_iodelay(home: Path, period: int, rate: int) -> None:
    with jack_server(period, rate) as server:
        code, report, said = loopback(server, home, "--prefill", max(2048, 2 * period))
        assert code == 0, said
        device = report["figures"]["loopback.1.device_samples"]
        assert abs(device["value"] - period) < 0.1
        assert device["low"] <= period <= device["high"]
        try:
            judged = jack_iodelay(server, n_readings=2)
        except LiveError as error:
            pytest.skip(str(error))
    assert all(abs(device["value"] - reading) < 0.1 for reading in judged)


@pytest.mark.jack
@jack
def test_a_jack_connect_that_never_ends_is_not_waited_for(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It hangs where the server's word that the ports are connected gets lost."""
    with jack_server(512) as server:
        true = shutil.which("jack_connect")
        (home / "jack_connect").write_text(f'#!/bin/sh\n{true} "$@"\nexec sleep 600\n')
        (home / "jack_connect").chmod(0o755)
        monkeypatch.setenv("PATH", str(home), prepend=os.pathsep)
        try:
            judged = jack_iodelay(server, n_readings=1)
        except LiveError as error:
            pytest.skip(str(error))
    assert judged == pytest.approx([512], abs=0.1)


@pytest.fixture(scope="module")
def server():
    with jack_server(512) as running:
        yield running


@pytest.mark.jack
@jack
def test_through_the_engine_it_is_what_live_declares(server, home: Path) -> None:
    code, report, said = loopback(server, home, "--engine", "--model", "centre", "--prefill", 2048)
    assert code == 0, said
    figures = report["figures"]
    assert figures["loopback.1.round_trip_samples"]["value"] == pytest.approx(512 + 2048 + 512, abs=0.1)
    assert figures["loopback.1.declared_samples"]["value"] == 512 + 2048 + 512


@pytest.mark.jack
@jack
def test_an_input_that_is_not_connected_is_refused_and_the_other_one_measured(server, home: Path) -> None:
    code, report, said = loopback(server, home, "--channels", "1", "--channels-in", "2,1", "--prefill", 2048)
    assert code == 2
    assert "channel 2" in said
    assert "zeros only" in said
    assert list(report["figures"]) == [name for name in report["figures"] if name.startswith("loopback.1.")]


@pytest.mark.jack
@jack
def test_the_channel_of_a_microphone_of_a_preset_is_measured_alone(server, home: Path) -> None:
    argv = ("--preset", "night", "--channels", "3", "--channels-in", "3", "--prefill", 2048)
    code, report, said = loopback(server, home, *argv)
    assert code == 0, said
    assert report["figures"]["loopback.3.device_samples"]["value"] == pytest.approx(512, abs=0.1)


@pytest.mark.jack
@jack
def test_a_saved_figure_is_what_the_next_stream_declares(server, home: Path) -> None:
    code, _, said = loopback(server, home, "--prefill", 2048, "--save")
    assert code == 0, said
    (pair,) = json.loads((home / "rtkaraoke" / "calibration.json").read_text(encoding="utf-8")).values()
    assert pair["1"]["round_trip_samples"] == pytest.approx(512, abs=0.1)
    assert pair["1"]["declared_samples"] == 512
