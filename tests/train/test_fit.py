"""The training loop: it goes on where it stopped, in any number of processes, and says what does not fit."""

import contextlib
import io
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

torch = pytest.importorskip("torch")
pytest.importorskip("lightning_fabric")

from rtkaraoke.cli import main  # noqa: E402
from rtkaraoke.errors import ConfigError  # noqa: E402
from rtkaraoke.geometry import StftGeometry  # noqa: E402
from rtkaraoke.masks.models import load_model  # noqa: E402
from rtkaraoke.train import fit, runs, validate  # noqa: E402
from rtkaraoke.train.loss import LOSSES  # noqa: E402
from rtkaraoke.train.networks.gru_unet import GruUnet, GruUnetConfig  # noqa: E402
from rtkaraoke.train.stft import TorchStft  # noqa: E402
from rtkaraoke.train.validate import merit  # noqa: E402
from tests.support.training import tiny_recipe  # noqa: E402

pytestmark = pytest.mark.usefixtures("short_validation")


def started(root: Path, recipe: Path, *options: str, **variables: str) -> "subprocess.Popen[bytes]":
    """A training in a process of its own. Its output goes to a file: a killed one leaves workers behind."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(root), **variables}
    with (recipe.parent / "log").open("w") as log:
        command = [sys.executable, "-m", "tests.support.training", str(recipe), *options]
        return subprocess.Popen(command, cwd=root, env=environment, stdout=log, stderr=log)


def in_a_process(root: Path, recipe: Path, *options: str) -> int:
    """The exit code of such a training."""
    return started(root, recipe, *options).wait()


def curve(path: Path) -> list[list[str]]:
    """The rows of a CSV file without their times."""
    lines = path.read_text().splitlines()
    kept = [i for i, name in enumerate(lines[0].split(",")) if name != "seconds_per_step"]
    return [[line.split(",")[i] for i in kept] for line in lines]


def saved(run: Path, name: str = "last.pt") -> dict[str, Any]:
    content: dict[str, Any] = torch.load(run / name, weights_only=True)
    return content


def assert_same_run(first: Path, second: Path) -> None:
    """Two runs that nobody can tell apart: curves, weights, moving average, optimiser."""
    for name in ("loss.csv", "scores.csv"):
        assert curve(first / name) == curve(second / name)
    for name in ("last.pt", "best.pt"):
        one, other = saved(first, name), saved(second, name)
        for content in (one, other):
            del content["recipe"]
        torch.testing.assert_close(one, other, rtol=0, atol=0)


class TestResume:
    @pytest.mark.timeout(600)  # new processes are slow to start on a busy machine
    @pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL here")
    def test_a_killed_run_ends_as_one_that_was_not(self, tmp_path: Path, root: Path) -> None:
        assert in_a_process(root, tiny_recipe(tmp_path, "killed", workers=1), "--kill-at", "5") == -signal.SIGKILL
        assert saved(tmp_path / "killed")["step"] == 4
        assert len(curve(tmp_path / "killed" / "loss.csv")) == 1 + 5
        fit.train(tiny_recipe(tmp_path, "killed", workers=2))
        fit.train(tiny_recipe(tmp_path, "whole"))
        assert_same_run(tmp_path / "killed", tmp_path / "whole")

    def test_so_does_any_optimiser(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def stop(path: Path, row: dict[str, float]) -> None:
            write(path, row)
            if row["step"] == 5 and path.name == fit.LOSSES:
                raise KeyboardInterrupt

        write = fit.append_row
        recipe = tiny_recipe(tmp_path, "stopped", optimiser="adamw")
        monkeypatch.setattr(fit, "append_row", stop)
        with pytest.raises(KeyboardInterrupt):
            fit.train(recipe)
        monkeypatch.setattr(fit, "append_row", write)
        fit.train(recipe)
        fit.train(tiny_recipe(tmp_path, "whole", optimiser="adamw"))
        assert_same_run(tmp_path / "stopped", tmp_path / "whole")

    def test_checkpoints_of_the_first_runs_go_on(self, tmp_path: Path) -> None:
        path = fit.train(tiny_recipe(tmp_path, steps=4))
        content = saved(tmp_path / "run")
        del content["best"]
        torch.save(content, path)
        (path.parent / "best.pt").unlink()
        fit.train(tiny_recipe(tmp_path, steps=8))
        fit.train(tiny_recipe(tmp_path, "whole"))
        assert saved(path.parent)["step"] == 8
        torch.testing.assert_close(saved(path.parent)["network"], saved(tmp_path / "whole")["network"])
        assert (path.parent / "best.pt").is_file()

    def test_a_new_run_begins_with_the_weights_it_names(self, tmp_path: Path) -> None:
        fit.train(tiny_recipe(tmp_path, "first"))
        start = f'start = "{(tmp_path / "first" / "last.pt").as_posix()}"\n'
        second = tiny_recipe(tmp_path, "second")
        second.write_text(start + second.read_text().replace("[network]", "[geometry]\nhop = 128\n[network]\npace = 2"))
        begun = fit.Training(second)
        assert begun.step == 0
        for weights in (begun.plain.state_dict(), begun.average.module.state_dict()):
            torch.testing.assert_close(weights, saved(tmp_path / "first")["average"], rtol=0, atol=0)
        third = tiny_recipe(tmp_path, "third")
        third.write_text(start + third.read_text().replace("hidden = 12", "hidden = 13"))
        with pytest.raises(ConfigError, match="named as `start`, does not fit the recipe"):
            fit.Training(third)

    def test_a_gradient_that_is_not_finite_ends_it(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        recipe = tiny_recipe(tmp_path, steps=2)
        fit.train(recipe)
        before = saved(tmp_path / "run")
        monkeypatch.setattr(fit, "combined_loss", lambda *arguments: arguments[2].sum() * float("nan"))
        assert main(["train", str(tiny_recipe(tmp_path, steps=4))]) == 2
        assert "step 3: the gradient is not finite" in capsys.readouterr().err
        after = saved(tmp_path / "run")
        assert after["step"] == 2
        torch.testing.assert_close(after["network"], before["network"], rtol=0, atol=0)

    def test_a_finished_run_has_nothing_to_do(self, tmp_path: Path) -> None:
        recipe = tiny_recipe(tmp_path, steps=2)
        before = fit.train(recipe).stat().st_mtime_ns
        assert fit.train(recipe).stat().st_mtime_ns == before

    def test_a_fresh_run_forgets_the_earlier_one(self, tmp_path: Path) -> None:
        fit.train(tiny_recipe(tmp_path, steps=4))
        fit.train(tiny_recipe(tmp_path, steps=2), resume=False)
        assert [row[0] for row in curve(tmp_path / "run" / "loss.csv")] == ["step", "1", "2"]
        assert saved(tmp_path / "run")["step"] == saved(tmp_path / "run", "best.pt")["step"] == 2


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("look_ahead", [0, 3])
def test_a_step_reads_no_value(loss: str, look_ahead: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a device that has none, whatever asks for one fails: a GPU would stand still until it is answered."""
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: contextlib.nullcontext())  # knows no such device
    device, geometry = torch.device("meta"), StftGeometry(44_100, 2048, 256, look_ahead)
    network, stft = GruUnet(GruUnetConfig(), geometry).to(device), TorchStft(geometry).to(device)
    optimiser = runs.make_optimiser("muon", network.parameters(), 1e-3, weight_decay=0.01)
    average = torch.optim.swa_utils.AveragedModel(network, avg_fn=fit.moving_average(0.9))
    voice, music = torch.empty(2, 2, 2, 100 * 256, device=device)
    fit.training_loss(network, stft, voice, music, 3, {loss: 1.0}).backward()
    assert torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0).is_meta
    optimiser.step()
    average.update_parameters(network)


