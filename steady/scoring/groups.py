"""Groups of prompts with one intent, what is sampled of them, and the order in which they are scored. No model is needed here."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from steady.records import Asked, Prompt

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

WINDOW = 64
"""Groups that are sorted by length together; a window at a time, results come in nearly in file order."""


@dataclass(frozen=True)
class PromptGroup:
    """Prompts of one intent: their ids, and what is asked: texts or, in `steady measure` alone, conversations too."""

    id: str
    prompt_ids: tuple[str, ...]
    prompts: tuple[Asked, ...]


def prompt_groups(prompts: Sequence[Prompt]) -> list[PromptGroup]:
    """Groups of prompts in order of first appearance."""
    members: dict[str, list[Prompt]] = {}
    for prompt in prompts:
        members.setdefault(prompt.group_id, []).append(prompt)
    groups = members.items()
    return [
        PromptGroup(name, tuple(one.id for one in rows), tuple(one.prompt for one in rows)) for name, rows in groups
    ]


def sample_pairs(prompts: int, max_pairs: int | None, seed: int, group_id: str) -> Mask | None:
    """A uniform sample, without replacement, of at most `max_pairs` ordered pairs of different prompts of a group; None for all.
    The id makes the draw of a group independent of the other groups.
    """
    rows, columns = np.nonzero(~np.eye(prompts, dtype=bool))
    if max_pairs is None or len(rows) <= max_pairs:
        return None
    # bytes of the id, because `hash` of a text differs from process to process
    generator = np.random.default_rng([seed, *group_id.encode()])
    chosen = generator.choice(len(rows), size=max_pairs, replace=False)
    sampled = np.zeros((prompts, prompts), dtype=bool)
    sampled[rows[chosen], columns[chosen]] = True
    return sampled


def bundles(
    sizes: Sequence[tuple[int, int]], positions: int, max_new_tokens: int, order: Sequence[int] | None = None
) -> list[list[int]]:
    """Places of the groups that are scored together: of like length, and within the budget where more than one.

    Args:
        sizes: prompts of each group and the tokens of its longest prompt.
        positions: cached positions that may be held at once.
        order: places in the order in which they are scored; None is file order.
    """
    places = range(len(sizes)) if order is None else order
    made: list[list[int]] = []
    for start in range(0, len(places), WINDOW):
        window = sorted(places[start : start + WINDOW], key=lambda place: (sizes[place][1], place))
        rows = 0
        for number, place in enumerate(window):
            prompts, longest = sizes[place]
            # a bundle ends with its window, so that results come in nearly in file order
            rows = rows + prompts if number else prompts
            if number == 0 or rows * (longest + max_new_tokens) > positions:
                made.append([])
                rows = prompts
            made[-1].append(place)
    return made


def half_width(values: Sequence[float], confidence: float = 0.95) -> float:
    """Half the width of the t interval of a mean over groups; infinite for fewer than two."""
    from scipy.stats import t

    if len(values) < 2:
        return float("inf")
    return float(t.ppf((1 + confidence) / 2, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values)))


def is_precise(values: Sequence[float], precision: float, fewest: int = 20) -> bool:
    """Whether the mean of at least `fewest` groups is known to `precision` of itself, at 95 % confidence."""
    return len(values) >= fewest and half_width(values) <= precision * abs(float(np.mean(values)))
