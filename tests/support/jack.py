"""A JACK server for tests of a true PortAudio stream; where there can be none, the test is skipped."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from rtkaraoke.bench import jack
from rtkaraoke.bench.jack import JackServer
from rtkaraoke.errors import LiveError

__all__ = ["JackServer", "jack_server", "start_server"]


def start_server(period: int = 128, sample_rate: int = 44_100, name: str = "") -> JackServer:
    """See :func:`rtkaraoke.bench.jack.start_server`."""
    try:
        return jack.start_server(period, sample_rate, name)
    except LiveError as error:
        pytest.skip(str(error))


@contextmanager
def jack_server(period: int = 128, sample_rate: int = 44_100) -> Iterator[JackServer]:
    """A server of its own name for the time of the block."""
    server = start_server(period, sample_rate)
    try:
        yield server
    finally:
        server.stop()
