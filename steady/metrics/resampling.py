"""Percentile bootstrap over groups, vectorised: a draw is a row of group weights, a statistic a function of the weights.

The value of a statistic is the statistic under weights of one, so a value and its draws share one code path.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, TypedDict

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Statistic = Callable[[Floats], dict[str, Floats]]

CHUNK = 4_000_000  # weights held at once: 32 MB
UNDEFINED_SHARE = 0.05
FEWEST_GROUPS = 5  # four groups have 35 different draws: their percentiles say nothing of 95 %


class Bootstrap(NamedTuple):
    """How intervals are made: the number of draws, the confidence (0.95, say) and the seed of the draws."""

    draws: int
    confidence: float
    seed: int


class Estimate(TypedDict):
    """A value with its percentile interval `[low, high]`, null where too few draws define it."""

    value: float
    interval: list[float] | None


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
    generator = np.random.default_rng([seed, groups])
    size = max(1, CHUNK // max(1, groups))
    for start in range(0, draws, size):
        rows = min(size, draws - start)
        drawn = generator.integers(0, groups, (rows, groups)) + groups * np.arange(rows)[:, None]
        yield np.bincount(drawn.ravel(), minlength=rows * groups).reshape(rows, groups).astype(np.float64)


def estimate(statistic: Statistic, groups: int, bootstrap: Bootstrap) -> dict[str, Any]:
    """Values and percentile intervals of everything that `statistic` returns.

    Args:
        statistic: maps weights `(draws, groups)` to arrays `(draws,)` or `(draws, n)`, NaN where undefined.
        groups: number of groups; with fewer than five every interval is null, and with none every value is NaN.

    Returns:
        For each name an `Estimate`, or a list of `n` of them.
    """
    values = statistic(np.ones((1, groups)))
    if groups < FEWEST_GROUPS:
        return {name: _estimates(value[0], None) for name, value in values.items()}
    chunks = [statistic(weights) for weights in group_weights(groups, bootstrap.draws, bootstrap.seed)]
    drawn = {name: np.concatenate([chunk[name] for chunk in chunks]) for name in values}
    return {
        name: _estimates(value[0], percentile_interval(drawn[name], bootstrap.confidence))
        for name, value in values.items()
    }


def percentile_interval(drawn: Floats, confidence: float) -> Floats:
    """Bounds `(2, …)` over the first axis; NaN where more than 5 % of the draws are undefined.

    Source: Efron & Tibshirani 1993, An Introduction to the Bootstrap, chapter 13.
    """
    tail = (1 - confidence) / 2
    undefined = np.isnan(drawn).mean(axis=0)
    if not undefined.any():
        return np.asarray(np.quantile(drawn, [tail, 1 - tail], axis=0))
    flat = drawn.reshape(len(drawn), -1)
    bounds = np.full((2, flat.shape[1]), np.nan)
    for column in np.flatnonzero(undefined.ravel() <= UNDEFINED_SHARE):
        bounds[:, column] = np.nanquantile(flat[:, column], [tail, 1 - tail])
    return bounds.reshape(2, *drawn.shape[1:])


def _estimates(value: Any, bounds: Floats | None) -> Any:
    if np.ndim(value):
        return [_estimates(item, None if bounds is None else bounds[:, n]) for n, item in enumerate(value)]
    known = bounds is not None and not np.isnan(bounds).any()
    return Estimate(value=float(value), interval=[float(bound) for bound in bounds] if known else None)  # type: ignore[union-attr]


def ratio(numerator: Any, denominator: Any) -> Floats:
    """Element-wise quotient, NaN where the denominator is 0."""
    numerator, denominator = np.broadcast_arrays(
        np.asarray(numerator, dtype=np.float64), np.asarray(denominator, dtype=np.float64)
    )
    quotient: Floats = np.divide(numerator, denominator, out=np.full(numerator.shape, np.nan), where=denominator != 0)
    return quotient


def weighted_mean(weights: Floats, values: Floats) -> Floats:
    """Mean over groups that have a value.

    Args:
        weights: `(draws, groups)`.
        values: `(groups,)` or `(groups, n)`, NaN for a group without one.
    """
    known = ~np.isnan(values)
    if known.all():
        return ratio(weights @ values, weights.sum(axis=1).reshape(-1, *[1] * (values.ndim - 1)))
    return ratio(weights @ np.where(known, values, 0.0), weights @ known.astype(np.float64))