@pytest.mark.timeout(600)
def test_two_processes_train_as_one_with_both_batches(tmp_path: Path, root: Path) -> None:
    """Gradients are averaged over gloo, each process hears examples of its own, and only the first one writes."""
    for steps in (2, 4):  # the second goes on where the first one ended
        recipe = tiny_recipe(tmp_path, "two", devices=2, steps=steps)
        code = in_a_process(root, recipe, "--weights", str(tmp_path / "rank"))
        assert code == 0, (tmp_path / "log").read_text()
    first, second = (torch.load(tmp_path / f"rank{i}", weights_only=True) for i in range(2))
    torch.testing.assert_close(first, second, rtol=0, atol=0)
    torch.testing.assert_close(first, saved(tmp_path / "two")["network"], rtol=0, atol=0)
    assert sorted(path.name for path in (tmp_path / "two").iterdir()) == [
        "best.pt", "last.pt", "loss.csv", "scores.csv",
    ]  # fmt: skip

    fit.train(tiny_recipe(tmp_path, "one", batch=4, steps=4))
    two, one = (np.array(curve(tmp_path / run / "loss.csv")[1:], float) for run in ("two", "one"))
    assert two[:, 0].tolist() == [1, 2, 3, 4]
    np.testing.assert_allclose(two, one, rtol=1e-4)
    torch.testing.assert_close(first, saved(tmp_path / "one")["network"], rtol=1e-3, atol=1e-5)


