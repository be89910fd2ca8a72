"""The worked example of docs/plugins.md, installed as a package of its own, found and run."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("hatchling", reason="hatchling builds the example (extra dev)")

PROGRAM = """
import sys
import numpy as np
from rtkaraoke.engine import Engine
from rtkaraoke.plugins.registry import create_plugin, plugin_names

def run(name, signal):
    with Engine([create_plugin(name)]) as engine:
        engine.prepare(44_100, signal.shape[0], 512)
        engine.set("telephone", "drive", 0.0)
        engine.reset()
        out = np.empty_like(signal)
        for start in range(0, signal.shape[1], 500):
            block = np.ascontiguousarray(signal[:, start : start + 500])
            engine.process(block, block)
            out[:, start : start + 500] = block
        return out

if __name__ == "__main__":
    assert "telephone" in plugin_names()
    assert "landline" in create_plugin("telephone").presets
    signal = np.load(sys.argv[1])
    np.savez(sys.argv[2], inside=run("telephone", signal), contained=run("external:telephone", signal))
"""


def test_the_example_is_installed_found_and_runs_in_the_engine_and_contained(root: Path, tmp_path: Path) -> None:
    installed = tmp_path / "installed"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    pip += ["--disable-pip-version-check", "--target", str(installed), str(root / "examples" / "telephone-plugin")]
    done = subprocess.run(pip, capture_output=True, text=True, timeout=100)
    if "No module named pip" in done.stderr:
        pytest.skip("this environment has no pip to install the example with")
    assert done.returncode == 0, done.stderr

    time = np.arange(20_000) / 44_100
    tones = np.stack([0.1 * np.sin(2 * np.pi * pitch * time) for pitch in (60.0, 1000.0)]).astype(np.float32)
    np.save(tmp_path / "in.npy", tones)
    (tmp_path / "program.py").write_text(PROGRAM)
    done = subprocess.run(
        [sys.executable, tmp_path / "program.py", tmp_path / "in.npy", tmp_path / "out.npz"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(root), str(installed)])},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    out = np.load(tmp_path / "out.npz")
    inside, contained = out["inside"], out["contained"]
    low, middle = np.sqrt(np.mean(inside[:, 10_000:] ** 2, axis=1)) / np.sqrt(np.mean(tones[:, 10_000:] ** 2, axis=1))
    assert low < 0.05
    assert 0.9 < middle < 1.5
    assert np.array_equal(contained[:, 128:], inside[:, :-128])
