"""The one table of measures."""

import numpy as np
import pytest

from steady.compare.claims import ENDPOINTS
from steady.metrics import arm_quality, measures, quality
from steady.metrics.arm_quality import quality_statistic
from steady.metrics.measures import HIGHER, QUALITY, SENSITIVITY, TEXT, QualityMeasure, headlines
from steady.metrics.quality import Answered


@pytest.mark.parametrize("table", [QUALITY, SENSITIVITY, TEXT])
def test_names_and_labels_are_there_once(table):
    for field in ("name", "label"):
        values = [getattr(row, field) for row in table]
        assert len(set(values)) == len(values)


def test_a_test_has_what_it_tests():
    for row in SENSITIVITY:
        assert row.of_wordings or row.of_groups
        assert row.of_groups if row.test == "sign_flip" else True
        assert row.of_wordings if row.test == "swap" else True


def test_what_speaks_for_an_arm_is_shown_and_can_be_claimed_where_it_has_a_test():
    assert [row.name for row in headlines() if row.primary] == [
        "accuracy",
        "worst_wording_accuracy",
        "agreement",
        "posix",
    ]
    for row in headlines():
        assert row.shown != "files"
        assert row.test in (None, "swap") or row.endpoint(str(row.headline)) in ENDPOINTS


def test_a_row_with_its_function_is_measured(monkeypatch):
    errors = QualityMeasure("errors", "errors", HIGHER, "row", lambda counts: 1 - quality.accuracy(counts))
    monkeypatch.setattr(arm_quality, "QUALITY", (*QUALITY, errors))
    data = Answered(np.array([0, 1]), np.array([0, 0]), np.array([1.0, 0.0]), None, np.arange(2), 2)
    assert quality_statistic(data)(np.ones((1, 2)))["errors"] == [0.5]
    assert measures.on_page([errors]) == []
