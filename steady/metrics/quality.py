"""Task quality of answers: accuracy, F1, confusion, log loss, calibration, each as a function of group weights too.

Classes are numbered in the order of the label list. An answer that is no label has number -1: it is wrong, and it has a
column of its own in the confusion matrix.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from steady.labels import LOWEST_LOGPROB, Floats, Mask
from steady.metrics.resampling import ratio

Codes = NDArray[np.intp]
NO_LABEL = -1
BINS = 15


@dataclass(frozen=True)
class Answered:
    """Rows with the answers of one arm.

    `gold` and `answer` are class numbers `(rows,)`; `correct` is 0 or 1 `(rows,)`; `logprobs` is `(rows, classes)` in nats,
    or None where the model gives none; `groups` numbers the group of each row from 0. Where a row may have several of the
    classes, gold, answer and the columns of `logprobs` number sets of them, and `members` `(sets, classes)` says which.
    """

    gold: Codes
    answer: Codes
    correct: Floats
    logprobs: Floats | None
    groups: Codes
    classes: int
    members: Mask | None = None

    def indicators(self, codes: Codes) -> Floats:
        """Which classes each row has, `(rows, classes)`; an answer that is no label has none."""
        if self.members is None:
            return np.asarray(np.equal.outer(codes, np.arange(self.classes)), dtype=np.float64)
        # -1 as an index is the last set, so it has to be masked
        return np.asarray(self.members[codes] & (codes != NO_LABEL)[:, None], dtype=np.float64)

    @property
    def group_count(self) -> int:
        """Number of groups."""
        return int(self.groups.max()) + 1 if len(self.groups) else 0


def confusion_matrix(gold: ArrayLike, answer: ArrayLike, classes: int) -> NDArray[np.int64]:
    """Counts `(classes, classes + 1)`: true class by answer; the last column counts answers that are no label."""
    true, given = np.asarray(gold, dtype=np.intp), np.asarray(answer, dtype=np.intp)
    columns = np.where(given == NO_LABEL, classes, given)
    # one number for a cell, so that a single `bincount` counts them all
    cells = (true * (classes + 1) + columns)[true != NO_LABEL]
    return np.bincount(cells, minlength=classes * (classes + 1)).reshape(classes, classes + 1)


def class_scores(hits: Floats, answered: Floats, support: Floats) -> tuple[Floats, Floats, Floats]:
    """Precision, recall and F1 per class `(…, classes)`; 0 where nothing was answered or nothing is there.

    `hits` are the right answers of each class, `answered` the answers of that class, `support` its rows.
    """
    # 0 for 0 / 0, as scikit-learn has it
    precision, recall = np.nan_to_num(ratio(hits, answered)), np.nan_to_num(ratio(hits, support))
    return precision, recall, np.nan_to_num(ratio(2 * hits, answered + support))


def log_losses(logprobs: Floats, gold: Codes) -> Floats:
    """-log P(true class) per row in nats, `(rows,)`, NaN for rows that are not finite; P is at least 2.2e-16."""
    losses = -np.maximum(logprobs[np.arange(len(gold)), gold], LOWEST_LOGPROB)
    return np.asarray(np.where(np.isfinite(logprobs).all(axis=1), losses, np.nan), dtype=np.float64)


def calibration_gaps(logprobs: Floats, gold: Codes, bins: int = BINS) -> Floats:
    """Correctness minus confidence of each row, in the column of its bin, `(rows, bins)` (Guo et al. 2017, arXiv 1706.04599).

    The expected calibration error is the sum over bins of abs(column sum), divided by the rows. Bins are (k/15, (k+1)/15].
    Rows that are not finite are zero.
    """
    finite = np.asarray(np.isfinite(logprobs).all(axis=1))
    # rows that are not finite take part with a gap of 0, which keeps the arrays in step
    sound = np.where(finite[:, None], logprobs, 0.0)
    confidence = np.exp(sound.max(axis=1, initial=-np.inf))
    column = np.clip(np.ceil(confidence * bins).astype(np.intp) - 1, 0, bins - 1)
    gaps = np.zeros((len(gold), bins))
    gaps[np.arange(len(gold)), column] = np.where(finite, (sound.argmax(axis=1) == gold) - confidence, 0.0)
    return gaps


def group_sums(values: Floats, groups: Codes, count: int) -> Floats:
    """Sums of rows `(rows,)` or `(rows, n)` over each group, `(count,)` or `(count, n)`."""
    sums = np.zeros((count, *values.shape[1:]))
    # `sums[groups] += values` would add one row of each group
    np.add.at(sums, groups, values)
    return sums


class WeightedCounts(NamedTuple):
    """What the measures of quality are made from, under weights of groups.

    `rows`, `correct`, `no_label`, `losses` (summed log losses) and `finite` (rows that have one) are `(draws,)`; `hits`,
    `answered` and `support` are `(draws, classes)`, as in `class_scores`; `gaps` is `(draws, bins)` (`calibration_gaps`).
    """

    rows: Floats
    correct: Floats
    no_label: Floats
    losses: Floats
    finite: Floats
    hits: Floats
    answered: Floats
    support: Floats
    gaps: Floats


def weighted_counts(data: Answered) -> Callable[[Floats], WeightedCounts]:
    """Sum the rows of each group once, and return the function that weighs the groups `(draws, groups)`."""
    # All that a measure needs is a sum over rows, so that weights of groups suffice to compute it anew.
    is_gold, is_answer = data.indicators(data.gold), data.indicators(data.answer)
    nothing = np.zeros(len(data.gold))
    losses, finite, gaps = nothing, nothing, np.zeros((len(data.gold), BINS))
    if data.logprobs is not None and data.classes and len(data.logprobs):
        found = log_losses(data.logprobs, data.gold)
        losses, finite = np.nan_to_num(found), (~np.isnan(found)).astype(np.float64)
        gaps = calibration_gaps(data.logprobs, data.gold)
    no_label = (data.answer == NO_LABEL).astype(np.float64)
    hits = is_gold * is_answer
    rows = (nothing + 1, data.correct, no_label, losses, finite, hits, is_answer, is_gold, gaps)
    # sums of groups are what a draw weighs: thousands of draws then cost one product of matrices each
    sums = [group_sums(values, data.groups, data.group_count) for values in rows]
    return lambda weights: WeightedCounts(*(weights @ values for values in sums))


def accuracy(counts: WeightedCounts) -> Floats:
    """Share of rows that are answered correctly; of sets, with exactly the right labels."""
    return ratio(counts.correct, counts.rows)


def macro_f1(counts: WeightedCounts) -> Floats:
    """F1, averaged over the classes that occur as a target or as an answer, as scikit-learn averages by default."""
    scores = class_scores(counts.hits, counts.answered, counts.support)[2]
    # A class that no row of a bootstrap draw has would count as 0 there, which pulls the interval below the value.
    present = counts.answered + counts.support > 0
    return ratio(np.where(present, scores, 0.0).sum(axis=1), present.sum(axis=1))


def weighted_f1(counts: WeightedCounts) -> Floats:
    """F1, averaged over the classes by their rows."""
    scores = class_scores(counts.hits, counts.answered, counts.support)[2]
    return ratio((scores * counts.support).sum(axis=1), counts.support.sum(axis=1))


def log_loss(counts: WeightedCounts) -> Floats:
    """Mean of -log P(true class) in nats, NaN where the model gives no probabilities."""
    return ratio(counts.losses, counts.finite)


def expected_calibration_error(counts: WeightedCounts) -> Floats:
    """How far confidence and correctness lie apart (`calibration_gaps`), NaN where the model gives no probabilities."""
    return ratio(np.abs(counts.gaps).sum(axis=1), counts.finite)


def unparsed(counts: WeightedCounts) -> Floats:
    """Share of rows whose answer is no label, NaN where there are no labels."""
    # without labels the denominator is 0, and the measure NaN
    return ratio(counts.no_label, counts.rows * (counts.hits.shape[1] > 0))


def micro_f1(counts: WeightedCounts) -> Floats:
    """F1 of all labels of all rows together."""
    both = counts.hits.sum(axis=1)
    return np.nan_to_num(ratio(2 * both, counts.answered.sum(axis=1) + counts.support.sum(axis=1)))


def hamming_loss(counts: WeightedCounts) -> Floats:
    """Share of labels, over all rows, that an answer has and the target has not, or the other way round."""
    wrong = counts.answered.sum(axis=1) + counts.support.sum(axis=1) - 2 * counts.hits.sum(axis=1)
    return ratio(wrong, counts.rows * counts.hits.shape[1])