@pytest.mark.timeout(600)
def test_two_machines_train_as_one_with_both_batches(tmp_path: Path, root: Path) -> None:
    """Each has folders of its own; what was trained before lies on the first one alone."""
    folders = [tmp_path / name for name in ("first", "second")]
    for steps in (2, 4):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            meeting = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(probe.getsockname()[1])}
        machines = []
        for rank, folder in enumerate(folders):
            folder.mkdir(exist_ok=True)
            recipe = tiny_recipe(folder, machines=2, steps=steps)
            options = "--weights", str(folder / "rank")
            machines.append(started(root, recipe, *options, NODE_RANK=str(rank), **meeting))
        assert [machine.wait() for machine in machines] == [0, 0], [(f / "log").read_text() for f in folders]
    assert not (folders[1] / "run").exists()
    first, second = (torch.load(folder / f"rank{i}", weights_only=True) for i, folder in enumerate(folders))
    torch.testing.assert_close(first, second, rtol=0, atol=0)

    fit.train(tiny_recipe(tmp_path, "one", batch=4, steps=4))
    two, one = (np.array(curve(run / "loss.csv")[1:], float) for run in (folders[0] / "run", tmp_path / "one"))
    np.testing.assert_allclose(two, one, rtol=1e-4)
    torch.testing.assert_close(first, saved(tmp_path / "one")["network"], rtol=1e-3, atol=1e-5)


def test_the_best_checkpoint_is_kept_and_both_can_be_exported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    figures = iter([2.0, 5.0, 3.0])

    def score(self: object, network: object) -> dict[str, float]:
        value = next(figures)
        return {"voice_sdr": value, "music_sdr": value + 2}

    monkeypatch.setattr(validate.Validation, "score", score)
    fit.train(tiny_recipe(tmp_path, steps=8))
    best, last = saved(tmp_path / "run", "best.pt"), saved(tmp_path / "run")
    assert (best["step"], last["step"]) == (6, 8)
    assert merit(best["scores"]) == best["best"] == last["best"] == 6.0
    for name, step in (("best", 6), ("last", 8)):
        target = tmp_path / f"{name}.onnx"
        assert main(["export", str(tmp_path / "run" / f"{name}.pt"), str(target)]) == 0
        assert load_model(target, "cpu").info.revision.startswith(f"{step}-")


class TestTerminal:
    def test_without_one_there_is_a_line_for_each_validation(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["train", str(tiny_recipe(tmp_path, steps=6))]) == 0
        out, err = capsys.readouterr()
        lines = out.splitlines()
        assert [re.split("[,:]", line)[0] for line in lines[:-1]] == ["doing nothing", "step 3", "step 6"]
        assert all("voice_sdr" in line for line in lines[:-1])
        assert lines[-1] == str(tmp_path / "run" / "last.pt")
        assert err == ""

    def test_on_one_there_is_a_bar(self, monkeypatch: pytest.MonkeyPatch) -> None:
        screen = io.StringIO()
        monkeypatch.setattr(fit, "Console", lambda stderr: Console(file=screen, force_terminal=True, width=100))
        with fit.progress_bar(wanted=True) as bar:
            bar.add_task("training", total=40, completed=13, loss="loss -3.20")
        for part in ("training", "13/40", "loss -3.20", "-:--:--"):
            assert part in screen.getvalue()

    def test_help_tells_what_a_run_leaves(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["train", "--help"]) == 0
        out = capsys.readouterr().out
        for part in ("recipe", "--fresh", "best.pt", "last.pt", "RTKARAOKE_DATA", "smoke.toml"):
            assert part in out


