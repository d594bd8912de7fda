"""Measures of how much answers and scores move when only the wording moves.

Scores lie in `(groups, wordings)` arrays, NaN where a group has no prompt under a wording; scores of wordings in
`(…, wordings)` arrays, NaN for a wording that no group has. POSIX is in `posix.py`.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from steady.labels import Floats
from steady.metrics.resampling import ratio
from steady.metrics.results import Degeneracy

PERMUTED_AT_ONCE = 4_000_000
DOMINANT_SHARE = 0.95


def worst_wording(scores: ArrayLike) -> Floats:
    """Score of the worst wording, over the last axis; of scores of groups the mean is the worst-prompt score of Cao et al. 2024."""
    return _extreme(scores, np.min, np.inf)


def best_wording(scores: ArrayLike) -> Floats:
    """Score of the best wording (MaxP), over the last axis."""
    return _extreme(scores, np.max, -np.inf)


def mean_over_wordings(scores: ArrayLike) -> Floats:
    """Mean score of the wordings (AvgP), over the last axis; each wording counts once."""
    table = np.asarray(scores, dtype=np.float64)
    known = ~np.isnan(table)
    return ratio(np.where(known, table, 0.0).sum(axis=-1), known.sum(axis=-1))


def std_over_wordings(scores: ArrayLike) -> Floats:
    """Population standard deviation of the scores of the wordings, over the last axis."""
    table = np.asarray(scores, dtype=np.float64)
    deviations = table - mean_over_wordings(table)[..., None]
    return np.asarray(np.sqrt(mean_over_wordings(deviations**2)))


def spread(scores: ArrayLike) -> Floats:
    """Best minus worst wording, over the last axis (Sclar et al. 2023, FormatSpread, arXiv 2310.11324)."""
    return np.asarray(best_wording(scores) - worst_wording(scores))


def combined_performance_score(scores: ArrayLike) -> Floats:
    """CPS = MaxP (1 - (MaxP - AvgP)), over the last axis (Mizrahi et al. 2024, arXiv 2401.00595, section 4)."""
    best = best_wording(scores)
    return np.asarray(best * (1 - (best - mean_over_wordings(scores))))


def _extreme(scores: ArrayLike, pick: Callable[..., Any], neutral: float) -> Floats:
    table = np.asarray(scores, dtype=np.float64)
    # `np.nanmin` warns of a row of NaN alone
    found = pick(np.where(np.isnan(table), neutral, table), axis=-1, initial=neutral)
    return np.asarray(np.where(np.isinf(found), np.nan, found))


def spread_null(scores: ArrayLike, permutations: int, seed: int) -> Floats:
    """Spreads `(permutations,)` when wordings do not matter: each group's `scores` are dealt out to its wordings anew."""
    table = np.asarray(scores, dtype=np.float64)
    known = ~np.isnan(table)
    columns = known.sum(axis=0)
    filled = np.where(known, table, 0.0)
    low = np.where(known, table, np.inf).min(1, initial=np.inf)
    # a group with one score everywhere is the same however it is dealt out
    moving = np.where(known, table, -np.inf).max(1, initial=-np.inf) > low
    fixed = filled[~moving].sum(axis=0)
    # By the shape too: tables of the same shape see the same shuffles, those of two arms among them.
    generator = np.random.default_rng([seed, *table.shape])
    size = max(1, PERMUTED_AT_ONCE // max(1, int(moving.sum()) * table.shape[1]))
    sums = [
        _dealt_out(table[moving], min(size, permutations - start), generator) + fixed
        for start in range(0, permutations, size)
    ]
    return spread(ratio(np.concatenate(sums), columns))


def _dealt_out(table: Floats, permutations: int, generator: np.random.Generator) -> Floats:
    """Column sums `(permutations, wordings)` after shuffling the known scores of each row among its wordings."""
    sums = np.zeros((permutations, table.shape[1]))
    known = ~np.isnan(table)
    # groups that lack the same wordings are shuffled together
    patterns, members = np.unique(known, axis=0, return_inverse=True)
    for number, pattern in enumerate(patterns):
        rows = table[np.ravel(members) == number][:, pattern]
        sums[:, pattern] += generator.permuted(np.broadcast_to(rows, (permutations, *rows.shape)), axis=2).sum(axis=1)
    return sums


def spread_p_value(observed: float, null: Floats) -> float:
    """One-sided p of a spread against its permutation null, with the +1 correction (Phipson & Smyth 2010)."""
    if np.isnan(observed):
        return float("nan")
    # the same spread, summed in another order, may miss the observed one by a rounding error
    return float((1 + (null >= observed - 1e-12).sum()) / (1 + len(null)))


def score_differences(scores: ArrayLike) -> Floats:
    """Per group, the mean absolute difference of its scores over pairs of wordings, `(groups,)`; PSS is their mean.

    For scores of 0 and 1, of which c out of N are 1, it is 2 c (N - c) / (N (N - 1)). NaN for a group of one. Source: Zhuo et al.
    2024, ProSA, arXiv 2410.12405.
    """
    # sorted, the k-th score is subtracted k times and added n - 1 - k times: no pairs need to be formed
    table = np.sort(np.asarray(scores, dtype=np.float64), axis=1)
    count = (~np.isnan(table)).sum(axis=1)
    factors = 2 * np.arange(table.shape[1]) + 1 - count[:, None]
    total = np.where(np.isnan(table), 0.0, table * factors).sum(axis=1)
    return ratio(total, count * (count - 1) / 2)


def answer_agreement(codes: ArrayLike, failed: ArrayLike | None = None) -> tuple[int, int]:
    """(pairs with equal answers, all pairs) of the prompts of one group; agreement over groups is the ratio of their sums.

    `codes` `(N,)` are equal numbers for equal answers; `failed` `(N,)` is true where the answer is none that is allowed: two failures
    do not agree (None: no failures). Source: Elazar et al. 2021; SCORE in lm-evaluation-harness.
    """
    answers = np.asarray(codes)
    sound = answers if failed is None else answers[~np.asarray(failed, dtype=bool)]
    counts = np.unique(sound, return_counts=True)[1]
    pairs = len(answers) * (len(answers) - 1) // 2
    return int((counts * (counts - 1) // 2).sum()), pairs


def answer_entropy(codes: ArrayLike, labels: int) -> float:
    """Entropy of the answers of one group divided by log(labels): 0 for one answer, 1 for all labels equally often.

    Answers that are no label count as further answers, so a group full of them can exceed 1. NaN for fewer than two labels. Source:
    Errica et al. 2024, arXiv 2406.12334.
    """
    if labels < 2:
        return float("nan")
    counts = np.unique(np.asarray(codes), return_counts=True)[1]
    shares = counts / counts.sum()
    # + 0.0 makes the negative zero of a single answer a zero
    return float(-(shares * np.log(shares)).sum() / np.log(labels)) + 0.0


def degeneracy(answers: Sequence[object], targets: Sequence[object], dominant: float = DOMINANT_SHARE) -> Degeneracy:
    """Whether steadiness is that of a model which answers the same whatever it is asked.

    It is if one answer makes up at least the share `dominant` of the answers to all prompts of all groups, and no target does.
    """
    distinct_answers, top_answer = _commonest(answers)
    distinct_targets, top_target = _commonest(targets)
    return Degeneracy(distinct_answers, top_answer, distinct_targets, top_target, top_answer >= dominant > top_target)


def _commonest(values: Sequence[object]) -> tuple[int, float]:
    counts = Counter(values)
    return len(counts), max(counts.values()) / len(values) if values else float("nan")
