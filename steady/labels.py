"""What the answer to a label task is (one label, or a set of labels), how it is written and read, and what a loss wants of it.

A set is one answer: its labels in the order of `data.labels`, joined by ", ", and `none` where it is empty. So accuracy, agreement
and every other measure of answers means the same for both kinds of task.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
SEPARATOR = ", "
NO_LABELS = "none"
# Of the smallest 1 - p that float64 tells from 0 while p is near 1; scikit-learn's `log_loss` clips there too.
LOWEST_LOGPROB = float(np.log(np.finfo(np.float64).eps))


def joined(labels: Iterable[str]) -> str:
    """Labels as one answer, in the order given."""
    return SEPARATOR.join(labels) or NO_LABELS


def ambiguous(labels: Iterable[str]) -> list[str]:
    """The labels that an answer of several labels could not be told apart by: with a comma, or called like the empty set."""
    return [label for label in labels if "," in label or label == NO_LABELS]


def as_label(value: Any, allowed: tuple[str, ...] | None = None) -> Any:
    """A truth value as the label `true` or `false`, as JSON writes it; programs write True and TRUE into tables.

    Where the task has labels, it is the one of them that is spelt so but for case. Anything else stays.
    """
    text = str(value).strip().casefold() if isinstance(value, bool | str) else ""
    if text not in ("true", "false"):
        return value
    return next((label for label in allowed or () if label.casefold() == text), text)


@dataclass(frozen=True)
class LabelTask:
    """The labels of a task, and whether an answer may have several of them."""

    labels: tuple[str, ...]
    multi_label: bool = False

    def read(self, answer: str) -> tuple[str, ...] | None:
        """The labels that an answer names, in the order of the list; None where a part of it is no label."""
        if not self.multi_label:
            return (answer,) if answer in self.labels else None
        names = set() if answer == NO_LABELS else {part.strip() for part in answer.split(",")}
        return tuple(label for label in self.labels if label in names) if names <= set(self.labels) else None

    def target(self, answer: str) -> int | list[float]:
        """What the loss wants: the number of the label, or 1.0 for each label named and else 0.0; ValueError where one is no label."""
        named = self.read(answer)
        if named is None:
            raise ValueError(f"{answer!r} is no answer of {', '.join(self.labels)}")
        return [float(label in named) for label in self.labels] if self.multi_label else self.labels.index(answer)

    def answer(self, logprobs: Floats) -> tuple[str, float]:
        """The most probable answer under log-probabilities `(labels,)`, and its log-probability.

        Labels of a set are independent given the prompt, so the most probable set has every label of probability 0.5 or
        more, and its log-probability is the sum of log p over its labels and of log (1 - p) over the others.
        """
        if not self.multi_label:
            best = int(logprobs.argmax())
            return self.labels[best], float(logprobs[best])
        against = log_complements(logprobs)
        # p >= 1 - p is p >= 0.5.
        named = logprobs >= against
        text = joined(label for label, chosen in zip(self.labels, named, strict=True) if chosen)
        return text, float(np.where(named, logprobs, against).sum())


def log_sigmoid(logits: NDArray[np.floating[Any]]) -> Floats:
    """Natural-log probabilities of labels that do not exclude each other, in float64."""
    # log(1 / (1 + exp(-x))) overflows for large negative x; logaddexp does not.
    return np.asarray(-np.logaddexp(0.0, -logits.astype(np.float64)))


def log_complements(logprobs: Floats) -> Floats:
    """Logarithms of 1 - p from those of p; both are taken to be at least log 2.2e-16."""
    return np.asarray(np.maximum(np.log(-np.expm1(np.minimum(logprobs, -np.finfo(np.float64).eps))), LOWEST_LOGPROB))
