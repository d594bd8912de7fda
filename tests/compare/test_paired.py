"""Two arms on identical prompts."""

import math

import pytest

from steady.compare.paired import compare_arms, compare_cell, compare_quality
from steady.metrics.files import plain, rounded
from steady.metrics.measures import SENSITIVITY
from steady.metrics.statistics import mcnemar


def plain_cell(*arguments):
    return plain(compare_cell(*arguments))


def plain_quality(*arguments):
    return plain(compare_quality(*arguments))


@pytest.fixture
def run(make_run):
    return make_run()


def test_quality_by_hand(run, results_of, testing):
    # of 60 rows control misses every fourth (15), tuned every twelfth (5): 10 won, none lost
    control, tuned = results_of(run, ["control", "tuned"]).arms
    found = plain_quality(control.test, tuned.test, testing)
    accuracy = found["measures"]["accuracy"]
    assert (found["rows"], found["won"], found["lost"]) == (60, 10, 0)
    assert (accuracy["from"], accuracy["to"]) == (0.75, 55 / 60)
    assert accuracy["difference"]["value"] == pytest.approx(10 / 60)
    assert accuracy["relative_reduction"]["value"] == pytest.approx(2 / 3)
    assert accuracy["p"] == mcnemar(10, 0) == 2 / 1024
    assert accuracy["difference"]["interval"][0] > 0
    assert accuracy["smallest_detectable"] == pytest.approx(0.14, abs=0.02)


def test_the_rows_won_and_lost_are_named(run, results_of, testing):
    control, tuned = results_of(run, ["control", "tuned"]).arms
    found = plain_quality(control.test, tuned.test, testing)
    assert found["won_prompts"][:2] == ["e4:canonical", "e8:canonical"]
    back = plain_quality(tuned.test, control.test, testing)
    assert (back["lost_prompts"], back["won_prompts"]) == (found["won_prompts"], [])


def test_sensitivity_by_hand(run, results_of, testing):
    # 24 groups, L2 has four wordings; baseline misses two of them in the 18 groups where control answers the same
    baseline, control = results_of(run, ["baseline", "control"]).arms
    cell = plain_cell(baseline.cells["L2", "spelling"], control.cells["L2", "spelling"], testing)
    agreement, accuracy = cell["measures"]["agreement"], cell["measures"]["mean_accuracy"]
    assert (cell["n_groups"], cell["n_wordings"]) == (24, 4)
    assert agreement["from"] == pytest.approx((18 * 2 + 6 * 6) / (24 * 6))
    assert agreement["to"] == 1.0
    assert agreement["relative_reduction"]["value"] == 1.0
    assert (accuracy["from"], accuracy["to"]) == (0.375, 0.75)
    assert agreement["p"] == pytest.approx(1 / 201)
    assert cell["measures"]["worst_wording_accuracy"]["p"] == pytest.approx(1 / 201)
    assert cell["measures"]["spread"]["difference"]["value"] == pytest.approx(-0.75)


def test_an_arm_against_itself_shows_nothing(run, results_of, testing):
    (tuned,) = results_of(run, ["tuned"]).arms
    cell = plain_cell(tuned.cells["L2", "all"], tuned.cells["L2", "all"], testing)
    for name in (row.name for row in SENSITIVITY):
        assert cell["measures"][name]["difference"]["value"] == 0
        assert cell["measures"][name]["p"] in (None, 1.0) or math.isnan(cell["measures"][name]["p"])
    quality = plain_quality(tuned.test, tuned.test, testing)
    assert quality["measures"]["accuracy"]["p"] == 1.0


def test_a_reduction_from_no_disagreement_is_null(run, results_of, testing):
    control, tuned = results_of(run, ["control", "tuned"]).arms
    cell = rounded(plain_cell(control.cells["L2", "all"], tuned.cells["L2", "all"], testing))
    assert cell["measures"]["agreement"]["relative_reduction"] == {"value": None, "interval": None}


def test_a_step_has_every_cell_with_its_noise_floor_and_is_exploratory(run, results_of, testing):
    baseline, tuned = results_of(run, ["baseline", "tuned"]).arms
    step = plain(compare_arms(baseline, tuned, tuned.formatted.cells, testing))
    assert (step["from"], step["to"], step["status"]) == ("baseline", "tuned", "exploratory")
    assert list(step["levels"]) == ["L0", "L1", "L2"]
    assert list(step["levels"]["L2"]) == ["all", "spelling"]
    assert list(step["levels"]["L2"]["all"]["measures"]) == [row.name for row in SENSITIVITY]
    # the two bad wordings of the baseline fall into one half for a third of the splits
    assert step["levels"]["L2"]["all"]["noise_floor"]["mean_accuracy"] == 0.75
    assert step["held_out"]["n_wordings"] == 6


def test_a_level_without_groups_is_null(run, results_of, testing):
    baseline, tuned = results_of(run, ["baseline", "tuned"]).arms
    cell = rounded(plain_cell(baseline.cells["L0", "all"], tuned.cells["L0", "all"], testing))
    assert cell["n_groups"] == 0
    assert cell["measures"]["agreement"]["p"] is None
    assert cell["measures"]["worst_wording_accuracy"]["p"] is None
