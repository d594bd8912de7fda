"""Span corruption: hide stretches of a text and ask for them back (Raffel et al. 2020, 3.1.4)."""

from __future__ import annotations

import random
from collections.abc import Sequence


def choose_spans(length: int, density: float, mean_length: int, generator: random.Random) -> list[tuple[int, int]]:
    """Disjoint spans (start, end) in order that hide about ``density`` of ``length`` tokens.

    One span is drawn in each of equal stretches of the text, so that spans never touch.
    """
    count = max(1, round(length * density / mean_length))
    stretch = length / count
    spans = []
    for number in range(count):
        size = max(1, min(round(generator.expovariate(1 / mean_length)), int(stretch) - 1))
        first = int(number * stretch)
        start = first + generator.randrange(max(1, int(stretch) - size))
        spans.append((start, min(start + size, length)))
    return spans


def corrupt(
    ids: Sequence[int], spans: Sequence[tuple[int, int]], sentinels: Sequence[int]
) -> tuple[list[int], list[int]]:
    """Replace each span by a sentinel.

    Args:
        ids: token ids of the text.
        spans: disjoint (start, end) in order.
        sentinels: ids of the sentinels; spans beyond their number stay as they are.

    Returns:
        the source with sentinels, and the target: each sentinel followed by what it hides.
    """
    source: list[int] = []
    target: list[int] = []
    place = 0
    for sentinel, (start, end) in zip(sentinels, spans, strict=False):
        source.extend([*ids[place:start], sentinel])
        target.extend([sentinel, *ids[start:end]])
        place = end
    source.extend(ids[place:])
    return source, target
