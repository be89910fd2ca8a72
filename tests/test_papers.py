"""The benchmark of both papers runs from training to tables and plots, as small as it can be."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.clips import write_clips

NEEDED = ("torch", "lightning_fabric", "museval", "sklearn")
if missing := [name for name in NEEDED if importlib.util.find_spec(name) is None]:
    pytest.skip(f"not installed: {', '.join(missing)}", allow_module_level=True)


@pytest.mark.slow
@pytest.mark.timeout(900)  # half a minute where nothing else runs
def test_both_papers_in_miniature(root: Path, tmp_path: Path) -> None:
    data = write_clips(tmp_path / "data")
    environment = os.environ | {"PYTHONPATH": str(root), "RTKARAOKE_DATA": str(data), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(root / "benchmarks" / "papers.py"), "--miniature"]
    folders = {"--runs": tmp_path / "runs", "--results": tmp_path / "results", "--plots": tmp_path / "plots"}
    command += [str(part) for pair in folders.items() for part in pair]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=850)
    assert done.returncode == 0, done.stderr
    content = json.loads((tmp_path / "results" / "papers.json").read_text(encoding="utf-8"))
    tables = {table["key"]: table for table in content["tables"]}
    assert set(tables) == {"cost", "all", "curves", "pretraining"}
    rows = {row[0]: row[1:] for row in tables["all"]["rows"]}
    assert rows["do nothing"][0] == rows["do nothing"][3] == 0  # by definition
    for oracle in ("oracle, binary, 2048/512", "oracle, binary, 2048 in 8192/512", "oracle, binary, live"):
        assert rows[oracle][0] > 5
        assert rows[oracle][3] > 5
    assert {path.name for path in (tmp_path / "plots").iterdir()} == {
        "papers-alpha.png",
        "papers-theta.png",
        "papers-look-ahead.png",
        "papers-pre-training.png",
    }
    again = subprocess.run([*command, "--only", "train"], env=environment, capture_output=True, text=True, timeout=300)
    assert "epoch" not in again.stdout  # all of it is trained already
