"""Reading what the arms left behind."""

import json

import pytest

from steady.errors import SteadyError


def test_every_arm_is_read_with_its_cells(make_run, results_of):
    found = results_of(make_run(), ["baseline", "control", "tuned"]).arms
    assert [arm.name for arm in found] == ["baseline", "control", "tuned"]
    assert len(found[0].test.prompts) == 60
    assert set(found[0].cells) == {
        ("held_out", "all"),
        ("L0", "all"),
        ("L0", "surface"),
        ("L1", "all"),
        ("L1", "surface"),
        ("L2", "all"),
        ("L2", "spelling"),
    }


def test_predictions_of_other_prompts_are_refused_with_their_file(make_run, results_of):
    run = make_run()
    path = run / "reports/arms/tuned/sensitivity.jsonl"
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[::-1]))
    with pytest.raises(SteadyError, match=r"tuned/sensitivity\.jsonl: line 1: the prediction is for prompt"):
        results_of(run, ["tuned"])


def test_a_missing_arm_is_named(make_run, results_of):
    with pytest.raises(SteadyError, match=r"full/evaluate\.json: no such file"):
        results_of(make_run(), ["baseline", "full"])


def test_arms_with_other_labels_are_refused(make_run, results_of):
    run = make_run()
    path = run / "metrics/arms/tuned/evaluate.json"
    changed = json.loads(path.read_text()) | {"labels": ["dog", "cat", "bird"]}
    path.write_text(json.dumps(changed))
    with pytest.raises(SteadyError, match="labels dog, cat, bird, but baseline has cat, dog, bird"):
        results_of(run, ["baseline", "tuned"])


def test_metric_files_of_an_older_shape_are_refused(make_run, results_of):
    run = make_run()
    (run / "metrics/arms/tuned/sensitivity.json").write_text("{}")
    with pytest.raises(SteadyError, match="missing required field"):
        results_of(run, ["tuned"])
