"""Documents stay true: figures come from the benchmarks, links lead somewhere, rules on size hold."""

import importlib
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from rtkaraoke.cli.app import app
from rtkaraoke.files import AudioWriter
from rtkaraoke.geometry import StftGeometry

LINK = re.compile(r"\]\((?!https?:|#|mailto:)([^)#]+)(?:#[^)]*)?\)")


def documents(root: Path) -> list[Path]:
    return [
        *root.glob("*.md"),
        *(root / "docs").rglob("*.md"),
        *(root / "benchmarks").glob("*.md"),
        *(root / "rtkaraoke" / "masks").rglob("*.md"),
    ]


def test_links_between_documents_lead_somewhere(root: Path) -> None:
    broken = [
        f"{document.relative_to(root)}: {target}"
        for document in documents(root)
        for target in LINK.findall(document.read_text(encoding="utf-8"))
        if not (document.parent / target).exists()
    ]
    assert not broken


def test_figures_in_readme_and_results_are_those_of_the_benchmarks(root: Path) -> None:
    check = [sys.executable, str(root / "benchmarks" / "report.py"), "--check"]
    environment = os.environ | {"PYTHONPATH": str(root)}
    done = subprocess.run(check, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_marked_places_are_filled_and_ask_for_what_there_is(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A place in a document that the report does not know, or with a row that no table has, would go unnoticed."""
    monkeypatch.syspath_prepend(root / "benchmarks")
    report = importlib.import_module("report")
    marked = {path for path in documents(root) if report.PLACE.search(path.read_text(encoding="utf-8"))}
    assert marked <= set(report.DOCUMENTS)
    results = (root / "benchmarks" / "results").glob("*.json")
    rows = {
        f"{path.stem}/{table.key}": {str(row[0]) for row in table.rows}
        for path in results
        for table in report.load(path)[1]
    }
    places = [place for path in marked for place in report.PLACE.finditer(path.read_text(encoding="utf-8"))]
    unknown = {
        place["key"]: missing
        for place in places
        if place["rows"] and place["key"] in rows
        if (missing := {name.strip() for name in place["rows"].split(",")} - rows[place["key"]])
    }
    assert not unknown


@pytest.mark.parametrize("document", ["README.md", "docs/latency.md"])
def test_latency_tables_say_what_the_geometry_says(root: Path, document: str) -> None:
    text = (root / document).read_text(encoding="utf-8")
    reference = StftGeometry(44_100, 2048, 256)
    expected = {rate: reference.at_rate(rate).latency for rate in (16_000, 32_000, 44_100, 48_000, 88_200, 96_000)}
    if document == "README.md":
        cells = re.search(r"\| algorithm, samples \|(.*)\|", text)
        assert cells
        assert [int(cell) for cell in cells[1].split("|")] == list(expected.values())
    else:
        for rate, latency in expected.items():
            geometry = reference.at_rate(rate)
            row = f"| {rate // 1000} {rate % 1000:03} | {geometry.hop} | {geometry.n_fft} | {latency} |"
            assert row in text


def test_contributing_is_short_enough_to_be_read(root: Path) -> None:
    assert len((root / "CONTRIBUTING.md").read_text(encoding="utf-8").splitlines()) < 80


def test_no_document_or_source_names_a_path_of_somebodys_machine(root: Path) -> None:
    if shutil.which("git") is None or not (root / ".git").exists():
        pytest.skip("not a git checkout")
    pattern = r"/(home|root|Users|work)/[A-Za-z]"
    found = subprocess.run(
        ["git", "-C", str(root), "grep", "-nE", pattern, "--", "*.py", "*.md", "*.toml", "*.json", "*.sh"],
        capture_output=True,
        text=True,
        timeout=60,
    ).stdout.splitlines()
    assert not [line for line in found if "tests/test_docs.py" not in line]


def code_blocks(root: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (root / "README.md").read_text(encoding="utf-8"), re.DOTALL)


def test_every_command_in_the_readme_is_one(root: Path) -> None:
    lines = [line.partition("  #")[0] for block in code_blocks(root, "sh") for line in block.splitlines()]
    commands = [line[line.index("rtkaraoke ") :] for line in lines if "rtkaraoke " in line]
    assert len(commands) > 5
    for command in commands:
        app.parse_args(shlex.split(command)[1:], exit_on_error=False, print_error=False)
    for script in ("scripts/demo", "scripts/test"):
        assert any(line.startswith(script) for line in lines)
        assert os.access(root / script, os.X_OK)


def test_the_python_in_the_readme_runs(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (program,) = code_blocks(root, "python")
    tone = np.sin(np.arange(44_100) / 10).astype(np.float32)
    with AudioWriter(tmp_path / "song.mp3", 44_100, 2) as writer:
        writer.write(0.1 * np.stack([tone, tone]))
    monkeypatch.chdir(tmp_path)
    exec(compile(program, "README.md", "exec"), {})
    assert (tmp_path / "karaoke.flac").stat().st_size > 0
