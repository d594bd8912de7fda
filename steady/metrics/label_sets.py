"""Answers of a task whose rows have several labels: every label set that occurs is one answer, with a probability of its own.

A classifier gives each label a probability, independent of the others given the prompt, so a set S has
log P(S | x) = sum over S of log p(label | x) + sum over the other labels of log (1 - p(label | x)). The matrix of these over the
sets that occur takes the place of the label probabilities of a task with one label a row: log loss, calibration and POSIX are
the same functions of it. The greedy response is the set of labels with p >= 0.5, which is the most probable one, so
M[i][j] = log P(S_j | x_i), of length 1 (`posix.classifier_group`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from steady.labels import Floats, LabelTask, Mask, log_complements, log_sigmoid
from steady.metrics.posix import best_temperature, finite_rows
from steady.metrics.quality import Codes


@dataclass(frozen=True)
class LabelSets:
    """The sets that occur, by number, and the log-probabilities of single labels.

    `members` is `(sets, labels)`, `logprobs` `(rows, labels)` in nats, or None where the model gives none.
    """

    names: tuple[str, ...]
    members: Mask
    logprobs: Floats | None

    def rows(self, index: Codes) -> "LabelSets":
        """The same sets with the log-probabilities of some rows."""
        return self if self.logprobs is None else replace(self, logprobs=self.logprobs[index])

    def of_sets(self, temperature: float | None = None) -> Floats | None:
        """Log-probabilities of the sets `(rows, sets)`, after the labels' logits are divided by a temperature."""
        if self.logprobs is None:
            return None
        labels = self.logprobs if temperature is None else scaled_labels(self.logprobs, temperature)
        return set_logprobs(labels, self.members)

    def temperature(self, gold: Codes) -> float:
        """The temperature that minimises the binary cross-entropy; `gold` are the numbers of the true sets of the rows."""
        assert self.logprobs is not None
        return fit_label_temperature(self.logprobs, self.members[gold])


def label_sets(answers: Sequence[str], labels: Sequence[str], logprobs: Floats | None = None) -> LabelSets:
    """Number the sets that answers and targets name, in order of first appearance; what names none is left out."""
    task = LabelTask(tuple(labels), multi_label=True)
    # Many rows have the same answer, and each is read once.
    read = {answer: task.read(answer) for answer in dict.fromkeys(answers)}
    known = {answer: named for answer, named in read.items() if named is not None}
    members = np.asarray([[label in named for label in labels] for named in known.values()], dtype=bool)
    return LabelSets(tuple(known), members.reshape(len(known), len(labels)), logprobs)


def set_logprobs(logprobs: Floats, members: Mask) -> Floats:
    """Log-probabilities `(rows, sets)` of label sets `(sets, labels)` from those of labels `(rows, labels)`."""
    # a product over labels is a sum of logarithms, for all sets at once
    chosen = members.astype(np.float64).T
    return np.asarray(logprobs @ chosen + log_complements(logprobs) @ (1 - chosen))


def scaled_labels(logprobs: Floats, temperature: float) -> Floats:
    """Log-probabilities of labels after their logits are divided by a temperature."""
    # log p - log (1 - p) is the logit
    return log_sigmoid((logprobs - log_complements(logprobs)) / temperature)


def fit_label_temperature(logprobs: Floats, gold: Mask) -> float:
    """The temperature that minimises the binary cross-entropy of `(rows, labels)` log-probabilities; see `fit_temperature`.

    `gold` `(rows, labels)` says which labels each row has. ValueError where there are no rows, or a log-probability is not finite.
    """
    rows = finite_rows(logprobs)

    def loss(temperature: float) -> float:
        scaled = scaled_labels(rows, temperature)
        return -float(np.where(gold, scaled, log_complements(scaled)).mean())

    return best_temperature(loss)


def two_by_two(gold: Mask, answer: Mask) -> list[dict[str, int]]:
    """For each label, how many of the rows `(rows, labels)` have it and are given it, and so on."""
    cells = {
        "true_positive": gold & answer,
        "false_positive": ~gold & answer,
        "false_negative": gold & ~answer,
        "true_negative": ~gold & ~answer,
    }
    counts = {name: cell.sum(axis=0).tolist() for name, cell in cells.items()}
    return [{name: column[label] for name, column in counts.items()} for label in range(gold.shape[1])]
