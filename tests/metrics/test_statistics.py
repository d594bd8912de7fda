"""Tests and corrections against scipy, by hand, and on data without any effect."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from steady.metrics import sensitivity as measure
from steady.metrics.resampling import Bootstrap, estimate, weighted_mean
from steady.metrics.statistics import (
    detectable,
    detectable_difference,
    detectable_mean,
    holm,
    mcnemar,
    sign_flip,
    swap_tests,
)

HOW = Bootstrap(draws=2000, confidence=0.95, seed=0)


@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_is_the_two_sided_binomial_test(won, lost):
    expected = stats.binomtest(won, won + lost).pvalue if won + lost else 1.0
    assert mcnemar(won, lost) == pytest.approx(expected, rel=1e-9)


def test_mcnemar_by_hand():
    # one of six: 2 * (1 + 6) / 64
    assert mcnemar(5, 1) == 14 / 64
    assert mcnemar(0, 0) == 1.0
    assert mcnemar(3, 3) == 1.0


def test_mcnemar_of_many_rows_stays_exact():
    assert mcnemar(5200, 4800) == pytest.approx(stats.binomtest(5200, 10_000).pvalue, rel=1e-9)


def test_sign_flips_by_hand():
    # |sum| of +-1 +-2 +-3 reaches 6 for two of eight patterns
    assert sign_flip([1.0, 2.0, 3.0], 100, seed=0) == pytest.approx([0.25])
    assert sign_flip([0.0, 0.0], 100, seed=0) == pytest.approx([1.0])


@given(st.lists(st.integers(-4, 4).map(float), min_size=1, max_size=9))
def test_sign_flips_of_few_groups_are_exact(differences):
    sums = [abs(np.dot(signs, differences)) for signs in itertools.product([-1, 1], repeat=len(differences))]
    expected = np.mean([total >= abs(sum(differences)) - 1e-9 for total in sums])
    assert sign_flip(differences, 100, seed=0) == pytest.approx([expected])


def test_sign_flips_agree_with_scipy_on_many_groups():
    differences = np.random.default_rng(0).normal(0.2, 1, size=60)
    theirs = stats.permutation_test(
        (differences,), np.mean, permutation_type="samples", n_resamples=20_000, rng=0, vectorized=True
    ).pvalue
    assert sign_flip(differences, 20_000, seed=1) == pytest.approx([theirs], abs=0.01)


def test_sampled_p_values_are_never_zero_and_repeat_with_their_seed():
    differences = np.full(40, 1.0)
    assert sign_flip(differences, 999, seed=0) == pytest.approx([1 / 1000])
    noisy = np.random.default_rng(1).normal(0.3, 1, size=40)
    assert sign_flip(noisy, 500, seed=7) == sign_flip(noisy, 500, seed=7)


def test_several_measures_are_tested_each_for_itself():
    generator = np.random.default_rng(0)
    table = np.stack([generator.normal(size=50), generator.normal(0.5, 1, size=50), np.zeros(50)], axis=1)
    table[3:, 2] = np.nan
    together = sign_flip(table, 2000, seed=0)
    assert together == pytest.approx([*sign_flip(table[:, 0], 2000, 0), *sign_flip(table[:, 1], 2000, 0), 1.0])


def test_groups_without_a_difference_change_nothing():
    assert sign_flip([1.0, 2.0, 3.0, 0.0, np.nan], 100, seed=0) == pytest.approx([0.25])


def test_sign_flips_reject_a_true_null_about_as_often_as_they_say():
    generator = np.random.default_rng(5)
    null = generator.integers(-3, 4, size=(60, 400)).astype(float)
    rejected = np.mean(sign_flip(null, 400, seed=0) <= 0.05)
    assert 0.02 <= rejected <= 0.085


def test_intervals_of_a_null_difference_miss_zero_about_as_often_as_they_say():
    generator = np.random.default_rng(6)
    missed = 0
    for trial in range(200):
        base, tuned = generator.random((2, 60))
        difference = tuned - base
        mean = estimate(
            lambda weights, d=difference: {"mean": weighted_mean(weights, d)}, 60, Bootstrap(300, 0.95, trial)
        )
        low, high = mean["mean"].interval
        missed += not low <= 0 <= high
    assert 0.01 <= missed / 200 <= 0.11


def test_swaps_of_the_mean_are_sign_flips():
    generator = np.random.default_rng(2)
    base = generator.integers(0, 2, size=(50, 6)).astype(float)
    tuned = generator.integers(0, 2, size=(50, 6)).astype(float)
    swapped = swap_tests(base, tuned, {"mean": measure.mean_over_wordings}, 4000, seed=0)["mean"]
    differences = tuned.mean(axis=1) - base.mean(axis=1)
    flipped = sign_flip(differences, 4000, seed=0)[0]
    assert swapped.p == pytest.approx(flipped, abs=0.02)
    # what a swap can see is what a test of means over groups can
    assert detectable(swapped.standard_error, 0.05) == pytest.approx(detectable_mean(differences, 0.05), rel=0.05)


def test_swaps_see_a_worst_wording_that_was_cured_and_not_one_that_stayed():
    generator = np.random.default_rng(3)
    base = (generator.random((80, 5)) < 0.9).astype(float)
    base[:, 0] = generator.random(80) < 0.4
    tuned = (generator.random((80, 5)) < 0.9).astype(float)
    statistics = {"worst": measure.worst_wording}
    assert swap_tests(base, tuned, statistics, 999, seed=0)["worst"].p == pytest.approx(0.001)
    assert swap_tests(base, base, statistics, 999, seed=0)["worst"].p == 1.0


def test_swaps_of_nothing_are_nan():
    assert math.isnan(
        swap_tests(np.zeros((0, 0)), np.zeros((0, 0)), {"worst": measure.worst_wording}, 99, 0)["worst"].p
    )


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.5]) == pytest.approx([0.04, 0.09, 0.09, 0.5])
    assert holm([]) == []
    assert holm([0.8, 0.9]) == [1.0, 1.0]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_keeps_the_order_and_lies_between_raw_and_bonferroni(p_values):
    adjusted = holm(p_values)
    for raw, corrected in zip(p_values, adjusted, strict=True):
        assert raw <= corrected <= min(1.0, len(p_values) * raw) + 1e-12
    order = np.argsort(p_values, kind="stable")
    assert (np.diff(np.array(adjusted)[order]) >= -1e-12).all()


def test_the_detectable_mean_by_hand():
    # sd 1 over 100 groups: (1.959964 + 0.841621) / 10
    values = np.tile([-1.0, 1.0], 50) * math.sqrt(99 / 100)
    assert detectable_mean(values, alpha=0.05) == pytest.approx(0.2801585, abs=1e-6)
    assert math.isnan(detectable_mean([0.0, 0.0], alpha=0.05))
    assert math.isnan(detectable_mean([0.5], alpha=0.05))


def test_the_detectable_mean_is_seen_four_times_in_five():
    generator = np.random.default_rng(8)
    effect = detectable_mean(np.tile([-1.0, 1.0], 40), alpha=0.05)
    p_values = sign_flip(generator.normal(effect, 1, size=(80, 300)), 400, seed=0)
    assert np.mean(p_values <= 0.05) == pytest.approx(0.8, abs=0.07)


def test_the_detectable_difference_is_seen_four_times_in_five():
    generator = np.random.default_rng(9)
    rows, discordant = 400, 40
    effect = detectable_difference(rows, discordant, alpha=0.05)
    won = (discordant / rows + effect) / 2
    draws = generator.multinomial(rows, [won, won - effect, 1 - 2 * won + effect], size=1000)
    seen = np.mean([mcnemar(int(gained), int(lost)) <= 0.05 for gained, lost, _ in draws])
    assert seen == pytest.approx(0.78, abs=0.06)  # the exact test is a little conservative


def test_the_detectable_difference_is_at_least_what_the_exact_test_needs():
    # six discordant rows of one kind: 2 / 64 <= .05
    assert detectable_difference(400, 0, alpha=0.05) == pytest.approx(6 / 400)
    assert math.isnan(detectable_difference(0, 0, alpha=0.05))
    assert detectable_difference(3, 3, alpha=0.05) == 1.0
