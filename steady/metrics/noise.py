"""The noise floor: how far a measure of one arm moves when it is measured again under other wordings of the same kind."""

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from steady.labels import Floats
from steady.metrics.answers import Answers, numbered
from steady.metrics.cells import Cell, group_matrix, split_groups
from steady.metrics.matrices import ScoredGroup
from steady.metrics.posix import group_fault, log_ratios
from steady.metrics.resampling import ratio

FEWEST_WORDINGS = 4


class PairTables(NamedTuple):
    """Sums over groups for each ordered pair of wordings, `(wordings, wordings)`; the diagonal means nothing.

    `equal` counts groups with equal answers and `correct` right answers, both out of `answered`; `log_ratios` sums
    abs(M[i][j] - M[j][j]) / L_j over the `scored` groups.
    """

    equal: Floats
    correct: Floats
    answered: Floats
    log_ratios: Floats
    scored: Floats


def noise_floors(
    answers: Answers, cell: Cell, draws: int, seed: int, matrices: Mapping[str, ScoredGroup] | None = None
) -> dict[str, float]:
    """Floors of agreement, mean accuracy and POSIX on one cell of one arm, NaN where there is nothing to split."""
    tables = pair_tables(answers, cell, matrices)
    return {
        "agreement": noise_floor(tables.equal, tables.answered, draws, seed),
        "mean_accuracy": noise_floor(tables.correct, tables.answered, draws, seed),
        "posix": noise_floor(tables.log_ratios, tables.scored, draws, seed),
    }


def pair_tables(answers: Answers, cell: Cell, matrices: Mapping[str, ScoredGroup] | None = None) -> PairTables:
    """Sum what every pair of wordings has in common over the groups of a cell."""
    members, groups = numbered(answers.prompts[row].group_id for row in cell.rows)
    columns, wordings = numbered(answers.prompts[row].wording for row in cell.rows)
    tables = PairTables(*np.zeros((5, len(wordings), len(wordings))))
    for group, places in zip(groups, split_groups(np.arange(len(cell.rows)), members, len(groups)), strict=True):
        rows, pairs = cell.rows[places], np.ix_(columns[places], columns[places])
        codes, sound, correct = answers.codes[rows], ~answers.failed[rows], answers.correct[rows]
        # Of a group with several prompts under one wording each pair counts, which `+=` on the indexed table would not do.
        np.add.at(tables.equal, pairs, (codes[:, None] == codes) & sound[:, None] & sound)
        np.add.at(tables.correct, pairs, (correct[:, None] + correct) / 2)
        np.add.at(tables.answered, pairs, 1.0)
        if answers.logprobs is not None or matrices is not None:
            scored = group_matrix(answers, group, rows, matrices)
            if group_fault(scored.matrix, scored.lengths) is None:
                np.add.at(tables.log_ratios, pairs, log_ratios(scored.matrix, scored.lengths))
                np.add.at(tables.scored, pairs, 1.0)
    return tables


def noise_floor(sums: ArrayLike, counts: ArrayLike, draws: int, seed: int, share: float = 0.95) -> float:
    """The 95th percentile of the absolute difference between a measure on one random half of the wordings and on the other.

    A half holds fewer pairs than the whole, so the floor is on the safe side. NaN with fewer than four wordings.

    Args:
        sums: `(wordings, wordings)`, the measure summed over groups for each pair of wordings; the diagonal is ignored.
        counts: likewise, how many groups have the pair.
    """
    total, number = np.array(sums, dtype=np.float64), np.array(counts, dtype=np.float64)
    wordings = len(total)
    if wordings < FEWEST_WORDINGS:
        return math.nan
    # a wording always agrees with itself
    np.fill_diagonal(total, 0.0)
    np.fill_diagonal(number, 0.0)
    # ranks of a random order split the wordings into two halves that do not overlap
    ranks = np.random.default_rng([seed, wordings]).permuted(np.tile(np.arange(wordings), (draws, 1)), axis=1)
    # of an odd number one is in neither half: halves of equal size have equally noisy measures
    half = wordings // 2
    one, other = (ranks < half).astype(np.float64), ((ranks >= half) & (ranks < 2 * half)).astype(np.float64)
    gaps = np.abs(_over_pairs(one, total, number) - _over_pairs(other, total, number))
    return float(np.nanquantile(gaps, share)) if not np.isnan(gaps).all() else math.nan


def _over_pairs(chosen: Floats, sums: Floats, counts: Floats) -> Floats:
    """The measure on each choice of wordings `(draws, wordings)`."""
    return ratio(((chosen @ sums) * chosen).sum(axis=1), ((chosen @ counts) * chosen).sum(axis=1))
