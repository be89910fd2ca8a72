"""Streams that share their runs: each gets what it would have had alone, whoever else comes, goes or waits."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from rtkaraoke.errors import ModelError
from rtkaraoke.masks.batched import BatchedMask, BatchedNetwork
from rtkaraoke.masks.onnx import load_model
from tests.masks.test_onnx import SIZES, card_network, noise
from tests.support.networks import stateful_mask

RATE = 44_100
N_STEPS = 12


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return stateful_mask(tmp_path_factory.mktemp("batched") / "network.onnx", **SIZES)


def alone(path: Path, spectra: NDArray[np.complex64]) -> NDArray[np.float32]:
    model = load_model(path, "cpu").open(RATE)
    masks = np.zeros(spectra.shape, np.float32)
    for spectrum, mask in zip(spectra, masks, strict=True):
        model.step(spectrum, mask)
    model.close()
    return masks


class Room:
    """A stream in a slot; ``hears`` its next frame, and then fetches its mask."""

    def __init__(self, network: BatchedNetwork, seed: int) -> None:
        self.model = network.open(RATE)
        self.spectra = noise(N_STEPS, seed=seed)
        self.masks = np.zeros(self.spectra.shape, np.float32)
        self.step = 0

    def hear(self) -> None:
        self.model.submit(self.spectra[self.step])

    def fetch(self) -> None:
        assert self.model.collect(self.masks[self.step], 0)
        self.step += 1

    def check(self, path: Path) -> None:
        np.testing.assert_allclose(self.masks[: self.step], alone(path, self.spectra[: self.step]), atol=1e-4, rtol=0)


@settings(max_examples=25, deadline=None)
@given(
    turns=st.lists(st.lists(st.sampled_from(["join", "leave", "hear", "wait"]), min_size=3, max_size=3), max_size=12)
)
def test_each_stream_gets_what_it_would_have_had_alone(path: Path, turns: list[list[str]]) -> None:
    network = BatchedNetwork(load_model(path, "cpu"), 3)
    rooms: list[Room | None] = [None, None, None]
    left: list[Room] = []
    seed = 0
    for turn in turns:
        heard = []
        for place, what in enumerate(turn):
            room = rooms[place]
            if what == "join" and room is None:
                seed += 1
                rooms[place] = Room(network, seed)
            elif what == "leave" and room is not None:
                room.model.close()
                left.append(room)
                rooms[place] = None
            elif what == "hear" and room is not None and room.step < N_STEPS:
                room.hear()
                heard.append(room)
        for room in heard:
            room.fetch()
    for room in (*left, *filter(None, rooms)):
        room.check(path)
    network.close()


def test_one_run_answers_all(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network = BatchedNetwork(load_model(path, "cpu"), 4)
    rooms = [Room(network, seed) for seed in range(4)]
    runs = []
    monkeypatch.setattr(network._batch, "run", lambda run=network._batch.run: (runs.append(1), run()))
    for _ in range(5):
        for room in rooms:
            room.hear()
        for room in rooms:
            room.fetch()
    assert len(runs) == 5
    for room in rooms:
        room.check(path)


def test_a_card_keeps_what_streams_remember_that_are_not_heard(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, network = card_network(path, monkeypatch)
    batched = BatchedNetwork(network, 2)
    first, second = Room(batched, 1), Room(batched, 2)
    for n in range(N_STEPS):
        first.hear()
        if n % 3 == 0:
            second.hear()
            second.fetch()
        first.fetch()
    for room in (first, second):
        room.check(path)
    second.model.close()
    third = Room(batched, 3)
    third.hear()
    third.fetch()
    third.check(path)


def test_nan_in_one_stream_leaves_the_others_alone(path: Path) -> None:
    network = BatchedNetwork(load_model(path, "cpu"), 2)
    good, bad = Room(network, 1), Room(network, 2)
    bad.spectra[3] = np.nan
    for _ in range(N_STEPS):
        for room in (good, bad):
            room.hear()
        for room in (good, bad):
            room.fetch()
    good.check(path)
    np.testing.assert_array_equal(bad.masks[3], bad.masks[2])
    np.testing.assert_allclose(bad.masks[4:], alone(path, bad.spectra[4:]), atol=1e-4, rtol=0)


def test_a_full_batch_says_so_and_a_closed_slot_is_free_again(path: Path) -> None:
    network = BatchedNetwork(load_model(path, "cpu"), 1)
    model = network.open(RATE)
    with pytest.raises(ModelError, match="all 1 slots"):
        network.open(RATE)
    model.close()
    model.close()
    assert network.n_free == 1
    assert isinstance(network.open(48_000), BatchedMask)
    with pytest.raises(ModelError, match="0 slots"):
        BatchedNetwork(load_model(path, "cpu"), 0)
