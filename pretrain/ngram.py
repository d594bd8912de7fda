"""An interpolated n-gram model with modified Kneser-Ney smoothing, in numpy.

The yardstick of the language figures: Chen and Goodman (1999), the smoothing that KenLM uses. nltk
has no modified discounts and holds each n-gram as Python objects, too much for 20 million tokens;
``tests/pretrain`` holds this one to a value worked out by hand and to a sum of one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Level:
    """One order of the model; n-grams are numbered by the sorted keys.

    Attributes:
        keys: of each n-gram: number of its last n-1 tokens times the vocabulary, plus its first.
        counts: of each n-gram: how often (highest order) or after how many tokens (others).
        discounts: subtracted from a count of 1, 2, 3 and more.
        totals: sum of the counts after each context (an n-gram of the order below).
        freed: probability mass times total that discounting frees for the order below.
    """

    keys: Integers
    counts: Integers
    discounts: Floats
    totals: Floats
    freed: Floats


class NgramModel:
    """A model of order ``n`` over token ids below ``vocab_size``; id 0 pads row beginnings."""

    def __init__(self, rows: Sequence[Sequence[int]], order: int, vocab_size: int) -> None:
        self.order = order
        self.vocab_size = vocab_size
        stream, targets = lay_out(rows, order)
        keys: list[Integers] = []
        numbers: list[Integers] = []
        for n in range(1, order + 1):
            found = self.key(stream, numbers[-1] if numbers else None, n)
            unique, inverse = np.unique(found, return_inverse=True)
            keys.append(unique)
            numbers.append(inverse.astype(np.int64))
        self.levels: list[Level] = []
        for n in range(1, order + 1):
            upper = numbers[n] if n < order else None
            counts = count_grams(numbers[n - 1], upper, targets, len(keys[n - 1]))
            contexts = np.zeros(len(keys[n - 1]), dtype=np.int64)
            if n > 1:
                contexts[numbers[n - 1][1:]] = numbers[n - 2][:-1]
            size = len(keys[n - 2]) if n > 1 else 1
            self.levels.append(build_level(keys[n - 1], counts, contexts, size))

    def key(self, stream: Integers, suffix: Integers | None, n: int) -> Integers:
        """Keys of the n-grams that end at each place of a padded stream."""
        if suffix is None:
            return stream
        first = np.concatenate([np.zeros(n - 1, dtype=np.int64), stream[: 1 - n]])
        return np.where(suffix < 0, -1, suffix * self.vocab_size + first)

    def log_probabilities(self, rows: Sequence[Sequence[int]]) -> list[Floats]:
        """Natural log-probability of each token of each row given those before it in the row."""
        stream, targets = lay_out(rows, self.order)
        probability = np.full(len(stream), 1.0 / self.vocab_size)
        numbers: Integers | None = None
        for n, level in enumerate(self.levels, 1):
            below = numbers
            keys = self.key(stream, numbers, n)
            numbers = find(level.keys, keys)
            if below is None:
                context = np.zeros(len(stream), dtype=np.int64)
            else:
                context = np.concatenate([np.full(1, -1, dtype=np.int64), below[:-1]])
            probability = interpolate(level, numbers, context, probability)
        values = np.log(probability[targets])
        ends = np.cumsum([len(row) for row in rows])[:-1]
        return list(np.split(values, ends))


def lay_out(rows: Sequence[Sequence[int]], order: int) -> tuple[Integers, NDArray[np.bool_]]:
    """All rows in one stream, each after ``order - 1`` zeros, and which places are tokens."""
    padding = [0] * (order - 1)
    lengths = np.array([len(row) for row in rows])
    stream = np.concatenate([np.array([*padding, *row], dtype=np.int64) for row in rows])
    targets = np.ones(len(stream), dtype=bool)
    starts = np.concatenate([[0], np.cumsum(lengths + order - 1)[:-1]])
    for offset in range(order - 1):
        targets[starts + offset] = False
    return stream, targets


def count_grams(numbers: Integers, upper: Integers | None, targets: NDArray[np.bool_], size: int) -> Integers:
    """Counts at the highest order; below it, the number of distinct tokens to the left."""
    if upper is None:
        return np.bincount(numbers[targets], minlength=size)
    _, places = np.unique(upper[targets], return_index=True)
    return np.bincount(numbers[targets][places], minlength=size)


def build_level(keys: Integers, counts: Integers, contexts: Integers, size: int) -> Level:
    """Discounts by Chen and Goodman's formula, totals and freed mass per context."""
    frequency = np.array([(counts == value).sum() for value in (1, 2, 3, 4)], dtype=float)
    base = frequency[0] / max(1.0, frequency[0] + 2 * frequency[1])
    ratios = frequency[1:] / np.maximum(frequency[:-1], 1.0)
    discounts = np.array([value - (value + 1) * base * ratios[value - 1] for value in (1, 2, 3)])
    discounts = np.concatenate([[0.0], np.clip(discounts, 0.1, [0.9, 1.9, 2.9])])
    taken = discounts[np.minimum(counts, 3)]
    return Level(
        keys=keys,
        counts=counts,
        discounts=discounts,
        totals=np.bincount(contexts, weights=counts, minlength=size).astype(float),
        freed=np.bincount(contexts, weights=taken, minlength=size).astype(float),
    )


def find(keys: Integers, wanted: Integers) -> Integers:
    """Place of each wanted key among the sorted keys, -1 where it is not among them."""
    places = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[places] == wanted, places, -1)


def interpolate(level: Level, numbers: Integers, context: Integers, lower: Floats) -> Floats:
    """Probability at this order, ``lower`` being the one at the order below."""
    counts = np.where(numbers >= 0, level.counts[np.maximum(numbers, 0)], 0)
    kept = counts - level.discounts[np.minimum(counts, 3)]
    totals = np.where(context >= 0, level.totals[np.maximum(context, 0)], 0.0)
    freed = level.freed[np.maximum(context, 0)]
    mixed = (kept + freed * lower) / np.maximum(totals, 1e-12)
    return np.where(totals > 0, mixed, lower)
