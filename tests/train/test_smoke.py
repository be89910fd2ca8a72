"""The smoke recipe learns: songs of the package's own, no data folder, a minute."""

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("lightning_fabric")

from rtkaraoke.cli import main  # noqa: E402
from rtkaraoke.geometry import StftGeometry  # noqa: E402
from rtkaraoke.masks.models import load_model  # noqa: E402
from rtkaraoke.train.stft import TorchStft  # noqa: E402
from rtkaraoke.train.validate import Validation  # noqa: E402


@pytest.mark.slow
@pytest.mark.timeout(900)  # a minute where nothing else runs
def test_the_smoke_recipe_beats_doing_nothing_by_five_db_on_songs_it_has_not_heard(
    tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("RTKARAOKE_DATA", str(tmp_path / "nowhere"))
    assert main(["train", str(root / "configs" / "train" / "smoke.toml")]) == 0
    best = tmp_path / "rtkaraoke-runs" / "smoke" / "best.pt"
    nothing = Validation(TorchStft(StftGeometry(44_100, 2048, 256)), "generated").doing_nothing()
    scores = torch.load(best, weights_only=True)["scores"]
    assert scores["voice_sdr"] > nothing["voice_sdr"] + 5
    assert scores["music_sdr"] > nothing["music_sdr"] + 4
    assert main(["export", str(best), str(tmp_path / "smoke.onnx")]) == 0
    assert load_model(tmp_path / "smoke.onnx", "cpu").info.scores == scores
