import pytest

from rtkaraoke.bench.compare import compare
from rtkaraoke.bench.report import Figure, Report
from rtkaraoke.errors import RtkaraokeError
from tests.bench import reports


def report(**figures: Figure) -> dict:
    return Report("hop", "Time of a hop", {}, figures).to_dict()


def verdicts(before: dict, after: dict) -> dict[str, object]:
    (table,) = compare(before, after).tables
    return {str(row[0]): row[-1] for row in table.rows}


def test_a_difference_counts_when_it_is_more_than_the_noise_of_both() -> None:
    before = report(a_ms=Figure(10, 9, 11), b_ms=Figure(10, 9, 11), c_db=Figure(5, 4.9, 5.1, "higher"))
    after = report(a_ms=Figure(11.3, 10.3, 12.3), b_ms=Figure(12, 11, 13), c_db=Figure(6, 5.9, 6.1, "higher"))
    assert verdicts(before, after) == {"a_ms": "the same", "b_ms": "worse", "c_db": "better"}
    assert verdicts(after, before) == {"a_ms": "the same", "b_ms": "better", "c_db": "worse"}


def test_the_sides_that_face_each_other_count() -> None:
    before = report(a_ms=Figure(10, 9.9, 20))
    assert verdicts(before, report(a_ms=Figure(9, 0, 9.1))) == {"a_ms": "better"}
    assert verdicts(before, report(a_ms=Figure(11, 10.9, 11.1))) == {"a_ms": "the same"}


def test_what_has_no_interval_is_not_judged_and_what_has_no_better_is_other() -> None:
    before = report(max_ms=Figure(10), level_db=Figure(-3, -3.1, -2.9, ""))
    after = report(max_ms=Figure(30), level_db=Figure(-9, -9.1, -8.9, ""))
    assert verdicts(before, after) == {"max_ms": "not judged", "level_db": "other"}


def test_a_slower_run_is_worse_and_the_worst_comes_first() -> None:
    found = compare(reports.hop().to_dict(), reports.hop(1, 1.2).to_dict())
    rows = found.tables[0].rows
    assert rows[0][-1] == "worse"
    assert found.figures["compare.worse_count"].value >= 6
    assert found.figures["compare.better_count"].value == 0
    assert "worse" in found.notes[0]


def test_two_runs_of_the_same_work_differ_by_chance_alone() -> None:
    found = compare(reports.hop(1).to_dict(), reports.hop(2).to_dict())
    judged = found.figures["compare.worse_count"].value + found.figures["compare.better_count"].value
    assert judged <= 2


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(RtkaraokeError, match="compare two of one kind"):
        compare(reports.hop().to_dict(), reports.soak().to_dict())
    with pytest.raises(RtkaraokeError, match="no figure in common"):
        compare(report(a_ms=Figure(1)), report(b_ms=Figure(1)))


def test_what_only_one_has_and_other_machines_are_named() -> None:
    before, after = report(a_ms=Figure(1), b_ms=Figure(1)), report(a_ms=Figure(1))
    after["machine"] = after["machine"] | {"cpu": "another"}
    notes = " ".join(compare(before, after).notes)
    assert "only in before: b_ms" in notes
    assert "→ another" in notes
