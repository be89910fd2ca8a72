"""Presets: what is wrong is named by file, line and key; what holds is named by its origin."""

import math
from dataclasses import fields
from pathlib import Path

import pytest

from rtkaraoke.config import Config, LiveConfig, Option, find_preset, leaves, line_of, load, preset_files
from rtkaraoke.errors import ConfigError
from rtkaraoke.live.settings import LiveSettings
from rtkaraoke.masks.models import DEFAULT_MODEL

TEXT = '''# a comment
description = """
two
lines"""

[live]
block = 64   # a small one
prefill = 256

[plugins.vocal_remover]
vocals = -inf
'''


@pytest.fixture
def preset(tmp_path: Path) -> Path:
    path = tmp_path / "mine.toml"
    path.write_text(TEXT)
    return path


def refusal(path: Path, text: str) -> str:
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load(str(path))
    return str(caught.value)


def test_values_come_from_default_then_preset_then_option(preset: Path) -> None:
    effective = load(
        str(preset), {("live", "prefill"): Option("--prefill", 1024), ("live", "output"): Option("-", None)}
    )
    live = effective.config.live
    assert (live.block, live.prefill, live.output) == (64, 1024, None)
    assert effective.config.plugins == {"vocal_remover": {"vocals": -math.inf}}
    assert effective.origins[("live", "block")] == "preset mine.toml:7"
    assert effective.origins[("live", "prefill")] == "option --prefill"
    assert ("live", "output") not in effective.origins


def test_without_a_preset_all_is_default() -> None:
    effective = load()
    assert effective.config == Config()
    assert effective.origins == {}


@pytest.mark.parametrize(
    ("key", "line"),
    [
        (("description",), 2),
        (("live",), 6),
        (("live", "block"), 7),
        (("live", "prefill"), 8),
        (("plugins", "vocal_remover", "vocals"), 11),
        (("no", "such"), 1),
    ],
)
def test_the_line_of_a_key_is_where_it_begins(key: tuple[str, ...], line: int) -> None:
    assert line_of(TEXT, key) == line


def test_lines_are_found_in_dotted_keys_inline_tables_and_long_lists() -> None:
    text = "live.prefill = 512\nmodel = { name = 'live',  provider = 'cpu' }\n\nengine.music = [\n 'gain',\n]\n"
    assert line_of(text, ("live", "prefill")) == 1
    assert line_of(text, ("model", "provider")) == 2
    assert line_of(text, ("engine", "music")) == 4


@pytest.mark.parametrize(
    ("text", "fragments"),
    [
        ("[live]\nblock = = 3", ["line 2, column 9", "TOML"]),
        ('[live]\ninput = "never closed', ["line 2", "TOML"]),
        ("[live]\nblock = 64\nblock = 128", ["line 3", "overwrite"]),
        ("[live]\n\nblok = 64", ["line 3", "live.blok is unknown", "did you mean 'block'?", "prefill"]),
        ("[liv]\n", ["line 1", "liv is unknown", "did you mean 'live'?"]),
        ("[model]\nname = 3", ["line 2", "model.name = 3", "of type string"]),
        ("[live]\nblock = '64'", ["line 2", 'live.block = "64"', "of type integer"]),
        ("[live]\nreconnect = 1", ["line 2", "live.reconnect = 1", "boolean"]),
        ("[live]\nblock = -5", ["line 2", "live.block = -5", "greater than or equal to 16"]),
        ("[live]\nsample_rate = 1000000000", ["live.sample_rate = 1000000000", "less than or equal to 384000"]),
        ("[live]\nlatency_budget_ms = 0", ["latency_budget_ms = 0", "greater than 0"]),
        ("[live]\nlatency_budget_ms = nan", ["latency_budget_ms = NaN", "greater than 0"]),
        ("[live]\nchannels_out = []", ["channels_out = []", "at least 1 item"]),
        ("[live]\nchannels_out = [0, 1]", ["channels_out = 0", "greater than or equal to 1"]),
        ("[model]\nprovider = 'tpu'", ["model.provider", "'auto', 'cpu' or 'cuda'"]),
        ("live = 3", ["line 1", "live = 3", "should be a table"]),
        ("[plugins]\nvocal_remover = 1", ["line 2", "plugins.vocal_remover = 1"]),
        ("[plugins.gain]\nlevel = true", ["line 2", "plugins.gain.level = true"]),
        ("x = 2026-01-01", ["line 1", "x is unknown"]),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, text: str, fragments: list[str]) -> None:
    path = tmp_path / "bad.toml"
    message = refusal(path, text)
    assert str(path) in message
    for fragment in fragments:
        assert fragment in message


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    message = refusal(tmp_path / "bad.toml", "[live]\nblock = -5\nfoo = 1\n[model]\nname = 1")
    assert len(message.splitlines()) == 3


def test_a_mistake_in_an_option_names_the_option() -> None:
    with pytest.raises(ConfigError, match="--block = -5: should be greater than or equal to 16"):
        load(None, {("live", "block"): Option("--block", -5)})


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="byte 0 is not UTF-8"):
        load(str(path))


