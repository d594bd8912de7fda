"""The order of rows: groups of one task, shuffled anew each epoch, addressed by a cursor."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from pretrain.corpus import Row, Task


@dataclass(frozen=True)
class Mixture:
    """How rows are drawn.

    Attributes:
        other_share: share of the rows of non-classification tasks that an epoch takes.
        max_group_rows: rows of one task that share a definition, at most.
        canonical_share: probability of the canonical layout.
        definition_last_share: probability, otherwise, that the definition follows the input.
        examples_share: probability that a group begins with solved examples.
        definition_characters: bound on the definition's length.
    """

    other_share: float
    max_group_rows: int
    canonical_share: float
    definition_last_share: float
    examples_share: float
    definition_characters: int


@dataclass(frozen=True)
class Entry:
    """A row of the order; ``starts_group`` where a new group of one task begins."""

    row: int
    starts_group: bool


def order_rows(rows: Sequence[Row], tasks: dict[str, Task], mixture: Mixture, seed: int, epoch: int) -> list[Entry]:
    """The rows of one epoch: every classification row once, a share of the others.

    Args:
        rows: all rows of the stream.
        tasks: facts by task name.
        mixture: shares and group sizes.
        seed: of the stream.
        epoch: from 0; each has its own order.
    """
    generator = random.Random(f"order/{seed}/{epoch}")
    by_task: defaultdict[str, list[int]] = defaultdict(list)
    for index, row in enumerate(rows):
        by_task[row.task].append(index)
    groups: list[list[int]] = []
    for name in sorted(by_task):
        drawn = by_task[name]
        generator.shuffle(drawn)
        if not tasks[name].is_classification:
            drawn = drawn[: max(1, round(len(drawn) * mixture.other_share))]
        groups.extend(split_groups(drawn, mixture.max_group_rows, generator))
    generator.shuffle(groups)
    return [Entry(row, i == 0) for group in groups for i, row in enumerate(group)]


def split_groups(drawn: list[int], max_group_rows: int, generator: random.Random) -> list[list[int]]:
    """Cut a list into groups of ``max_group_rows // 2`` to ``max_group_rows`` rows."""
    groups = []
    start = 0
    while start < len(drawn):
        size = generator.randint(max(1, max_group_rows // 2), max_group_rows)
        groups.append(drawn[start : start + size])
        start += size
    return groups


class RowOrder:
    """An endless walk over the epochs' orders that can be put anywhere by its cursor."""

    def __init__(self, rows: Sequence[Row], tasks: dict[str, Task], mixture: Mixture, seed: int) -> None:
        self.rows = rows
        self.tasks = tasks
        self.mixture = mixture
        self.seed = seed
        self.epoch = 0
        self.position = 0
        self.entries = order_rows(rows, tasks, mixture, seed, 0)
        self.by_task: defaultdict[str, list[int]] = defaultdict(list)
        for index, row in enumerate(rows):
            self.by_task[row.task].append(index)

    def state(self) -> dict[str, int]:
        """The cursor: epoch and position in it."""
        return {"epoch": self.epoch, "position": self.position}

    def load_state(self, state: dict[str, int]) -> None:
        """Put the cursor where ``state()`` was taken."""
        if state["epoch"] != self.epoch:
            self.epoch = state["epoch"]
            self.entries = order_rows(self.rows, self.tasks, self.mixture, self.seed, self.epoch)
        self.position = state["position"]

    def peek(self) -> Entry:
        """The entry under the cursor."""
        return self.entries[self.position]

    def row(self) -> Row:
        """The row under the cursor."""
        return self.rows[self.peek().row]

    def draw_examples(self, generator: random.Random) -> list[Row]:
        """Rows of the same task, at most four, none of them in the group under the cursor."""
        candidates = self.by_task[self.row().task]
        drawn = generator.sample(candidates, min(4, len(candidates)))
        ahead = self.entries[self.position : self.position + self.mixture.max_group_rows]
        inputs = {self.rows[entry.row].input for entry in ahead}
        return [self.rows[index] for index in drawn if self.rows[index].input not in inputs]

    def advance(self) -> None:
        """Move to the next entry, into the next epoch after the last."""
        self.position += 1
        if self.position == len(self.entries):
            self.load_state({"epoch": self.epoch + 1, "position": 0})

    def generator(self, purpose: str) -> random.Random:
        """A random generator that depends on the cursor alone."""
        return random.Random(f"{purpose}/{self.seed}/{self.epoch}/{self.position}")
