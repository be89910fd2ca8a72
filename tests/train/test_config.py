"""A recipe is read whole or refused with its file and key."""

from pathlib import Path

import pytest

pytest.importorskip("torch")

from rtkaraoke.errors import ConfigError
from rtkaraoke.train.config import load_config


def written(folder: Path, text: str) -> Path:
    path = folder / "recipe.toml"
    path.write_text('run = "run"\ncache = "cache"\n' + text)
    return path


#: under CC0, MIT, BSD, GPL, CC BY or CC BY-SA
FREE = {
    *("eir", "wfp", "alys", "songs-free", "generated", "cdogs", "opensurge", "pixeldungeon"),
    *("asc", "flare-game", "fretsonfire-songs-muldjord", "hedgewars", "hyperrogue", "lincity-ng", "megaglest", "naev"),
    *("planetblupi-ogg", "singularity", "supertux", "unknown-horizons", "warzone2100", "wesnoth", "widelands"),
}
SHIPPED = [
    *("live", "live-games", "live-taught", "ultra"),
    *("playback", "playback-games", "playback-taught", "playback-formants"),
    *("free", "free-taught"),
]


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_recipes_are_valid(root: Path, name: str) -> None:
    config = load_config(root / "configs" / "train" / f"{name}.toml")
    families = {*config.mix.pairs, *config.mix.voices, *config.mix.musics}
    assert config.card.name == name.partition("-")[0]
    assert "valyriatear" not in families
    assert config.card.non_commercial or families <= FREE


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("steps = 5", "'steps'"),
        ("[fit]\nsteps = 'many'", "fit: steps"),
        ("fit = 5", "fit is 5"),
        ("[network]\nlayers = 3", "network: unknown key 'layers'"),
        ("run = ", "not TOML"),
        ("data = 'internet'", "data is 'internet', wanted one of manifest, generated"),
        ("[fit]\nsteps = [3]", "fit: steps"),
        ("[mix]\nformants = -0.2", "formants is -0.2, wanted 0 to 1"),
        ("[fit]\nsteps = 0", "steps is 0, wanted 1 or more"),
        ("[mix]\nbatch = 0", "batch is 0"),
        ("[fit]\nworkers = -1", "workers is -1"),
        ("[fit]\nloss = 'sdr'", "wanted a table"),
        ("[fit]\nloss = { sdr = 'much' }", "loss: sdr"),
        ("[fit]\nloss = { l1 = 1 }", "unknown key 'l1', wanted one of sdr, ibm"),
        ("[fit]\nloss = { sdr = 0 }", "one above 0"),
        ("[fit]\nloss = { sdr = 1, ibm = -1 }", "from 0 up"),
    ],
)
def test_mistakes_name_file_and_key(tmp_path: Path, text: str, named: str) -> None:
    with pytest.raises(ConfigError, match=named) as caught:
        load_config(written(tmp_path, text))
    assert "recipe.toml" in str(caught.value)


def test_folders_are_required(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text('run = "run"\n')
    with pytest.raises(ConfigError, match="'cache' is missing"):
        load_config(path)


def test_numbers_may_be_whole_where_fractions_are_meant(tmp_path: Path) -> None:
    assert load_config(written(tmp_path, "[mix]\nsegment_s = 3")).mix.segment_s == 3.0


def test_losses_are_weighed_by_name(tmp_path: Path) -> None:
    assert load_config(written(tmp_path, "")).fit.loss == {"sdr": 1.0}
    loss = load_config(written(tmp_path, "[fit]\nloss = { sdr = 1, ibm_weighted = 0.1 }")).fit.loss
    assert loss == {"sdr": 1.0, "ibm_weighted": 0.1}