def test_an_unknown_preset_names_the_nearest_and_all() -> None:
    with pytest.raises(ConfigError, match=r"no preset 'liv' \(did you mean 'live'\?\): there are .*playback"):
        find_preset("liv")
    with pytest.raises(ConfigError, match=r"nowhere/x\.toml: no such preset file"):
        find_preset("nowhere/x.toml")


@pytest.mark.parametrize("name", sorted(preset_files()))
def test_shipped_presets_are_valid_and_described(name: str) -> None:
    config = load(name).config
    assert config.description
    live = config.live
    LiveSettings(**{item.name: getattr(live, item.name) for item in fields(live) if item.name != "reconnect"})


def test_the_named_presets_are_shipped() -> None:
    assert {"live", "playback", "low-latency", "streamer"} <= set(preset_files())


def test_defaults_agree_with_the_parts_they_configure() -> None:
    assert Config().model.name == DEFAULT_MODEL
    settings = LiveSettings()
    for item in fields(LiveConfig):
        if item.name != "reconnect":
            assert getattr(settings, item.name) == getattr(LiveConfig(), item.name), item.name


def test_every_value_has_a_key() -> None:
    keys = [key for key, _ in leaves(load(None, {("plugins", "gain", "level"): Option("--set", -6.0)}).config)]
    assert ("live", "block") in keys
    assert ("plugins", "gain", "level") in keys
    assert len(keys) == len(set(keys))


def test_microphones_sends_outputs_and_their_plugins_are_tables(tmp_path: Path) -> None:
    path = tmp_path / "night.toml"
    path.write_text(
        "[mics.mic1]\nchannels = [1]\nchain = ['gain']\nmax_latency = 128\n[sends.reverb]\nchain = ['gain']\n"
        "[outputs.headphones]\nchannels = [3, 4]\n[plugins.mic1]\nlevel = -3\n[plugins.mic1.gain]\nlevel = -2\n"
    )
    effective = load(str(path))
    assert effective.config.mics["mic1"].chain == ("gain",)
    assert effective.config.mics["mic1"].max_latency == 128
    assert effective.config.outputs["headphones"].chain == ("limiter",)
    assert effective.config.plugins == {"mic1": {"level": -3.0, "gain": {"level": -2.0}}}
    assert effective.origins[("plugins", "mic1", "gain", "level")] == "preset night.toml:12"
    assert (("mics", "mic1", "channels"), (1,)) in list(leaves(effective.config))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[mics.mic1]\nchannels = [1]\ncolour = 3\n", "line 3: mics.mic1.colour is unknown: [mics.mic1] has channels"),
        ("[mics.mic1]\nchain = []\n", "line 1: mics.mic1 lacks 'channels', which has no default"),
        ("[mics.mic1]\nchannels = [0]\n", "line 2: mics.mic1.channels"),
        ("[mics.mic1]\nchannels = []\n", "line 2: mics.mic1.channels"),
        ("[mics.'a.b']\nchannels = [1]\n", "a name of letters, digits and _ was wanted"),
        ("[sends.wet]\nchain = [3]\n", "line 2: sends.wet.chain = 3: should be of type string"),
        ("[outputs.phones]\nchannels = [1, 2, 3]\n", "line 2: outputs.phones.channels"),
        ("[plugins.mic1.gain]\nlevel = [1]\n", "line 2: plugins.mic1.gain.level"),
        ("mics = 3\n", "line 1: mics = 3"),
    ],
)
def test_wrong_tables_of_microphones_name_line_and_key(tmp_path: Path, text: str, words: str) -> None:
    assert words in refusal(tmp_path / "night.toml", text)
