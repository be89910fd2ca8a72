"""Rooms on one batch sound as each would alone."""

import numpy as np
import pytest

from rtkaraoke import load_model, music_engine
from rtkaraoke.errors import RtkaraokeError
from rtkaraoke.rooms import Rooms
from tests.support.networks import stateful_mask

RATE = 44_100
BLOCK = 640
N_BLOCKS = 12


@pytest.fixture
def network(tmp_path):
    return load_model(stateful_mask(tmp_path / "network.onnx"), "cpu")


def sound(seed):
    return np.random.default_rng(seed).uniform(-0.5, 0.5, (2, N_BLOCKS * BLOCK)).astype(np.float32)


def alone(network, signal):
    with music_engine(network) as engine:
        engine.prepare(RATE, 2, signal.shape[1])
        out = np.zeros_like(signal)
        engine.process(signal, out)
    return out


def test_each_room_sounds_as_it_would_alone(network):
    """Rooms come and go in mid-hop: blocks are no multiple of it."""
    stays = {0: range(N_BLOCKS), 1: range(2, N_BLOCKS), 2: range(3, 8), 3: range(8, N_BLOCKS)}
    signals = {guest: sound(guest)[:, : len(stay) * BLOCK] for guest, stay in stays.items()}
    played = {guest: np.zeros_like(signal) for guest, signal in signals.items()}
    with Rooms(network, 3, sample_rate=RATE, max_block=BLOCK) as rooms:
        numbers: dict[int, int] = {}
        for n in range(N_BLOCKS):
            for guest, stay in stays.items():
                if n == stay.stop:
                    rooms.leave(numbers.pop(guest))
            for guest, stay in stays.items():
                if n == stay.start:
                    numbers[guest] = rooms.join()
            places = {
                guest: slice((n - stays[guest].start) * BLOCK, (n - stays[guest].start + 1) * BLOCK)
                for guest in numbers
            }
            blocks = {numbers[guest]: signals[guest][:, place] for guest, place in places.items()}
            rooms.process(blocks, {numbers[guest]: played[guest][:, place] for guest, place in places.items()})
    for guest, signal in signals.items():
        np.testing.assert_allclose(played[guest], alone(network, signal), atol=1e-4, rtol=0)


def test_rooms_in_step_cost_one_run_a_hop(network, monkeypatch):
    with Rooms(network, 2, sample_rate=RATE) as rooms:
        joined = [rooms.join(), rooms.join()]
        runs = []
        batch = rooms.network._batch
        monkeypatch.setattr(batch, "run", lambda run=batch.run: (runs.append(1), run()))
        signal = sound(1)[:, : 8 * rooms.hop]
        rooms.process(
            dict.fromkeys(joined, signal[:, : 4 * rooms.hop]),
            {room: np.zeros((2, 4 * rooms.hop), np.float32) for room in joined},
        )
    assert len(runs) == 3  # the fourth hop's masks are wanted with the next block


def test_more_rooms_than_places_and_rooms_that_are_not_there_are_refused(network):
    with Rooms(network, 1, sample_rate=RATE) as rooms:
        room = rooms.join()
        with pytest.raises(RtkaraokeError, match="all 1 slots"):
            rooms.join()
        rooms.leave(room)
        with pytest.raises(RtkaraokeError, match="no room 0: there are none"):
            rooms.leave(room)
        rooms.join()
