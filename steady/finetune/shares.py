"""The share that a process has of a training batch."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from steady.models.ranks import my_places

SHARE = "share"  # the key of a batch that says which part of the rows it has


@dataclass(frozen=True)
class SharedBatches:
    """Collates the rows that this process has of a batch; every process is given the rows of the whole batch.

    Neighbours have like lengths where rows are sampled by length, so every `size()`-th row makes shares of like cost.
    """

    collate: Callable[[list[Any]], Any]
    together: int = 1

    def __call__(self, rows: Sequence[Any]) -> dict[str, Any]:
        """The batch with its `SHARE`; nothing else where there are fewer rows than processes."""
        mine = [rows[place] for place in my_places(len(rows), self.together)]
        return {**(self.collate(mine) if mine else {}), SHARE: len(mine) / len(rows)}
