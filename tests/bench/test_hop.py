from pathlib import Path

import numpy as np

from rtkaraoke.bench.hop import BACK_TO_BACK, PACED, measure
from rtkaraoke.bench.machine import describe_machine, describe_revision, describe_versions
from rtkaraoke.masks.centre import CentreNetwork


def test_every_hop_of_every_stage_is_timed() -> None:
    timings = measure(CentreNetwork(), 48_000, n_hops=50)
    assert timings.hop_ms == 1e3 * 279 / 48_000
    assert set(timings.whole) == {BACK_TO_BACK, PACED}
    assert "inference" in timings.stages
    for times in (*timings.stages.values(), *timings.whole.values()):
        assert times.wall_ms.shape == times.cpu_ms.shape == (50,)
        assert np.all(times.wall_ms > 0)
        assert np.all(times.cpu_ms >= 0)


def test_a_figure_knows_its_machine_versions_and_revision(root: Path) -> None:
    machine = describe_machine()
    assert machine["cpu"]
    assert int(machine["cores"]) >= 1
    assert "numpy" in describe_versions()
    revision = describe_revision(root)
    assert revision == "unknown" or int(revision.rstrip("+"), 16) >= 0
    assert describe_revision(root / "no such folder") == "unknown"