class TestRefusals:
    """Exit code 2, and a message with what was found and the way out."""

    def refused(self, capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
        assert main([str(argument) for argument in arguments]) == 2
        return " ".join(capsys.readouterr().err.split())

    @pytest.mark.parametrize("fault", ["half", "text", "foreign"])
    def test_a_damaged_checkpoint(self, tmp_path: Path, capsys: pytest.CaptureFixture[str], fault: str) -> None:
        recipe = tiny_recipe(tmp_path)
        path = tmp_path / "run" / "last.pt"
        path.parent.mkdir()
        torch.save({"step": 3}, path)
        if fault != "foreign":
            path.write_bytes(path.read_bytes()[:200] if fault == "half" else b"hello")
        for arguments in (("train", recipe), ("export", path, tmp_path / "x.onnx")):
            message = self.refused(capsys, *arguments)
            assert "last.pt" in message
            assert ("lacks" if fault == "foreign" else "damaged") in message

    def test_a_missing_checkpoint(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert "no such file" in self.refused(capsys, "export", tmp_path / "none.pt", tmp_path / "x.onnx")

    @pytest.mark.parametrize(
        ("old", "new", "named"),
        [
            ("hidden = 12", "hidden = 13", "hidden=13"),
            ("muon", "adamw", "adamw"),
            ("[mix]", "[geometry]\nhop = 512\n[mix]", "hop=512"),
        ],
    )
    def test_a_recipe_that_does_not_fit_the_checkpoint(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], old: str, new: str, named: str
    ) -> None:
        recipe = tiny_recipe(tmp_path, steps=2)
        path = fit.train(recipe)
        capsys.readouterr()
        recipe.write_text(recipe.read_text().replace(old, new))
        message = self.refused(capsys, "train", recipe)
        assert "last.pt" in message
        assert named in message
        assert "--fresh" in message
        # the same when the checkpoint's own recipe cannot be read any more
        content = saved(path.parent)
        content["recipe"] = "[network]\nforgotten = 1"
        torch.save(content, path)
        if "hop" not in new:  # weights do not depend on it
            assert "does not fit the recipe" in self.refused(capsys, "train", recipe)
        assert main(["train", str(recipe), "--fresh"]) == 0

    def test_a_missing_data_folder(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("RTKARAOKE_DATA", str(tmp_path / "nowhere"))
        recipe = tiny_recipe(tmp_path)
        recipe.write_text(recipe.read_text().replace('"generated"', '"manifest"'))
        assert "nowhere" in self.refused(capsys, "train", recipe)
        assert not (tmp_path / "run").exists()

    @pytest.mark.parametrize("fault", ["clips.json", "samples.int16", "short"])
    def test_a_damaged_cache(self, tmp_path: Path, capsys: pytest.CaptureFixture[str], fault: str) -> None:
        recipe = tiny_recipe(tmp_path)
        if fault == "clips.json":
            (tmp_path / "cache" / fault).write_text("[{")
        elif fault == "short":
            (tmp_path / "cache" / "samples.int16").write_bytes(bytes(400))
        else:
            (tmp_path / "cache" / fault).unlink()
        message = self.refused(capsys, "train", recipe)
        assert "cache" in message
        assert "delete" in message

    @pytest.mark.parametrize(
        ("old", "new", "named"),
        [
            ("[mix.voices]\nnoise = 1", "[mix.voices]\nnoises = 1", "voices names noises, but the cache holds noise"),
            ('"muon"', '"adam"', "optimiser is 'adam', wanted one of adamw, muon"),
            ('"32-true"', '"31-true"', "31-true"),
            ('"cpu"', '"abacus"', "abacus"),
        ],
    )
    def test_what_cannot_be_trained(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], old: str, new: str, named: str
    ) -> None:
        recipe = tiny_recipe(tmp_path)
        recipe.write_text(recipe.read_text().replace(old, new))
        assert named in self.refused(capsys, "train", recipe)


def test_rows_after_the_checkpoint_are_taken_back(tmp_path: Path) -> None:
    path = tmp_path / "loss.csv"
    for step in (1, 2, 3):
        runs.append_row(path, {"step": step, "loss": -0.5 * step})
    runs.keep_rows(path, 3)
    assert curve(path) == [["step", "loss"], ["1", "-0.5"], ["2", "-1.0"], ["3", "-1.5"]]
    runs.keep_rows(path, 2)
    assert len(curve(path)) == 3
    runs.keep_rows(path, 0)
    assert not path.exists()
