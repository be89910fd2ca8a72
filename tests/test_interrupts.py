"""Signals wait for the end of a call into a C library."""

import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from rtkaraoke.files.writer import AudioWriter, Sink
from rtkaraoke.interrupts import held_back


@pytest.fixture(autouse=True)
def ending() -> Iterator[None]:
    """SIGINT ends what runs, as ever."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_a_signal_waits_for_the_end_of_the_block() -> None:
    steps = []
    with pytest.raises(KeyboardInterrupt):  # noqa: PT012 - what comes before it is the point
        with held_back():
            signal.raise_signal(signal.SIGINT)
            steps.append("inside")
        steps.append("behind")
    assert steps == ["inside"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_ignored_signal_stays_ignored() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with held_back():
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def test_other_threads_are_left_alone() -> None:
    handlers = []

    def run() -> None:
        with held_back():
            handlers.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert handlers == [signal.default_int_handler]


def test_ctrl_c_while_the_file_is_written_to_ends_the_writing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the callback that libsndfile hands its bytes to, where what is raised would be lost."""
    write = Sink.write

    def interrupted(self: Sink, data: bytes) -> int:
        monkeypatch.setattr(Sink, "write", write)
        signal.raise_signal(signal.SIGINT)
        return write(self, data)

    writer = AudioWriter(tmp_path / "out.wav", 44_100, 2)
    monkeypatch.setattr(Sink, "write", interrupted)
    with pytest.raises(KeyboardInterrupt):
        writer.write(np.zeros((2, 100_000), np.float32))
    assert not list(tmp_path.iterdir())
