"""The bootstrap over groups."""

import numpy as np
import pytest

from steady.metrics.resampling import (
    CHUNK,
    Bootstrap,
    estimate,
    estimate_columns,
    group_weights,
    lowest_interval,
    one_blas_thread,
    percentile_interval,
    ratio,
    weighted_mean,
)

HOW = Bootstrap(draws=2000, confidence=0.95, seed=0)


def mean_of(values):
    return lambda weights: {"mean": weighted_mean(weights, np.asarray(values, dtype=float))}


def test_every_draw_takes_as_many_groups_as_there_are():
    (weights,) = group_weights(7, 50, seed=0)
    assert weights.shape == (50, 7)
    assert set(weights.sum(axis=1).tolist()) == {7.0}
    assert weights.mean() == 1.0


def test_weights_have_the_variance_of_a_multinomial():
    (weights,) = group_weights(10, 20_000, seed=1)
    assert weights.var(axis=0) == pytest.approx(np.full(10, 0.9), rel=0.05)


def test_equal_seeds_give_equal_weights_and_others_do_not():
    first, again, other = (next(group_weights(5, 20, seed)) for seed in (3, 3, 4))
    assert (first == again).all()
    assert (first != other).any()


def test_many_groups_come_in_chunks_of_bounded_size():
    chunks = list(group_weights(CHUNK // 10, 25, seed=0))
    assert [len(chunk) for chunk in chunks] == [10, 10, 5]


def test_the_value_is_the_statistic_and_the_interval_covers_it():
    values = np.random.default_rng(0).normal(3, 1, size=200)
    found = estimate(mean_of(values), 200, HOW)["mean"]
    assert found.value == pytest.approx(values.mean())
    low, high = found.interval
    half = 1.96 * values.std() / np.sqrt(200)
    assert (low, high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.03)


def test_a_wider_confidence_gives_a_wider_interval():
    values = np.random.default_rng(0).random(50)
    narrow, wide = (estimate(mean_of(values), 50, HOW._replace(confidence=level))["mean"] for level in (0.5, 0.99))
    assert wide.interval[0] < narrow.interval[0] < narrow.interval[1] < wide.interval[1]


def test_intervals_cover_the_truth_about_as_often_as_they_say():
    generator = np.random.default_rng(1)
    hits = 0
    for trial in range(200):
        found = estimate(mean_of(generator.normal(size=60)), 60, Bootstrap(400, 0.95, trial))["mean"].interval
        hits += found[0] <= 0 <= found[1]
    assert 0.89 <= hits / 200 <= 0.99


def test_agrees_with_scipy():
    from scipy.stats import bootstrap

    values = np.random.default_rng(2).exponential(size=80)
    theirs = bootstrap((values,), np.mean, n_resamples=4000, method="percentile", rng=0).confidence_interval
    ours = estimate(mean_of(values), 80, Bootstrap(4000, 0.95, 0))["mean"].interval
    assert ours == pytest.approx([theirs.low, theirs.high], abs=0.03)


def test_without_groups_the_value_is_nan_and_the_interval_null():
    found = estimate(mean_of([]), 0, HOW)["mean"]
    assert np.isnan(found.value)
    assert found.interval is None


def test_a_statistic_of_several_numbers_gives_several_estimates():
    table = np.array([[1.0, 2.0]] * 3 + [[3.0, 4.0]] * 3)
    found = estimate_columns(lambda weights: {"columns": weighted_mean(weights, table)}, 6, HOW)["columns"]
    assert [entry.value for entry in found] == [2.0, 3.0]
    low, high = found[0].interval
    assert 1 <= low < 2 < high <= 3
    assert (
        estimate_columns(lambda weights: {"columns": weighted_mean(weights, table[:4])}, 4, HOW)["columns"][0].interval
        is None
    )


def test_draws_that_are_undefined_are_left_out_while_they_are_few():
    drawn = np.arange(100.0)
    drawn[:4] = np.nan
    assert percentile_interval(drawn, 0.9) == pytest.approx(np.quantile(np.arange(4.0, 100), [0.05, 0.95]))
    drawn[:6] = np.nan
    assert np.isnan(percentile_interval(drawn, 0.9)).all()


def test_groups_without_a_value_have_no_weight():
    weights = np.array([[1.0, 1.0, 1.0], [0.0, 3.0, 0.0]])
    assert weighted_mean(weights, np.array([1.0, np.nan, 5.0])) == pytest.approx([3.0, np.nan], nan_ok=True)


def test_a_quotient_by_zero_is_nan():
    assert ratio([1, 2], [0, 4]) == pytest.approx([np.nan, 0.5], nan_ok=True)


def test_one_blas_thread_is_given_back():
    from threadpoolctl import threadpool_info

    def threads():
        return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]

    before = threads()
    with one_blas_thread():
        assert set(threads()) <= {1}
    assert threads() == before


def studies(expected, count):
    """Scores of groups that have three of the wordings each, and the percentiles of the lowest mean, which the interval replaces."""
    generator = np.random.default_rng(5)
    for trial in range(count):
        scores = (generator.random((80, len(expected))) < expected).astype(float)
        scores[generator.permuted(np.tile(np.arange(len(expected)) >= 3, (80, 1)), axis=1)] = np.nan
        how = Bootstrap(200, 0.95, trial)
        lowest = estimate(lambda weights, table=scores: {"": weighted_mean(weights, table).min(axis=1)}, 80, how)[""]
        yield lowest, lowest_interval(scores, how)


@pytest.mark.parametrize("expected", [[0.8] * 9, [0.2] * 9, np.linspace(0.55, 0.95, 9), [0.6] + [0.9] * 8])
def test_the_interval_of_a_lowest_mean_holds_its_value_and_covers_the_lowest_expectation(expected):
    found = list(studies(np.asarray(expected), 150))
    assert all(low <= lowest.value <= high for lowest, (low, high) in found)
    assert np.mean([low <= min(expected) <= high for _, (low, high) in found]) >= 0.9
    if len(set(expected)) == 1:  # where percentiles, which lie below the value, miss it
        assert np.mean([lowest.interval[1] >= min(expected) for lowest, _ in found]) < 0.5


def test_columns_without_a_group_are_not_the_lowest():
    scores = np.asarray([[1.0, np.nan]] * 6)
    assert lowest_interval(scores, HOW) == [1.0, 1.0]
