"""Small networks on one thread: several would spend their time waiting for each other, above all on a busy machine."""

from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    torch = pytest.importorskip("torch")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def short_validation(monkeypatch: pytest.MonkeyPatch) -> None:
    """One held-out song of two seconds, for the time of a test."""
    from rtkaraoke.train import validate
    from tests.support.training import shorten_validation

    for name in ("N_HELD_OUT", "GENERATED_S"):
        monkeypatch.setattr(validate, name, getattr(validate, name))  # so that they are put back
    shorten_validation()
