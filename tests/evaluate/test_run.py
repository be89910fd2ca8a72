"""A whole evaluation, on miniature data sets: the right songs, the right figures, the right comparisons."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from rtkaraoke.errors import AudioFileError, PluginError, RtkaraokeError
from rtkaraoke.evaluate.baselines import BASELINES, Estimates, do_nothing
from rtkaraoke.evaluate.metrics import energy_db
from rtkaraoke.evaluate.readers import Song, Sources, open_dataset
from rtkaraoke.evaluate.report import FIGURES, Report, SongResult
from rtkaraoke.evaluate.run import evaluate, score, voice_free
from rtkaraoke.evaluate.stability import loop, minute
from rtkaraoke.masks.centre import CentreNetwork
from rtkaraoke.masks.models import load_model
from tests.support import datasets
from tests.support.networks import constant_mask, stateful_mask

LIGHT = [name for name in BASELINES if name != "repet-sim"]  # which is slow to start, and has tests of its own
RATE = 44_100


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    datasets.make_folder(tmp_path / "songs")
    return tmp_path / "songs"


def run(folder: Path, models: Sequence[str | Path] = ("centre",), **more: object) -> Report:
    return evaluate(folder, models, **({"split": "all", "baselines": LIGHT, "bsseval": ()} | more))  # type: ignore[arg-type]


def test_the_table_holds_every_method_and_figure(folder: Path) -> None:
    report = run(folder)
    assert report.methods == ("nothing", "centre", "oracle-binary", "oracle-ratio")
    assert report.n_songs == 3
    assert report.figures == ["voice_sdr", "music_sdr", "removal", "damage", "loss"]
    headings, rows = report.table()
    assert headings == ["method", "voice SDR", "music SDR", "removal", "damage", "loss"]
    assert [row[0] for row in rows] == list(report.methods)
    assert "| nothing |" in report.to_markdown()
    assert rows[0][4] == rows[0][5] == "none"


def test_doing_nothing_agrees_with_the_closed_form(folder: Path) -> None:
    report = run(folder)
    ratios = []
    for song in open_dataset(folder).songs:
        truth = song.load()
        if truth.voice.any():
            ratios.append(energy_db(np.square(truth.voice, dtype=float).sum() / np.square(truth.music).sum()))
    voice, music = report.figure("nothing", "voice_sdr"), report.figure("nothing", "music_sdr")
    assert voice is not None
    assert music is not None
    assert voice.value == pytest.approx(np.median(ratios), abs=1e-3)
    assert music.value == pytest.approx(-np.median(ratios), abs=1e-3)
    assert voice.low <= voice.value <= voice.high


def test_oracles_bound_the_others(folder: Path) -> None:
    report = run(folder)
    by_method = {method: report.figure(method, "music_sdr") for method in report.methods}
    values = {method: figure.value for method, figure in by_method.items() if figure is not None}
    assert max(values, key=lambda method: values[method]) == "oracle-ratio"


def test_models_are_compared_in_pairs(folder: Path, tmp_path: Path) -> None:
    half = constant_mask(tmp_path / "half.onnx", 0.5)
    tenth = constant_mask(tmp_path / "tenth.onnx", 0.1)
    report = run(folder, [half, tenth], baselines=[])
    assert report.methods == report.models == ("half", "tenth")
    removal = report.compare("tenth", "half", "removal")
    assert removal is not None
    # Half of the voice is 6.0 dB less of it, a tenth 0.9 dB.
    assert removal.difference.value == pytest.approx(20 * np.log10(0.5 / 0.9), abs=0.1)
    assert removal.n_better == 0
    loss = report.compare("tenth", "half", "loss")
    assert loss is not None
    assert loss.difference.value == pytest.approx(20 * np.log10(0.1 / 0.5), abs=0.1)
    assert loss.n_better == loss.difference.n_songs == 1
    assert str(loss) in report.to_markdown()
    assert {c.figure for c in report.comparisons()} == set(report.figures)


def test_json_holds_all_of_it(folder: Path) -> None:
    seen = []
    report = run(folder, on_song=lambda i, n, name: seen.append((i, n, name)))
    data = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert set(data["methods"]) == set(report.methods)
    assert data["methods"]["nothing"]["removal"]["value"] == pytest.approx(0.0, abs=1e-6)
    assert len(data["songs"]) == 3 * len(report.methods)
    assert data["notes"] == list(open_dataset(folder).notes)
    assert seen == [(0, 3, "Band"), (1, 3, "Pair"), (2, 3, "Stems")]


def test_classical_protocol_of_mir1k(tmp_path: Path) -> None:
    """Other singers than the training ones, equal energy, BSS-EVAL v3 weighted by length."""
    datasets.make_mir1k(tmp_path)
    report = evaluate(tmp_path, ["centre"], baselines=["nothing", "oracle-ratio"], balance_db=0.0)
    assert report.kind == "mir1k"
    assert {result.song for result in report.results} == {"Ani_1_01", "titon_2_03"}
    nothing = report.figure("nothing", "voice_sdr"), report.figure("nothing", "voice_nsdr")
    assert [figure and figure.value for figure in nothing] == [pytest.approx(0.0, abs=1e-3), pytest.approx(0.0)]
    found = report.figure("oracle-ratio", "voice_nsdr")
    assert found is not None
    assert found.value > 0.5
    assert "voice_sdr_v4" not in report.figures


def test_songs_are_chosen(tmp_path: Path) -> None:
    datasets.make_manifest(tmp_path)
    assert run(tmp_path, split=None).n_songs == 2
    assert run(tmp_path, split="all", n_songs=1).n_songs == 1
    assert run(tmp_path, families=["game"]).figures == ["loss"]
    with pytest.raises(AudioFileError, match="families band, game"):
        run(tmp_path, families=["nobody"])
    with pytest.raises(AudioFileError, match="splits train, valid"):
        run(tmp_path, split="test")


def test_songs_of_one_name_in_two_splits_stay_apart(tmp_path: Path) -> None:
    for seed, split in enumerate(("train", "test")):
        datasets.write(tmp_path / split / "Same" / "vocals.wav", datasets.noise(seed))
        datasets.write(tmp_path / split / "Same" / "accompaniment.wav", datasets.noise(seed + 10))
    report = run(tmp_path, baselines=["nothing"])
    assert {result.song for result in report.results} == {"train/Same", "test/Same"}


def test_songs_are_cut_balanced_and_resampled(tmp_path: Path) -> None:
    datasets.make_ikala(tmp_path)
    report = run(tmp_path, baselines=["nothing"], balance_db=6.0, seconds=0.2, sample_rate=48_000)
    assert report.seconds == pytest.approx(2 * 0.2, abs=1e-3)
    figure = report.figure("nothing", "voice_sdr")
    assert figure is not None
    assert figure.value == pytest.approx(6.0, abs=0.05)
    assert report.settings == {"sample_rate": 48_000, "balance_db": 6.0, "seconds": 0.2}


def test_parameters_are_for_the_models(folder: Path) -> None:
    report = run(folder, parameters={"theta": 1.0}, baselines=["nothing"])
    figure = report.figure("centre", "removal")
    assert figure is not None
    assert figure.value == pytest.approx(0.0, abs=1e-6)
    with pytest.raises(PluginError, match="magic"):
        run(folder, parameters={"magic": 1.0})


def test_what_cannot_be_evaluated_is_said(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(RtkaraokeError, match="v4 and v3"):
        run(folder, bsseval=["v5"])
    with pytest.raises(RtkaraokeError, match="no network"):
        run(folder, [])
    with pytest.raises(RtkaraokeError, match="two networks"):
        run(folder, ["centre", "centre"])


def test_passages_without_voice() -> None:
    voice = np.full((2, 5 * RATE), 0.1, np.float32)
    voice[:, RATE : 3 * RATE] = 1e-6  # two seconds
    voice[:, 4 * RATE : 4 * RATE + RATE // 2] = 0.0  # half a second: a breath
    found = voice_free(voice, RATE)
    assert found.shape == (5 * RATE,)
    assert found[RATE + 1000 : 3 * RATE - 1000].all()
    assert found.sum() == pytest.approx(2 * RATE, abs=2 * 0.02 * RATE)


def test_leak_is_what_is_taken_where_nobody_sings() -> None:
    music = datasets.noise(0, 2, 3 * RATE)
    voice = datasets.noise(1, 2, 3 * RATE)
    voice[:, RATE:] = 0.0
    truth = Sources(voice, music, RATE)
    taken = 0.5 * music
    taken[:, RATE:] = 0.1 * music[:, RATE:]
    figures = score(truth, Estimates(voice + taken, music - taken))
    assert figures["leak"] == pytest.approx(-20.0, abs=0.01)
    assert "leak" not in score(Sources(voice[:, :RATE], music[:, :RATE], RATE), Estimates(*[music[:, :RATE]] * 2))


def test_a_weighted_mean_goes_by_length() -> None:
    results = tuple(
        SongResult("m", f"song {i}", length, {"voice_nsdr": value, "voice_sdr": value})
        for i, (length, value) in enumerate([(10.0, 1.0), (30.0, 5.0), (10.0, 6.0)])
    )
    report = Report("set", "folder", "all", ("m",), ("m",), results)
    weighted, median = report.figure("m", "voice_nsdr"), report.figure("m", "voice_sdr")
    assert weighted is not None
    assert median is not None
    assert weighted.value == pytest.approx(22 / 5)
    assert weighted.low < weighted.value < weighted.high
    assert median.value == 5.0
    assert report.figure("m", "loss") is None
    assert report.compare("m", "nobody", "voice_sdr") is None


def test_every_figure_of_a_song_is_in_the_table() -> None:
    random = np.random.default_rng(0)
    voice, music = random.standard_normal((2, 1, 4_000)).astype(np.float32)
    truth = Sources(voice, music, 2_000)
    found = score(truth, Estimates(voice + 0.1 * music, 0.9 * music), ("v4", "v3"))
    assert set(found) == set(FIGURES) - {"leak", "loss"}
    assert set(score(Sources(voice, 0 * music, 2_000), do_nothing(truth), ("v4",))) == {"voice_sdr"}
    assert set(score(Sources(0 * voice, music, 2_000), do_nothing(truth), ("v4",))) == {"loss"}


def songs() -> list[Song]:
    def load(seed: int, rate: int = RATE) -> Sources:
        return Sources(datasets.noise(seed), datasets.noise(seed + 100), rate)

    return [
        Song("a", "", lambda: load(0)),
        Song("b", "", lambda: load(1, 48_000)),
        Song("c", "", lambda: load(2)),
    ]


def test_a_minute_is_put_together_from_songs_of_one_rate() -> None:
    found = minute(songs(), seconds=0.4)
    assert found.sample_rate == RATE
    assert found.voice.shape == found.music.shape == (2, round(0.4 * RATE))
    np.testing.assert_array_equal(found.voice[:, : datasets.N_SAMPLES], datasets.noise(0))
    np.testing.assert_array_equal(found.music[:, datasets.N_SAMPLES :][:, :100], datasets.noise(102)[:, :100])
    with pytest.raises(AudioFileError, match=r"0\.5 s long"):
        minute(songs(), seconds=1.0)


def test_a_state_that_forgets_scores_every_pass_alike(tmp_path: Path) -> None:
    network = load_model(stateful_mask(tmp_path / "stateful.onnx", smoothing=0.5), "cpu")
    short = Sources(datasets.noise(0), datasets.noise(1), RATE)  # 46.9 hops, of which 46 are used
    found = loop(network, short, n_passes=4)
    assert len(found.scores) == len(found.drift_db) == 4
    assert found.drift_db[1] == -np.inf
    assert found.drift_db[2] < -100
    assert found.drift_db[3] < -30  # the last pass ends in silence, where the second meets the third
    assert found.change_db < 0.01
    assert loop(CentreNetwork(), short, n_passes=4).drift_db[2] == -np.inf


def test_a_state_that_gathers_is_noticed(tmp_path: Path) -> None:
    network = load_model(stateful_mask(tmp_path / "stateful.onnx", smoothing=0.9999, threshold=1.0), "cpu")
    short = Sources(datasets.noise(0), datasets.noise(1), RATE)
    found = loop(network, short, n_passes=4)
    assert found.change_db > 0.1
    assert found.drift_db[2] > -30
