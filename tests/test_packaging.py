"""What is installed, and what is promised about importing it."""

import importlib
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import rtkaraoke

HEAVY = ("torch", "numba", "onnxruntime", "sounddevice", "rtmixer", "scipy", "matplotlib", "pydantic", "av")


def in_a_new_interpreter(program: str) -> str:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_importing_the_package_loads_nothing_heavy() -> None:
    program = f"import sys, rtkaraoke; print([name for name in {HEAVY} if name in sys.modules])"
    assert in_a_new_interpreter(program) == "[]"


def test_running_the_engine_loads_neither_torch_nor_a_sound_library() -> None:
    program = (
        "import sys\n"
        "from rtkaraoke import load_model, music_engine\n"
        "music_engine(load_model('centre')).prepare(44_100, 2, 256)\n"
        "print([name for name in ('torch', 'sounddevice', 'rtmixer', 'matplotlib') if name in sys.modules])"
    )
    assert in_a_new_interpreter(program) == "[]"


@pytest.mark.parametrize("order", ["public names first", "modules first"])
def test_public_names_are_what_they_are_called_in_whatever_order_modules_load(order: str) -> None:
    first = "import rtkaraoke.engine, rtkaraoke.cli.render, rtkaraoke.masks.models" if "modules" in order else ""
    program = f"""
{first}
from rtkaraoke import Engine, RtkaraokeError, load_model, music_engine, render, render_array
for function in (load_model, music_engine, render, render_array):
    assert callable(function), function
assert issubclass(RtkaraokeError, Exception) and isinstance(Engine, type)
from rtkaraoke import render as again
assert again is render
"""
    in_a_new_interpreter(program)


def test_every_public_name_is_there_and_others_are_refused() -> None:
    for name in rtkaraoke.__all__:
        assert getattr(rtkaraoke, name) is not None
    assert set(dir(rtkaraoke)) >= set(rtkaraoke.__all__)
    with pytest.raises(AttributeError, match="no attribute 'sing'"):
        getattr(rtkaraoke, "sing")  # noqa: B009


def test_version_and_entry_point_agree_with_the_project_file(root: Path) -> None:
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert rtkaraoke.__version__ == project["version"]
    module, _, name = project["scripts"]["rtkaraoke"].partition(":")
    assert callable(getattr(importlib.import_module(module), name))


def test_the_wheel_holds_presets_networks_types_and_licence(root: Path, tmp_path: Path) -> None:
    pytest.importorskip("hatchling", reason="hatchling builds the wheel (extra dev)")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    done = subprocess.run(build, cwd=root, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        held = set(archive.namelist())
    presets = {f"rtkaraoke/configs/{path.relative_to(root / 'configs')}" for path in (root / "configs").rglob("*.toml")}
    weights = root / "rtkaraoke" / "masks" / "weights"
    networks = {f"rtkaraoke/masks/weights/{path.name}" for path in weights.glob("*.onnx")}
    code = {str(path.relative_to(root)) for path in (root / "rtkaraoke").rglob("*.py")}
    assert presets
    assert networks
    assert held >= presets | networks | code | {"rtkaraoke/py.typed"}
    assert any(name.endswith("/licenses/LICENSE") for name in held)
    assert not [name for name in held if name.startswith(("tests/", "benchmarks/", "docs/"))]
