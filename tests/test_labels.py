"""Answers of one label and of several: written, read, given to a loss, and chosen by probability."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from steady.labels import LabelTask, ambiguous, joined, log_complements, log_sigmoid

SEVERAL = LabelTask(("ads", "bug", "cost"), multi_label=True)
ONE = LabelTask(("ads", "bug", "cost"))


def test_a_set_is_written_in_the_order_of_the_list_and_read_in_any() -> None:
    assert joined(["ads", "cost"]) == "ads, cost" and joined([]) == "none"
    assert SEVERAL.read("cost , ads,ads") == ("ads", "cost")
    assert SEVERAL.read("none") == () and SEVERAL.read("ads, none") is None and SEVERAL.read("") is None


def test_one_label_is_read_as_it_stands() -> None:
    assert (ONE.read("bug"), ONE.read("bug, ads"), ONE.read("none")) == (("bug",), None, None)


def test_the_target_of_a_loss_is_a_number_or_a_row_of_zeros_and_ones() -> None:
    assert ONE.target("bug") == 1
    assert SEVERAL.target("ads, cost") == [1.0, 0.0, 1.0] and SEVERAL.target("none") == [0.0, 0.0, 0.0]
    with pytest.raises(ValueError, match="'dog' is no answer of ads, bug, cost"):
        SEVERAL.target("dog")


def test_labels_that_make_answers_ambiguous_are_named() -> None:
    assert ambiguous(["a", "b, c", "none", "None"]) == ["b, c", "none"]


def test_the_answer_has_every_label_of_probability_one_half_or_more() -> None:
    """Probabilities .9, .5 and .2: P({ads, bug}) = .9 x .5 x .8 = .36."""
    answer, logprob = SEVERAL.answer(np.log([0.9, 0.5, 0.2]))
    assert (answer, np.exp(logprob)) == ("ads, bug", pytest.approx(0.36))
    assert SEVERAL.answer(np.log([0.1, 0.1, 0.1])) == ("none", pytest.approx(3 * np.log(0.9)))


def test_the_answer_of_one_label_is_the_most_probable_one() -> None:
    assert ONE.answer(np.log([0.2, 0.5, 0.3])) == ("bug", pytest.approx(np.log(0.5)))


@given(st.lists(st.floats(-30, 30), min_size=1, max_size=6))
def test_no_set_is_more_probable_than_the_answer_and_all_sets_add_up_to_one(logits: list[float]) -> None:
    logprobs = log_sigmoid(np.array(logits))
    task = LabelTask(tuple("abcdef"[: len(logits)]), multi_label=True)
    sides = list(zip(logprobs, log_complements(logprobs), strict=True))
    probabilities = np.exp([sum(side[pick] for side, pick in zip(sides, picks, strict=True))
                            for picks in product((0, 1), repeat=len(logits))])  # fmt: skip
    assert probabilities.sum() == pytest.approx(1.0)
    assert np.exp(task.answer(logprobs)[1]) == pytest.approx(probabilities.max())


@given(st.floats(-35, 35))
def test_a_complement_is_the_log_sigmoid_of_the_negated_logit(logit: float) -> None:
    found = log_complements(log_sigmoid(np.array([logit])))
    assert found == pytest.approx(log_sigmoid(np.array([-logit])), rel=1e-3, abs=1e-15)


def test_certainty_stays_finite() -> None:
    assert log_complements(np.array([0.0])).tolist() == [pytest.approx(-36.0437, abs=1e-4)]
