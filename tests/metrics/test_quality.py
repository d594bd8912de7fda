"""Task quality against scikit-learn and by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as reference

from steady.metrics.arm_quality import class_statistic, quality_statistic
from steady.metrics.posix import scaled_logprobs
from steady.metrics.quality import (
    NO_LABEL,
    Answered,
    calibration_gaps,
    class_scores,
    confusion_matrix,
    log_losses,
)
from steady.metrics.resampling import Bootstrap, estimate

CLASSES = 4


def answered(gold, answer, logprobs=None, groups=None, classes=CLASSES):
    gold, answer = np.asarray(gold), np.asarray(answer)
    groups = np.arange(len(gold)) if groups is None else np.asarray(groups)
    return Answered(gold, answer, (gold == answer).astype(float), logprobs, groups, classes)


def values(data):
    once = np.ones((1, data.group_count))
    found = quality_statistic(data)(once) | class_statistic(data)(once)
    return {name: value[0] for name, value in found.items()}


ROWS = st.lists(st.tuples(st.integers(0, 3), st.integers(-1, 3)), min_size=1, max_size=40)


@given(ROWS)
def test_scores_are_those_of_scikit_learn(rows):
    gold, answer = np.array(rows).T
    found = values(answered(gold, answer))
    labels = list(range(CLASSES))
    assert found["accuracy"] == pytest.approx(reference.accuracy_score(gold, answer))
    present = [label for label in labels if label in gold or label in answer]
    for average in ("macro", "weighted"):
        expected = reference.f1_score(gold, answer, labels=present, average=average, zero_division=0)
        assert found[f"{average}_f1"] == pytest.approx(expected)
    theirs = reference.precision_recall_fscore_support(gold, answer, labels=labels, zero_division=0)
    for ours, expected in zip((found["precision"], found["recall"], found["f1"]), theirs, strict=False):
        assert ours == pytest.approx(expected)
    with_none = reference.confusion_matrix(
        gold, np.where(answer == NO_LABEL, CLASSES, answer), labels=[*labels, CLASSES]
    )
    assert (confusion_matrix(gold, answer, CLASSES) == with_none[:CLASSES]).all()


def test_log_loss_is_that_of_scikit_learn():
    generator = np.random.default_rng(0)
    logprobs = scaled_logprobs(generator.normal(size=(50, CLASSES)), 1.0)
    gold = generator.integers(0, CLASSES, 50)
    expected = reference.log_loss(gold, np.exp(logprobs), labels=list(range(CLASSES)))
    assert values(answered(gold, logprobs.argmax(axis=1), logprobs))["log_loss"] == pytest.approx(expected)


def test_an_answer_that_is_no_label_is_wrong_and_has_its_own_column():
    data = answered([0, 1, 1], [0, NO_LABEL, 1], classes=2)
    found = values(data)
    assert found["accuracy"] == pytest.approx(2 / 3)
    assert found["unparsed"] == pytest.approx(1 / 3)
    assert confusion_matrix(data.gold, data.answer, 2).tolist() == [[1, 0, 0], [0, 1, 1]]
    assert found["recall"] == pytest.approx([1.0, 0.5])


def test_calibration_error_by_hand():
    # confidences .9 (right), .9 (wrong), .6 (right): bins (13/15, 14/15] and (8/15, 9/15]
    logprobs = np.log([[0.9, 0.1], [0.9, 0.1], [0.4, 0.6]])
    found = values(answered([0, 1, 1], [0, 0, 1], logprobs, classes=2))
    assert found["expected_calibration_error"] == pytest.approx((abs(1 - 1.8) + abs(1 - 0.6)) / 3)


def test_a_confidence_of_one_has_a_bin():
    gaps = calibration_gaps(np.log(np.array([[1.0, 1e-300]])), np.array([1]))
    assert gaps[0, -1] == pytest.approx(-1.0)


def test_perfectly_calibrated_answers_have_almost_no_calibration_error():
    generator = np.random.default_rng(1)
    logprobs = scaled_logprobs(generator.normal(size=(20_000, 3)), 1.0)
    gold = np.array([generator.choice(3, p=np.exp(row)) for row in logprobs])
    assert values(answered(gold, logprobs.argmax(axis=1), logprobs, classes=3))["expected_calibration_error"] < 0.02


def test_a_probability_of_zero_costs_much_but_not_everything():
    losses = log_losses(np.array([[0.0, -np.inf], [-1000.0, 0.0]]), np.array([1, 0]))
    assert np.isnan(losses[0])
    assert losses[1] == pytest.approx(36.04, abs=0.01)


def test_rows_that_are_not_finite_are_left_out_of_the_log_loss():
    logprobs = np.log([[0.5, 0.5], [0.25, 0.75]])
    logprobs[0, 0] = np.nan
    data = answered([0, 1], [NO_LABEL, 1], logprobs, classes=2)
    found = values(data)
    assert found["log_loss"] == pytest.approx(-np.log(0.75))
    assert found["expected_calibration_error"] == pytest.approx(0.25)
    assert found["accuracy"] == 0.5


def test_without_probabilities_their_measures_are_nan():
    found = values(answered([0, 1], [0, 1], classes=2))
    assert np.isnan([found["log_loss"], found["expected_calibration_error"]]).all()


def test_free_text_has_an_accuracy_and_nothing_else():
    none = np.array([NO_LABEL, NO_LABEL])
    found = values(Answered(none, none, np.array([1.0, 0.0]), None, np.arange(2), 0))
    assert found["accuracy"] == 0.5
    assert np.isnan([found["macro_f1"], found["weighted_f1"], found["unparsed"]]).all()


@given(ROWS, st.integers(0, 2**16))
def test_a_draw_of_groups_equals_repeating_their_rows(rows, seed):
    gold, answer = np.array(rows).T
    groups = np.arange(len(gold)) // 2
    weights = np.random.default_rng(seed).integers(0, 3, groups.max() + 1).astype(float)
    weights[0] += 1
    drawn = quality_statistic(answered(gold, answer, groups=groups))(weights[None])
    repeated = np.repeat(np.arange(len(gold)), weights[groups].astype(int))
    expected = values(answered(gold[repeated], answer[repeated]))
    for name in ("accuracy", "macro_f1", "weighted_f1", "unparsed"):
        assert drawn[name][0] == pytest.approx(expected[name])


def test_groups_of_rows_that_stand_and_fall_together_widen_the_interval():
    right = np.repeat(np.random.default_rng(0).integers(0, 2, 40), 10)
    gold = np.zeros(400, dtype=int)
    how = Bootstrap(1000, 0.95, 0)
    widths = []
    for groups in (np.arange(400), np.arange(400) // 10):
        data = answered(gold, np.where(right, 0, 1), groups=groups, classes=2)
        low, high = estimate(quality_statistic(data), data.group_count, how)["accuracy"].interval
        widths.append(high - low)
    assert widths[1] > 2.5 * widths[0]


def test_scores_of_a_class_that_nobody_has_or_answers_are_zero():
    zero = np.zeros(1)
    assert [float(score[0]) for score in class_scores(zero, zero, zero)] == [0.0, 0.0, 0.0]


def test_the_interval_of_macro_f1_holds_its_value_where_draws_lack_labels():
    gold = np.repeat(np.arange(20), 2)
    answer = np.where(np.arange(40) % 10 < 7, gold, (gold + 1) % 20)
    data = Answered(gold, answer, (gold == answer).astype(float), None, np.arange(40), 20)
    found = estimate(quality_statistic(data), 40, Bootstrap(500, 0.95, 0))["macro_f1"]
    assert found.value == pytest.approx(reference.f1_score(gold, answer, average="macro"))
    assert found.interval[0] < found.value < found.interval[1]
