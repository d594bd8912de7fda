"""When too much is rejected, and what is written then."""

import json
from pathlib import Path

import pytest

from steady.errors import SteadyError


def rows(good: int, bad: int) -> list[dict[str, str]]:
    return [{"text": f"text {n}", "label": "ab"[n % 2]} for n in range(good)] + [{"text": "", "label": "a"}] * bad


def test_a_count_and_a_share_of_rejected_rows_may_be_allowed(write, run) -> None:
    sources = [{"path": write("a.jsonl", rows(18, 2)), "format": "text-label"}]
    for allowed in (2, 0.1):
        assert run(sources, max_rejected=allowed, near_duplicate_threshold=None).metrics["rows"]["rejected"] == 2
    for allowed in (1, 0.09):
        with pytest.raises(SteadyError, match=r"2 of 20 rows are rejected and `data.max_rejected` allows"):
            run(sources, max_rejected=allowed, near_duplicate_threshold=None)


def test_the_file_of_rejected_rows_is_written_when_the_stage_stops(write, run, tmp_path: Path) -> None:
    with pytest.raises(SteadyError):
        run([{"path": write("a.jsonl", rows(5, 1500)), "format": "text-label"}])
    lines = (tmp_path / "out/rejected.jsonl").read_text().splitlines()
    assert len(lines) == 1500 and json.loads(lines[0])["line"] == 6
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["rejected.jsonl"]


def test_a_thousand_findings_are_listed_and_the_rest_counted(write, run) -> None:
    with pytest.raises(SteadyError) as error:
        run([{"path": write("a.jsonl", rows(5, 1500)), "format": "text-label"}])
    assert str(error.value).count("empty_text") == 1000 and "… and 500 more findings, all in" in str(error.value)


def test_a_file_that_cannot_be_read_stops_the_stage_whatever_is_allowed_and_hides_no_other_fault(write, run) -> None:
    sources = [
        {"path": write("a.jsonl", rows(20, 1)), "format": "text-label"},
        {"path": "nowhere/b.jsonl", "format": "text-label"},
        {"path": write("c.jsonl", []), "format": "text-label"},
    ]
    with pytest.raises(SteadyError) as error:
        run(sources, max_rejected=1.0)
    assert all(
        code in str(error.value) for code in ("empty_text", "nowhere/b.jsonl:1: missing_file", "c.jsonl:1: empty_file")
    )


def test_rows_that_contradict_each_other_are_left_out_where_a_source_says_so(write, run) -> None:
    twice = [{"text": "one text", "label": label} for label in "ab"]
    source = {"path": write("a.jsonl", rows(18, 0) + twice), "format": "text-label"}
    with pytest.raises(SteadyError, match="2 of 20 rows are rejected"):
        run([source], near_duplicate_threshold=None)
    found = run([source | {"leave_out": ["conflicting_labels"]}], near_duplicate_threshold=None)
    assert found.metrics["left_out"] == {"conflicting_labels": 2} and found.metrics["rows"]["rejected"] == 0
    assert len(found.all()) == 18
