"""Paired tests, corrections and the smallest effects that they can see. Groups are the unit, never single prompts."""

import math
from collections.abc import Callable, Mapping, Sequence
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from steady.labels import Floats
from steady.metrics.resampling import CHUNK, ratio

EXACT_GROUPS = 16  # 2 ** 15 sign patterns; beyond that, Monte Carlo
TOLERANCE = 1e-9
POWER = 0.8


def mcnemar(won: int, lost: int) -> float:
    """Two-sided exact p of McNemar's test (1947): min(1, 2 P(X <= min(won, lost))), X ~ Binomial(won + lost, 1/2)."""
    discordant = won + lost
    term, total = 1, 0
    for number in range(min(won, lost) + 1):
        total += term
        # whole numbers throughout: binomial coefficients of a thousand pairs are beyond any float
        term = term * (discordant - number) // (number + 1)
    return float(min(1.0, 2 * total / 2**discordant))


def sign_flip(differences: ArrayLike, permutations: int, seed: int) -> Floats:
    """Two-sided p of a mean paired difference of zero, by flipping the sign of each group's difference.

    Exact over all sign patterns where at most 16 groups differ (groups with difference 0 or NaN change nothing), otherwise
    Monte Carlo with the +1 correction, (1 + as extreme) / (1 + permutations) (Phipson & Smyth 2010). From differences `(groups,)`
    or `(groups, measures)`, p for each measure, `(measures,)`; 1 where no group differs.
    """
    table = np.nan_to_num(np.asarray(differences, dtype=np.float64))
    table = table[:, None] if table.ndim == 1 else table
    moving = (table != 0).sum(axis=0)
    result = np.ones(table.shape[1])
    for column in np.flatnonzero((moving > 0) & (moving <= EXACT_GROUPS)):
        values = table[table[:, column] != 0, column]
        # Half of all patterns: the first sign is fixed, for the test is two-sided.
        patterns = np.arange(2 ** (len(values) - 1))[:, None] >> np.arange(len(values))
        result[column] = _as_extreme((1.0 - 2.0 * (patterns & 1)) @ values, values.sum()).mean()
    sampled = moving > EXACT_GROUPS
    if sampled.any():
        table = table[:, sampled]
        sums, size = np.zeros((permutations, table.shape[1])), max(1, CHUNK // permutations)
        # one set of signs for all measures, drawn in slices of groups so that many groups fit in memory
        for number, start in enumerate(range(0, len(table), size)):
            part = table[start : start + size]
            sums += random_signs(len(part), permutations, seed + number) @ part
        # +1 for the observed pattern itself: no Monte Carlo p-value is 0
        result[sampled] = (1 + _as_extreme(sums, table.sum(axis=0)).sum(axis=0)) / (1 + permutations)
    return result


def _as_extreme(sums: Floats, observed: Floats) -> Floats:
    # the same sum in another order may be smaller by a rounding error, and is as extreme all the same
    return np.asarray(np.abs(sums) >= np.abs(observed) * (1 - TOLERANCE), dtype=np.float64)


def random_signs(groups: int, permutations: int, seed: int) -> Floats:
    """Signs of -1 and 1, `(permutations, groups)`; equal arguments give equal signs."""
    generator = np.random.default_rng([seed, groups, permutations])
    return np.asarray(generator.integers(0, 2, (permutations, groups), dtype=np.int8) * 2.0 - 1.0)


class SwapTest(NamedTuple):
    """What came of swapping arms: the two-sided p, and the standard error of the difference where the arms are alike."""

    p: float
    standard_error: float


def swap_tests(
    base: ArrayLike,
    tuned: ArrayLike,
    statistics: Mapping[str, Callable[[Floats], Floats]],
    permutations: int,
    seed: int,
) -> dict[str, SwapTest]:
    """Test the difference of statistics of wording scores by swapping the two arms within groups.

    Monte Carlo with the +1 correction; NaN where a statistic is.

    Args:
        base: scores `(groups, wordings)`, NaN where there is no prompt; `tuned` likewise, with the same gaps.
        statistics: each maps scores of wordings `(…, wordings)` to `(…,)`; the worst wording, say.
    """
    one, other = np.asarray(base, dtype=np.float64), np.asarray(tuned, dtype=np.float64)
    known = (~np.isnan(one)).sum(axis=0)
    # swapping the arms of a group changes the sign of half its difference around their middle
    middle, half = np.nansum((one + other) / 2, axis=0), np.nan_to_num((other - one) / 2)
    shifts = np.concatenate([half.sum(axis=0)[None], random_signs(len(one), permutations, seed) @ half])
    before, after = ratio(middle - shifts, known), ratio(middle + shifts, known)
    result = {}
    for name, statistic in statistics.items():
        differences = statistic(after) - statistic(before)
        extreme = _as_extreme(differences[1:], differences[0]).sum()
        p_value = math.nan if np.isnan(differences[0]) else float((1 + extreme) / (1 + permutations))
        result[name] = SwapTest(p_value, float(differences[1:].std()))
    return result


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values of a family of tests (Holm 1979): step down, made monotone, at most 1."""
    order = sorted(range(len(p_values)), key=lambda place: p_values[place])
    adjusted = [0.0] * len(p_values)
    largest = 0.0
    for rank, place in enumerate(order):
        # never below that of a smaller p: the order of the claims would change otherwise
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = largest
    return adjusted


def detectable_mean(differences: ArrayLike, alpha: float, power: float = POWER) -> float:
    """The smallest mean difference that a two-sided test over these groups sees; NaN for fewer than two, or where none differ."""
    values = np.asarray(differences, dtype=np.float64)
    values = values[~np.isnan(values)]
    deviation = float(values.std(ddof=1)) if len(values) > 1 else 0.0
    return detectable(deviation / math.sqrt(max(1, len(values))), alpha, power)


def detectable(standard_error: float, alpha: float, power: float = POWER) -> float:
    """(z(1 - alpha/2) + z(power)) times the standard error, the normal approximation; NaN where nothing varies."""
    normal = NormalDist()
    return (normal.inv_cdf(1 - alpha / 2) + normal.inv_cdf(power)) * standard_error or math.nan


def detectable_difference(rows: int, discordant: int, alpha: float, power: float = POWER) -> float:
    """The smallest difference of two paired shares that McNemar's test sees with the given power.

    With the observed discordant share s it solves d sqrt(rows) = z(1 - alpha/2) sqrt(s) + z(power) sqrt(s - d^2)
    (Connor 1987); never less than what the exact test needs at all, k / rows with k discordant rows all of one kind and
    2 (1/2)^k <= alpha. NaN without rows.
    """
    if rows == 0:
        return math.nan
    normal = NormalDist()
    # of the two roots of the quadratic the larger one is the effect
    share = discordant / rows
    bound, reach = normal.inv_cdf(1 - alpha / 2) * math.sqrt(share), normal.inv_cdf(power)
    inside = bound**2 * rows - (rows + reach**2) * (bound**2 - reach**2 * share)
    effect = (bound * math.sqrt(rows) + math.sqrt(max(0.0, inside))) / (rows + reach**2)
    return min(1.0, max(effect, math.ceil(math.log2(2 / alpha)) / rows))
