"""Percentile bootstrap over groups, vectorised: a draw is a row of group weights, a statistic a function of the weights.

The value of a statistic is the statistic under weights of one, so a value and its draws share one code path.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import msgspec
import numpy as np
from msgspec import UNSET, UnsetType
from numpy.typing import ArrayLike

from steady.labels import Floats

Statistic = Callable[[Floats], dict[str, Floats]]

CHUNK = 4_000_000  # weights held at once: 32 MB
UNDEFINED_SHARE = 0.05
FEWEST_GROUPS = 5  # four groups have 35 different draws: their percentiles say nothing of 95 %


class Bootstrap(NamedTuple):
    """How intervals are made: the number of draws, the confidence (0.95, say) and the seed of the draws."""

    draws: int
    confidence: float
    seed: int


class Estimate(msgspec.Struct, omit_defaults=True):
    """A value with its percentile interval `[low, high]`, null where too few groups or draws define it.

    The value is NaN where it is undefined, and null once it has been written and read. A spread over wordings also has the mean
    and the 95th percentile of its permutation null, and its p-value.
    """

    value: float | None
    interval: list[float] | None
    null: list[float | None] | UnsetType = UNSET
    p: float | UnsetType | None = UNSET


class Pooled(NamedTuple):
    """A ratio of sums over groups, the sum of `totals` over the sum of `counts`; both are `(groups,)`."""

    totals: Floats
    counts: Floats


def average(values: Floats) -> Pooled:
    """The mean over the groups that have a value: NaN of `(groups,)` is left out."""
    return Pooled(np.nan_to_num(values), (~np.isnan(values)).astype(np.float64))


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Keep NumPy's matrix products on one thread: these are small, and two threads took 2.7 times as long on a busy machine."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1, user_api="blas"):
        yield


def group_weights(groups: int, draws: int, seed: int) -> Iterator[Floats]:
    """Multinomial weights of resampled groups: how often each of `groups` was drawn, in chunks `(some draws, groups)`.

    Equal arguments give equal weights, so that two arms, or two measures, are resampled alike.
    """
    # seeded by the number of groups too, so that every measure on the same groups sees the same draws
    generator = np.random.default_rng([seed, groups])
    size = max(1, CHUNK // max(1, groups))
    for start in range(0, draws, size):
        rows = min(size, draws - start)
        drawn = generator.integers(0, groups, (rows, groups)) + groups * np.arange(rows)[:, None]
        # each draw has numbers of its own, so one `bincount` counts all draws
        yield np.bincount(drawn.ravel(), minlength=rows * groups).reshape(rows, groups).astype(np.float64)


def estimate(statistic: Statistic, groups: int, bootstrap: Bootstrap) -> dict[str, Estimate]:
    """Values and percentile intervals of everything that `statistic` returns.

    Args:
        statistic: maps weights `(draws, groups)` to arrays `(draws,)`, NaN where undefined.
        groups: number of groups; with fewer than five every interval is null, and with none every value is NaN.
    """
    return {
        name: _estimate(value, bounds) for name, (value, bounds) in _resampled(statistic, groups, bootstrap).items()
    }


def estimate_columns(statistic: Statistic, groups: int, bootstrap: Bootstrap) -> dict[str, list[Estimate]]:
    """As `estimate`, of a statistic that returns arrays `(draws, columns)`: a list of an estimate for each column."""
    return {
        name: [_estimate(value, None if bounds is None else bounds[:, n]) for n, value in enumerate(values)]
        for name, (values, bounds) in _resampled(statistic, groups, bootstrap).items()
    }


def _resampled(statistic: Statistic, groups: int, bootstrap: Bootstrap) -> dict[str, tuple[Floats, Floats | None]]:
    values = statistic(np.ones((1, groups)))
    if groups < FEWEST_GROUPS:
        return {name: (value[0], None) for name, value in values.items()}
    chunks = [statistic(weights) for weights in group_weights(groups, bootstrap.draws, bootstrap.seed)]
    drawn = {name: np.concatenate([chunk[name] for chunk in chunks]) for name in values}
    return {name: (value[0], percentile_interval(drawn[name], bootstrap.confidence)) for name, value in values.items()}


def _estimate(value: Floats, bounds: Floats | None) -> Estimate:
    known = bounds is not None and not np.isnan(bounds).any()
    return Estimate(float(value), [float(bound) for bound in bounds] if bounds is not None and known else None)


def percentile_interval(drawn: Floats, confidence: float) -> Floats:
    """Bounds `(2, …)` over the first axis (Efron & Tibshirani 1993, chapter 13); NaN where over 5 % of the draws are undefined."""
    tail = (1 - confidence) / 2
    undefined = np.isnan(drawn).mean(axis=0)
    if not undefined.any():
        return np.asarray(np.quantile(drawn, [tail, 1 - tail], axis=0))
    # `nanquantile` is far slower than `quantile`, so it takes only the columns that need it
    flat = drawn.reshape(len(drawn), -1)
    bounds = np.full((2, flat.shape[1]), np.nan)
    for column in np.flatnonzero(undefined.ravel() <= UNDEFINED_SHARE):
        bounds[:, column] = np.nanquantile(flat[:, column], [tail, 1 - tail])
    return bounds.reshape(2, *drawn.shape[1:])


def lowest_interval(scores: Floats, bootstrap: Bootstrap) -> list[float]:
    """Interval of the lowest column mean, which holds its value and covers the lowest expectation at least as often as it says.

    The lowest of noisy means lies below the lowest expectation, and that of resampled means lower still: their percentiles can miss
    both. The lower bound here is the lowest of the columns' own percentiles. It is above the lowest expectation only where that
    column's own is. The upper bound adds to the value the upper percentile, over draws, of how far any column falls below its mean.
    It is below the lowest expectation only where some mean lies that far below its own.

    Args:
        scores: shares `(groups, columns)`, NaN where a group has none; at least one is known.
    """
    table = scores[:, ~np.isnan(scores).all(axis=0)]
    means = weighted_mean(np.ones((1, len(table))), table)[0]
    draws = [weighted_mean(weights, table) for weights in group_weights(len(table), bootstrap.draws, bootstrap.seed)]
    drawn = np.concatenate(draws)
    # a column that a draw lacks has not fallen there, and its percentiles are those of the other draws
    drawn = np.where(np.isnan(drawn), means, drawn)
    tail, value = (1 - bootstrap.confidence) / 2, means.min()
    low = np.quantile(drawn, tail, axis=0).min()
    high = value + np.quantile((means - drawn).max(axis=1), 1 - tail)
    return [float(min(low, value)), float(np.clip(high, value, 1.0))]


def ratio(numerator: ArrayLike, denominator: ArrayLike) -> Floats:
    """Element-wise quotient, NaN where the denominator is 0."""
    over, under = np.broadcast_arrays(
        np.asarray(numerator, dtype=np.float64), np.asarray(denominator, dtype=np.float64)
    )
    quotient: Floats = np.divide(over, under, out=np.full(over.shape, np.nan), where=under != 0)
    return quotient


def weighted_mean(weights: Floats, values: Floats) -> Floats:
    """Mean under weights `(draws, groups)` over groups that have a value: `(groups,)` or `(groups, n)`, NaN where there is none."""
    known = ~np.isnan(values)
    if known.all():  # the usual case, at half the cost
        return ratio(weights @ values, weights.sum(axis=1).reshape(-1, *[1] * (values.ndim - 1)))
    return ratio(weights @ np.where(known, values, 0.0), weights @ known.astype(np.float64))
