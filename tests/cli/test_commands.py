"""Every command does what it says, and what looks odd but is no mistake works."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from rtkaraoke.cli.render import default_target
from rtkaraoke.config import preset_files
from tests.cli.conftest import Run
from tests.support import interrupted, networks

CENTRE = ("--model", "centre")
ROOT = Path(__file__).parents[2]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    place = tmp_path / "music"
    place.mkdir()
    monkeypatch.chdir(place)
    return place


def song(path: Path, n_samples: int = 4_000, rate: int = 44_100, n_channels: int = 2) -> np.ndarray:
    sound = 0.1 * np.random.default_rng(1).standard_normal((n_samples, n_channels)).astype(np.float32)
    soundfile.write(path, sound, rate, subtype="FLOAT" if path.suffix == ".wav" else None)
    return sound


def program(*argv: str, cwd: Path, **more: object) -> subprocess.Popen[str]:
    environment = interrupted.environment() | {"PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [sys.executable, "-m", "rtkaraoke", *argv],
        cwd=cwd, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more,
    )  # fmt: skip


class TestRender:
    def test_names_the_result_after_the_song(self, folder: Path, run: Run) -> None:
        song(folder / "song.wav")
        answer = run("render", "song.wav", *CENTRE)
        assert answer.code == 0
        assert answer.out.startswith("song (no voice).wav  (")
        assert soundfile.info("song (no voice).wav").frames == 4_000

    @pytest.mark.parametrize(
        ("name", "stem", "expected"),
        [
            ("a/song.mp3", "music", "a/song (no voice).mp3"),
            ("song.FLAC", "voice", "song (voice).FLAC"),
            ("song.m4a", "music", "song (no voice).flac"),
            ("film.of.1999.mkv", "music", "film.of.1999 (no voice).flac"),
            ("song", "music", "song (no voice).flac"),
        ],
    )
    def test_keeps_formats_that_can_be_written(self, name: str, stem: str, expected: str) -> None:
        assert default_target(Path(name), stem) == Path(expected)

    def test_both_sides_add_up_to_the_song(self, folder: Path, run: Run) -> None:
        sound = song(folder / "song.wav")
        assert run("render", "song.wav", "music.wav", *CENTRE).code == 0
        assert run("render", "song.wav", "voice.wav", "--stem", "voice", *CENTRE).code == 0
        music, voice = (soundfile.read(name, dtype="float32")[0] for name in ("music.wav", "voice.wav"))
        np.testing.assert_allclose(music + voice, sound, atol=1e-5)

    def test_the_voice_untouched_is_the_song_itself(self, folder: Path, run: Run) -> None:
        sound = song(folder / "song.wav")
        assert run("render", "song.wav", "same.wav", "--vocals", "0", *CENTRE).code == 0
        np.testing.assert_array_equal(soundfile.read("same.wav", dtype="float32")[0], sound)

    def test_removed_is_the_default_in_three_spellings(self, folder: Path, run: Run) -> None:
        song(folder / "song.wav")
        for name, options in {"a.wav": (), "b.wav": ("--vocals", "-inf"), "c.wav": ("--vocals=-90",)}.items():
            assert run("render", "song.wav", name, *options, *CENTRE).code == 0
        assert len({soundfile.read(name)[0].tobytes() for name in ("a.wav", "b.wav", "c.wav")}) == 1

    def test_into_a_folder(self, folder: Path, run: Run) -> None:
        song(folder / "song.wav")
        (folder / "out").mkdir()
        assert run("render", "song.wav", "out", *CENTRE).code == 0
        assert (folder / "out" / "song (no voice).wav").is_file()

    def test_overwrites_only_by_force(self, folder: Path, run: Run) -> None:
        song(folder / "song.wav")
        (folder / "out.wav").write_text("precious")
        assert run("render", "song.wav", "out.wav", *CENTRE).code == 2
        assert (folder / "out.wav").read_text() == "precious"
        assert run("render", "song.wav", "out.wav", "--force", *CENTRE).code == 0
        assert soundfile.info("out.wav").frames == 4_000

    def test_a_folder_becomes_a_folder(self, folder: Path, run: Run) -> None:
        (folder / "album" / "side b").mkdir(parents=True)
        song(folder / "album" / "one.wav")
        song(folder / "album" / "side b" / "two.flac")
        (folder / "album" / "cover.jpg").write_bytes(b"a picture")
        answer = run("render", "album", *CENTRE)
        assert answer.code == 0
        out = folder / "album (no voice)"
        assert {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()} == {
            "one.wav",
            str(Path("side b/two.flac")),
        }

    def test_shows_its_progress_in_a_terminal(self, folder: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        (folder / "album").mkdir()
        song(folder / "album" / "a song with a name that is longer than any bar has room for.wav", 50_000)
        song(folder / "album" / "b.wav")
        monkeypatch.setenv("FORCE_COLOR", "1")
        answer = run("render", "album", *CENTRE)
        assert answer.code == 0
        assert "2/2 b.wav" in answer.err
        assert "100 %" in answer.err

    def test_answers_in_json(self, folder: Path, run: Run) -> None:
        song(folder / "song.wav")
        answer = run("render", "song.wav", "--json", *CENTRE)
        report = json.loads(answer.out)
        assert report["target"] == "song (no voice).wav"
        assert (report["n_samples"], report["sample_rate"], report["latency"]) == (4_000, 44_100, 512)

    def test_settings_reach_the_engine(self, folder: Path, run: Run) -> None:
        song(folder / "song.wav")
        (folder / "quiet.toml").write_text(
            "[engine]\nmusic = ['vocal_remover', 'gain']\n[plugins]\ngain.level = -20\nvocal_remover.vocals = 0\n"
        )
        assert run("render", "song.wav", "quiet.wav", "--preset", "quiet.toml", *CENTRE).code == 0
        loud, quiet = (soundfile.read(name)[0] for name in ("song.wav", "quiet.wav"))
        np.testing.assert_allclose(quiet[1000:], 0.1 * loud[1000:], atol=1e-6)
        options = ("--preset", "quiet.toml", "--set", "gain.level=-inf")
        assert run("render", "song.wav", "silent.wav", *options, *CENTRE).code == 0
        assert not soundfile.read("silent.wav")[0][1000:].any()

    def test_a_name_that_looks_like_an_option(self, folder: Path, run: Run) -> None:
        song(folder / "-song.wav")
        assert run("render", *CENTRE, "--", "-song.wav").code == 0

    @pytest.mark.parametrize(
        ("n_samples", "rate", "n_channels", "level"),
        [
            (1, 44_100, 2, 1.0),
            (1, 44_100, 1, 1.0),
            (4_000, 44_100, 2, 0.0),
            (4_000, 8_000, 1, 1.0),
            (4_000, 22_050, 6, 1.0),
        ],
        ids=["one sample", "one sample mono", "silence", "8 kHz", "six channels"],
    )
    def test_what_looks_odd_but_is_no_mistake(
        self, folder: Path, run: Run, n_samples: int, rate: int, n_channels: int, level: float
    ) -> None:
        sound = song(folder / "song.wav", n_samples, rate, n_channels)
        soundfile.write("song.wav", level * sound, rate, subtype="FLOAT")
        answer = run("render", "song.wav", "out.wav", *CENTRE)
        assert answer.code == 0
        info = soundfile.info("out.wav")
        assert (info.frames, info.samplerate, info.channels) == (n_samples, rate, n_channels)
        assert ("front pair" in answer.err) == (n_channels > 2)
        if level == 0.0:
            assert not soundfile.read("out.wav")[0].any()


class TestNetworks:
    def test_terms_of_use_are_said_once(self, folder: Path, run: Run) -> None:
        song(folder / "song.wav")
        networks.constant_mask(folder / "net.onnx", non_commercial=True, training_data="somebody's songs")
        options = ("render", "song.wav", "--model", "net.onnx", "--provider", "cpu", "--force")
        assert "non-commercial" in run(*options).err
        assert "non-commercial" not in run(*options).err

    def test_what_cannot_be_remembered_is_said_again(self, folder: Path, run: Run, user: Path) -> None:
        song(folder / "song.wav")
        networks.constant_mask(folder / "net.onnx", non_commercial=True)
        user.rmdir()
        user.write_text("not a folder")
        for _ in range(2):
            assert "non-commercial" in run("render", "song.wav", "--model", "net.onnx", "--force").err

    def test_models_are_listed_with_what_one_must_know(self, run: Run) -> None:
        listed = {entry["name"]: entry for entry in json.loads(run("models", "--json").out)}
        assert listed["centre"]["path"] is None
        assert listed["live"]["geometry"]["sample_rate"] == 44_100
        table = run("models").out
        assert "live" in table
        assert "11.6 ms" in table


class TestSettings:
    def test_presets_are_listed(self, run: Run) -> None:
        listed = {entry["name"]: entry for entry in json.loads(run("presets", "--json").out)}
        assert set(listed) == set(preset_files())
        text = run("presets").out
        for name, entry in listed.items():
            assert name in text
            assert entry["description"] in text

    def test_the_effective_settings_name_their_origins(self, run: Run) -> None:
        options = ("--preset", "low-latency", "--vocals", "-12", "--set", "limiter.release=50", *CENTRE)
        shown = json.loads(run("config", "show", "--json", *options).out)
        assert shown["live.prefill"] == {"value": 256, "origin": "preset low-latency.toml:8"}
        assert shown["plugins.vocal_remover.vocals"] == {"value": -12.0, "origin": "option --vocals"}
        assert shown["plugins.limiter.release"] == {"value": 50.0, "origin": "option --set limiter.release"}
        assert shown["plugins.vocal_remover.strength"] == {"value": 1.0, "origin": "network centre"}
        assert shown["plugins.vocal_remover.fallback"] == {"value": "mixture", "origin": "default"}
        options = (*options, "--set", "limiter.preset=headroom")
        shown = json.loads(run("config", "show", "--json", *options).out)
        assert shown["plugins.limiter.ceiling"]["origin"] == "option --set limiter.preset"
        assert shown["plugins.limiter.release"] == {"value": 50.0, "origin": "option --set limiter.release"}
        lines = run("config", "show", *options).out.splitlines()
        assert any(line.split() == ["live.prefill", "256", "preset", "low-latency.toml:8"] for line in lines)


class TestMachine:
    def test_doctor_names_every_part(self, run: Run) -> None:
        answer = run("doctor")
        for part in ("Python", "packages", "sound cards", "real time", "GPU", "kernels", "networks"):
            assert part in answer.out
        findings = json.loads(run("doctor", "--json").out)
        assert {finding["state"] for finding in findings} <= {"ok", "warn", "fail"}
        assert answer.code == (2 if any(finding["state"] == "fail" for finding in findings) else 0)

    def test_doctor_says_the_way_out(self, run: Run, card, monkeypatch: pytest.MonkeyPatch) -> None:
        card("missing")
        monkeypatch.setattr("rtkaraoke.cli.doctor._version", lambda name: "" if name == "soxr" else "1.0")
        monkeypatch.setattr("rtkaraoke.live.priority.realtime_allowed", lambda: False)
        monkeypatch.setattr("rtkaraoke.masks.onnx.shipped_models", dict)
        monkeypatch.setattr("rtkaraoke.masks.providers.cuda_problem", lambda: "cuDNN is missing")
        monkeypatch.setattr("rtkaraoke.masks.providers.driver_problem", lambda: None)
        findings = {finding["what"]: finding for finding in json.loads(run("doctor", "--json").out)}
        assert findings["sound cards"]["state"] == "warn"
        assert "apt-get install libportaudio2" in findings["sound cards"]["detail"]
        assert findings["packages"]["state"] == "warn"  # the last word: both builds of onnxruntime
        assert findings["real time"]["state"] == "warn"
        assert findings["GPU"]["state"] == "warn"
        assert findings["networks"]["state"] == "fail"
        assert run("doctor").code == 2

    @pytest.mark.parametrize("kind", ["none", "busy"])
    def test_devices_are_listed(self, run: Run, card, kind: str) -> None:
        card(kind)
        listed = json.loads(run("devices", "--json").out)
        assert [device["name"] for device in listed] == ([] if kind == "none" else ["Card", "Monitor of Card"])
        assert ("Card" if listed else "no sound device") in run("devices").out


class TestDemo:
    def test_of_a_song(self, folder: Path, run: Run) -> None:
        song(folder / "song.wav", 20_000)
        answer = run("demo", "song.wav", *CENTRE)
        assert answer.code == 0
        names = {path.name for path in (folder / "demo").iterdir()}
        assert names == {"mixture.wav", "voice_removed.wav", "voice_alone.wav", "spectrograms.png"}
        assert all(name in answer.out for name in names)
        assert run("demo", "song.wav", *CENTRE).code == 2
        report = json.loads(run("demo", "song.wav", "--force", "--json", *CENTRE).out)
        assert report["network"] == "centre"


class TestProgram:
    def test_without_a_command_it_shows_the_way(self, run: Run) -> None:
        for argv in ((), ("--help",)):
            answer = run(*argv)
            assert answer.code == 0
            assert "rtkaraoke demo" in answer.out
        assert run("--version").out.strip()

    @pytest.mark.parametrize("command", ["render", "play", "live", "demo", "config", "doctor", "models", "devices"])
    def test_every_command_explains_itself(self, run: Run, command: str) -> None:
        answer = run(command, "--help")
        assert answer.code == 0
        assert command in answer.out

    def test_help_loads_nothing_heavy(self) -> None:
        heavy = ("numpy", "numba", "onnxruntime", "pydantic", "scipy", "torch", "matplotlib", "sounddevice")
        code = (
            "import sys; from rtkaraoke.cli import main; main(['--help'])\n"
            f"sys.stderr.write(str([name for name in {heavy} if name in sys.modules]))"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
        assert done.stderr == "[]"

    def test_the_process_that_controls_live_sound_stays_light(self) -> None:
        heavy = ("numba", "onnxruntime", "scipy", "soundfile", "sounddevice", "matplotlib")
        code = (
            "import sys; from rtkaraoke.cli import build, watch; from rtkaraoke.config import load\n"
            "build.live_session(load('live'))\n"
            f"sys.stderr.write(str([name for name in {heavy} if name in sys.modules]))"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
        assert done.stderr == "[]"

    def test_training_without_its_packages_names_the_extra(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        def missing(name: str) -> None:
            raise ModuleNotFoundError(f"No module named {name!r}", name="torch")

        monkeypatch.setattr("rtkaraoke.cli.training.import_module", missing)
        answer = run("train", "recipe.toml")
        assert answer.code == 2
        assert "pip install 'rtkaraoke[train]'" in answer.err

    @pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
    @pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
    def test_stopped_in_the_middle_it_leaves_nothing(self, folder: Path, number: int, code: int) -> None:
        soundfile.write(folder / "long.wav", np.zeros((20 * 60 * 16_000, 2), np.int16), 16_000)
        running = program("render", "long.wav", "out.flac", *CENTRE, cwd=folder)
        until = time.monotonic() + 30
        while not list(folder.glob(".*.part")) and time.monotonic() < until:
            time.sleep(0.02)
        running.send_signal(number)
        out, err = running.communicate(timeout=20)
        assert (running.returncode, out, err) == (code, "", "")
        assert [path.name for path in folder.iterdir()] == ["long.wav"]

    @pytest.mark.skipif(sys.platform == "win32", reason="pipes of POSIX")
    def test_a_closed_pipe_is_no_mistake(self, folder: Path) -> None:
        running = program("config", "show", *CENTRE, cwd=folder)
        assert running.stdout is not None
        assert running.stderr is not None
        running.stdout.close()
        assert running.stderr.read() == ""
        running.stderr.close()
        assert running.wait(20) == 0
