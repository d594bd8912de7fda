"""Task quality of answers: accuracy, F1, confusion, log loss, calibration, each as a function of group weights too.

Classes are numbered in the order of the label list. An answer that is no label has number -1: it is wrong, and it has a
column of its own in the confusion matrix.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from steady.metrics.resampling import Floats, Statistic, ratio

Codes = NDArray[np.intp]
NO_LABEL = -1
BINS = 15
LOWEST_LOGPROB = float(np.log(np.finfo(np.float64).eps))


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
    members: NDArray[np.bool_] | None = None

    def indicators(self, codes: Codes) -> Floats:
        """Which classes each row has, `(rows, classes)`; an answer that is no label has none."""
        if self.members is None:
            return np.asarray(np.equal.outer(codes, np.arange(self.classes)), dtype=np.float64)
        return np.asarray(self.members[codes] & (codes != NO_LABEL)[:, None], dtype=np.float64)

    @property
    def group_count(self) -> int:
        """Number of groups."""
        return int(self.groups.max()) + 1 if len(self.groups) else 0


def confusion_matrix(gold: ArrayLike, answer: ArrayLike, classes: int) -> NDArray[np.int64]:
    """Counts `(classes, classes + 1)`: true class by answer; the last column counts answers that are no label."""
    true, given = np.asarray(gold, dtype=np.intp), np.asarray(answer, dtype=np.intp)
    columns = np.where(given == NO_LABEL, classes, given)
    cells = (true * (classes + 1) + columns)[true != NO_LABEL]
    return np.bincount(cells, minlength=classes * (classes + 1)).reshape(classes, classes + 1)


def class_scores(hits: Floats, answered: Floats, support: Floats) -> tuple[Floats, Floats, Floats]:
    """Precision, recall and F1 per class `(…, classes)`; 0 where nothing was answered or nothing is there.

    Args:
        hits: right answers of each class; `answered`: answers of that class; `support`: rows of that class.
    """
    precision, recall = np.nan_to_num(ratio(hits, answered)), np.nan_to_num(ratio(hits, support))
    return precision, recall, np.nan_to_num(ratio(2 * hits, answered + support))


def mean_of_present(scores: Floats, rows: Floats) -> Floats:
    """Mean over the classes that occur as a target or as an answer, `(draws,)`, as scikit-learn averages by default.

    A class that no row of a bootstrap draw has would otherwise count as 0 there, which pulls the interval below the value.

    Args:
        scores: `(draws, classes)`; `rows`: targets and answers of each class, 0 where the class does not occur.
    """
    present = rows > 0
    return ratio(np.where(present, scores, 0.0).sum(axis=1), present.sum(axis=1))


def log_losses(logprobs: Floats, gold: Codes) -> Floats:
    """-log P(true class) per row in nats, `(rows,)`, NaN for rows that are not finite; P is at least 2.2e-16."""
    losses = -np.maximum(logprobs[np.arange(len(gold)), gold], LOWEST_LOGPROB)
    return np.asarray(np.where(np.isfinite(logprobs).all(axis=1), losses, np.nan), dtype=np.float64)


def calibration_gaps(logprobs: Floats, gold: Codes, bins: int = BINS) -> Floats:
    """Correctness minus confidence of each row, in the column of its confidence bin, `(rows, bins)`.

    The expected calibration error is the sum over bins of abs(column sum), divided by the rows. Bins are (k/15, (k+1)/15].
    Rows that are not finite are zero.

    Source: Guo et al. 2017, arXiv 1706.04599.
    """
    finite = np.asarray(np.isfinite(logprobs).all(axis=1))
    sound = np.where(finite[:, None], logprobs, 0.0)
    confidence = np.exp(sound.max(axis=1, initial=-np.inf))
    column = np.clip(np.ceil(confidence * bins).astype(np.intp) - 1, 0, bins - 1)
    gaps = np.zeros((len(gold), bins))
    gaps[np.arange(len(gold)), column] = np.where(finite, (sound.argmax(axis=1) == gold) - confidence, 0.0)
    return gaps


def group_sums(values: Floats, groups: Codes, count: int) -> Floats:
    """Sums of rows `(rows,)` or `(rows, n)` over each group, `(count,)` or `(count, n)`."""
    sums = np.zeros((count, *values.shape[1:]))
    np.add.at(sums, groups, values)
    return sums


def quality_statistic(data: Answered) -> Statistic:
    """The statistic that the bootstrap draws: every measure of quality under group weights.

    It returns `accuracy`, `macro_f1`, `weighted_f1`, `log_loss`, `expected_calibration_error` and `unparsed` (share of rows
    whose answer is no label), each `(draws,)`, and `precision`, `recall`, `f1`, each `(draws, classes)`; for sets of classes
    also those of `set_scores`.
    """
    count = data.group_count
    is_gold, is_answer = data.indicators(data.gold), data.indicators(data.answer)
    rows = group_sums(np.ones(len(data.gold)), data.groups, count)
    correct = group_sums(data.correct, data.groups, count)
    unparsed = group_sums((data.answer == NO_LABEL).astype(np.float64), data.groups, count)
    parts = [group_sums(part, data.groups, count) for part in (is_gold * is_answer, is_answer, is_gold)]
    probabilities = _probability_statistic(data)

    def statistic(weights: Floats) -> dict[str, Floats]:
        total = weights @ rows
        hits, answered, support = (weights @ part for part in parts)
        precision, recall, f1 = class_scores(hits, answered, support)
        nothing = np.full(len(weights), np.nan)
        return {
            "accuracy": ratio(weights @ correct, total),
            "macro_f1": mean_of_present(f1, answered + support),
            "weighted_f1": ratio((f1 * support).sum(axis=1), support.sum(axis=1)),
            **probabilities(weights),
            "unparsed": ratio(weights @ unparsed, total) if data.classes else nothing,
            "precision": precision,
            "recall": recall,
            "f1": f1,
            **(set_scores(hits, answered, support, total) if data.members is not None else {}),
        }

    return statistic


def set_scores(hits: Floats, answered: Floats, support: Floats, rows: Floats) -> dict[str, Floats]:
    """Scores of label sets that have no counterpart for single labels, each `(draws,)`.

    `micro_f1` pools right labels over all labels; `hamming_loss` is the share of labels, over all rows, that an answer has and
    the target has not, or the other way round.

    Args:
        hits: for each label, rows that have it and are given it `(draws, labels)`; `answered` and `support` likewise.
        rows: `(draws,)`.
    """
    both, given, there = hits.sum(axis=1), answered.sum(axis=1), support.sum(axis=1)
    return {
        "micro_f1": np.nan_to_num(ratio(2 * both, given + there)),
        "hamming_loss": ratio(given + there - 2 * both, rows * hits.shape[1]),
    }


def _probability_statistic(data: Answered) -> Statistic:
    """Log loss and calibration error, NaN where the model gives no probabilities."""
    logprobs, count = data.logprobs, data.group_count

    def nothing(weights: Floats) -> dict[str, Floats]:
        empty = np.full(len(weights), np.nan)
        return {"log_loss": empty, "expected_calibration_error": empty}

    if logprobs is None or not data.classes or not len(logprobs):
        return nothing
    losses = log_losses(logprobs, data.gold)
    sums = group_sums(np.nan_to_num(losses), data.groups, count)
    finite = group_sums((~np.isnan(losses)).astype(np.float64), data.groups, count)
    gaps = group_sums(calibration_gaps(logprobs, data.gold), data.groups, count)

    def statistic(weights: Floats) -> dict[str, Floats]:
        total = weights @ finite
        error = ratio(np.abs(weights @ gaps).sum(axis=1), total)
        return {"log_loss": ratio(weights @ sums, total), "expected_calibration_error": error}

    return statistic
