"""Measures on answers and scores, by hand and by their properties."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from steady.metrics import sensitivity as measure
from steady.metrics.resampling import weighted_mean
from steady.metrics.results import Degeneracy

# three groups under three wordings, right (1) or wrong (0)
SCORES = np.array([[1, 0, 1], [1, 1, 0], [0, 0, 1]], dtype=float)


def wording_scores(scores, weights=None):
    table = np.asarray(scores, dtype=float)
    return weighted_mean(np.ones((1, len(table))), table)[0] if weights is None else weighted_mean(weights, table)


@st.composite
def score_tables(draw):
    shape = (draw(st.integers(1, 6)), draw(st.integers(2, 6)))
    return draw(arrays(np.float64, shape, elements=st.sampled_from([0.0, 1.0])))


def test_scores_of_wordings_by_hand():
    assert wording_scores(SCORES) == pytest.approx([2 / 3, 1 / 3, 2 / 3])


def test_group_weights_move_the_scores_of_wordings():
    weights = np.array([[2.0, 0.0, 1.0], [1.0, 1.0, 1.0]])
    assert wording_scores(SCORES, weights) == pytest.approx(np.array([[2 / 3, 0, 1], [2 / 3, 1 / 3, 2 / 3]]))


def test_mean_worst_best_std_spread_and_cps_by_hand():
    accuracy = wording_scores(SCORES)
    assert measure.mean_over_wordings(accuracy) == pytest.approx(5 / 9)
    assert measure.worst_wording(accuracy) == pytest.approx(1 / 3)
    assert measure.best_wording(accuracy) == pytest.approx(2 / 3)
    assert measure.std_over_wordings(accuracy) == pytest.approx(math.sqrt(2) / 9)
    assert measure.spread(accuracy) == pytest.approx(1 / 3)
    assert measure.combined_performance_score(accuracy) == pytest.approx(16 / 27)


def test_a_wording_that_no_group_has_is_left_out():
    accuracy = wording_scores([[1, np.nan, np.nan], [0, 1, np.nan]])
    assert accuracy == pytest.approx([0.5, 1.0, np.nan], nan_ok=True)
    assert measure.mean_over_wordings(accuracy) == pytest.approx(0.75)
    assert (measure.worst_wording(accuracy), measure.best_wording(accuracy)) == (0.5, 1.0)


def test_measures_of_no_wording_are_nan():
    for function in (measure.mean_over_wordings, measure.worst_wording, measure.best_wording, measure.spread):
        assert np.isnan(function([np.nan, np.nan]))


def test_worst_prompt_scores_by_hand():
    assert measure.worst_wording([[1, 0, 1], [1, 1, np.nan]]).tolist() == [0.0, 1.0]


def test_pss_by_hand_with_graded_scores():
    # pairs of .2, .5, .9: .3 + .7 + .4 over 3
    assert measure.score_differences([[0.9, 0.2, 0.5]]) == pytest.approx([1.4 / 3])


@given(score_tables())
def test_pss_of_right_and_wrong_is_its_closed_form(scores):
    right, size = scores.sum(axis=1), scores.shape[1]
    closed = 2 * right * (size - right) / (size * (size - 1))
    assert measure.score_differences(scores) == pytest.approx(closed)


@given(st.lists(st.floats(0, 1), min_size=2, max_size=7), st.integers(0, 3))
def test_pss_is_the_mean_over_pairs_and_ignores_gaps(scores, gaps):
    pairs = [abs(a - b) for a, b in itertools.combinations(scores, 2)]
    assert measure.score_differences([scores + [np.nan] * gaps]) == pytest.approx([np.mean(pairs)])


def test_pss_of_a_group_of_one_is_nan():
    assert np.isnan(measure.score_differences([[1.0, np.nan]])).all()


@given(score_tables(), st.randoms(use_true_random=False))
def test_the_order_of_wordings_and_groups_changes_nothing(scores, random):
    rows, columns = (random.sample(range(size), size) for size in scores.shape)
    shuffled = scores[np.ix_(rows, columns)]
    for function in (
        measure.mean_over_wordings,
        measure.worst_wording,
        measure.std_over_wordings,
        measure.spread,
        measure.combined_performance_score,
    ):
        before, after = (function(wording_scores(table)) for table in (scores, shuffled))
        assert after == pytest.approx(before, abs=1e-12)
    for per_group in (measure.worst_wording, measure.score_differences):
        assert per_group(shuffled) == pytest.approx(per_group(scores)[rows])


@given(score_tables())
def test_the_worst_prompt_score_is_at_most_the_worst_wording_at_most_the_mean(scores):
    accuracy = wording_scores(scores)
    worst = float(measure.worst_wording(accuracy))
    assert measure.worst_wording(scores).mean() <= worst + 1e-12
    assert worst <= measure.mean_over_wordings(accuracy) + 1e-12
    assert measure.combined_performance_score(accuracy) <= measure.best_wording(accuracy) + 1e-12


@given(st.lists(st.sampled_from([0.0, 1.0]), min_size=1, max_size=6), st.integers(2, 6))
def test_a_model_blind_to_the_wording_moves_in_no_measure(scores, wordings):
    table = np.tile(np.array(scores)[:, None], (1, wordings))
    accuracy = wording_scores(table)
    assert measure.spread(accuracy) == 0
    assert measure.std_over_wordings(accuracy) == pytest.approx(0, abs=1e-12)
    assert not measure.score_differences(table).any()
    assert set(measure.spread_null(table, 20, seed=0).tolist()) == {0.0}


def test_agreement_by_hand():
    # a a b b: two equal pairs of six
    assert measure.answer_agreement([0, 0, 1, 1]) == (2, 6)
    assert measure.answer_agreement([3]) == (0, 0)


def test_two_failures_do_not_agree():
    assert measure.answer_agreement([0, 0, 0, 1], failed=[False, False, True, False]) == (1, 6)
    assert measure.answer_agreement([0, 0], failed=[True, True]) == (0, 1)


@given(st.lists(st.integers(0, 3), min_size=2, max_size=9))
def test_agreement_counts_equal_pairs(codes):
    equal = sum(a == b for a, b in itertools.combinations(codes, 2))
    assert measure.answer_agreement(codes) == (equal, math.comb(len(codes), 2))


def test_entropy_by_hand():
    assert measure.answer_entropy([0, 0, 1, 1], labels=4) == pytest.approx(0.5)
    assert measure.answer_entropy([0, 1, 2, 3], labels=4) == pytest.approx(1.0)
    assert measure.answer_entropy([2, 2, 2], labels=4) == 0.0
    assert math.isnan(measure.answer_entropy([0, 0], labels=1))


def test_a_constant_model_is_degenerate_and_a_right_one_is_not():
    targets = ["a", "b", "c", "a"]
    assert measure.degeneracy(["a"] * 4, targets) == Degeneracy(1, 1.0, 3, 0.5, True)
    assert not measure.degeneracy(targets, targets).degenerate
    assert not measure.degeneracy(["a"] * 4, ["a"] * 4).degenerate
    assert measure.degeneracy([], []).distinct_answers == 0


def test_a_nearly_constant_model_is_degenerate():
    assert measure.degeneracy(["a"] * 96 + ["b"] * 4, ["a"] * 50 + ["b"] * 50).degenerate
    assert not measure.degeneracy(["a"] * 90 + ["b"] * 10, ["a"] * 50 + ["b"] * 50).degenerate


def test_the_spread_null_of_one_group_is_known():
    # one group, right under one of two wordings: whichever it is, the spread is 1
    assert set(measure.spread_null([[1.0, 0.0]], 50, seed=0).tolist()) == {1.0}


def test_the_spread_null_of_two_groups_has_the_right_distribution():
    # two groups, each right under one of two wordings: the same one (spread 1) half of the time, else 0
    null = measure.spread_null([[1.0, 0.0], [1.0, 0.0]], 4000, seed=0)
    assert set(null.tolist()) == {0.0, 1.0}
    assert null.mean() == pytest.approx(0.5, abs=0.03)


def test_the_spread_null_keeps_gaps_where_they_are():
    scores = [[1.0, 0.0, np.nan], [np.nan, 1.0, 0.0], [1.0, 1.0, 0.0]]
    null = measure.spread_null(scores, 500, seed=1)
    assert len(null) == 500
    # the second wording has three groups, the others two: every score is a multiple of 1/2 or 1/3
    assert {round(value * 6, 9) % 1 for value in null.tolist()} == {0.0}


def test_spread_p_values_are_uniform_when_wordings_do_not_matter():
    generator = np.random.default_rng(3)
    p_values = []
    for trial in range(200):
        scores = (generator.random((40, 6)) < generator.random((40, 1))).astype(float)
        observed = float(measure.spread(wording_scores(scores)))
        p_values.append(measure.spread_p_value(observed, measure.spread_null(scores, 200, seed=trial)))
    assert np.mean(np.array(p_values) <= 0.05) <= 0.09
    assert np.mean(p_values) > 0.45


def test_a_bad_wording_is_seen_by_the_spread_null():
    generator = np.random.default_rng(4)
    scores = (generator.random((80, 6)) < 0.8).astype(float)
    scores[:, 0] = generator.random(80) < 0.4
    observed = float(measure.spread(wording_scores(scores)))
    assert measure.spread_p_value(observed, measure.spread_null(scores, 500, seed=0)) < 0.01
    assert math.isnan(measure.spread_p_value(math.nan, np.zeros(3)))
