import tomllib
from functools import partial
from pathlib import Path

import pytest

from rtkaraoke.bench import smallest
from rtkaraoke.bench.smallest import Trial, best, devices_report, preset, recommend, write_preset
from rtkaraoke.config import load
from rtkaraoke.errors import LiveError, RtkaraokeError
from rtkaraoke.live.settings import LiveSettings
from tests.bench.reports import TERMS, status, trials
from tests.support import engines

SETTINGS = LiveSettings(input="in", output="out", block=128, prefill=512)


def card(settings: LiveSettings, _factory, seconds: float, _backend, *, least: int, period: int = 0) -> Trial:
    """A card that holds every prefill from ``least`` samples on, and gives blocks of ``period`` whatever is wished."""
    terms = TERMS | {"prefill": settings.prefill}
    xruns = {"underruns": 0 if settings.prefill >= least else 5}
    found = status(latency_terms=terms, xruns=xruns, period=period or settings.block)
    return Trial(settings.block, settings.prefill, seconds, found)


def tried(monkeypatch: pytest.MonkeyPatch, least: int, period: int = 0) -> list[Trial]:
    monkeypatch.setattr(smallest, "try_out", partial(card, least=least, period=period))
    return smallest.smallest(SETTINGS, engines.passthrough, seconds=60.0)


def test_the_smallest_block_and_then_the_smallest_prefill_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    found = tried(monkeypatch, least=400)
    assert [(trial.block, trial.prefill, trial.holds) for trial in found] == [
        (1024, 4096, True), (512, 2048, True), (256, 1024, True), (128, 512, True), (64, 256, False),
        (128, 384, False),
    ]  # fmt: skip
    assert recommend(found) == (128, 512 + 256)


def test_a_card_that_holds_everything_is_tried_to_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    found = tried(monkeypatch, least=0)
    assert (best(found).block, best(found).prefill) == (32, 64)
    assert recommend(found) == (32, 128)


def test_a_server_that_decides_by_itself_is_not_asked_for_less(monkeypatch: pytest.MonkeyPatch) -> None:
    found = tried(monkeypatch, least=0, period=256)
    assert min(trial.block for trial in found) == 128
    assert best(found).prefill == 512
    assert recommend(found) == (256, 512 + 2 * 256)


def test_where_nothing_holds_nothing_is_recommended(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found = tried(monkeypatch, least=100_000)
    assert [trial.holds for trial in found] == [False]
    assert recommend(found) is None
    assert "No block held" in devices_report(found, {}).notes[0]
    with pytest.raises(RtkaraokeError, match="no block held"):
        preset(SETTINGS, found, "live", "")


def test_a_device_that_cannot_be_opened_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smallest, "try_out", lambda *_: Trial(1024, 4096, 0.0, status(), "no such device"))
    with pytest.raises(RtkaraokeError, match="no such device"):
        smallest.smallest(SETTINGS, engines.passthrough, seconds=1.0)


@pytest.mark.parametrize(
    "values",
    [{"xruns": {"underruns": 1}}, {"xruns": {"silent_output": 1}}, {"xruns": {"lost_input": 9}}, {"n_samples": 0},
     {"xruns": {"device_output_underflows": 1}}, {"hops": {"hops": 1000, "late": 2}}],
)  # fmt: skip
def test_a_block_holds_when_nothing_is_lost_and_masks_are_in_time(values: dict) -> None:
    assert Trial(128, 512, 60.0, status()).holds
    assert not Trial(128, 512, 60.0, status(**values)).holds


def test_the_recommendation_is_a_preset_that_loads(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    write_preset(path, preset(SETTINGS, trials(), "live", 'a "description"'))
    config = load(str(path)).config
    assert (config.live.block, config.live.prefill) == (128, 768)
    assert (config.live.input, config.live.output, config.model.name) == ("in", "out", "live")
    assert config.live.sample_rate is None
    assert tomllib.loads(path.read_text(encoding="utf-8"))["description"] == 'a "description"'
    with pytest.raises(RtkaraokeError, match="is there"):
        write_preset(path, "")


@pytest.mark.parametrize(
    ("prefill", "mode"), [(100, "low-latency"), (400, "live"), (513, "streamer"), (9999, "robust")]
)
def test_the_nearest_preset_is_the_first_that_is_long_enough(prefill: int, mode: str) -> None:
    assert smallest.mode(prefill) == mode


def test_a_session_that_does_not_start_is_a_trial_with_a_reason() -> None:
    trial = smallest.try_out(SETTINGS, engines.passthrough, 0.1, RefusingBackend())
    assert not trial.holds
    assert "on fire" in trial.refused


class RefusingBackend:
    name = "refusing"

    def check(self, settings: LiveSettings) -> int:
        raise LiveError("this card is on fire")
