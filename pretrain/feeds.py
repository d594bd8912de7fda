"""Micro-batches for either architecture: mostly short packed sequences, now and then long ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from pretrain.corpus import Row, Task
from pretrain.params import TrainParams
from pretrain.sampling import Mixture, RowOrder


class Packer(Protocol):
    """Fills sequences from an order of rows."""

    order: RowOrder
    length: int

    def next_sequences(self, count: int) -> list[Any]:
        """The next ``count`` sequences."""


class PackedFeed:
    """Two packers and the function that turns their sequences into a batch.

    Args:
        packers: of the short and of the long sequences.
        collate: makes a batch of sequences and their length.
        params: sizes and the rhythm of the long ones.
    """

    def __init__(
        self,
        packers: tuple[Packer, Packer],
        collate: Callable[[list[Any], int], Any],
        params: TrainParams,
    ) -> None:
        self.packers = packers
        self.collate = collate
        self.params = params

    def next_batch(self, index: int, *, skip: bool = False) -> Any:
        """Micro-batch number ``index`` of the run; with ``skip`` only the cursors move.

        A skipped one belongs to another process of a data-parallel run.
        """
        is_long = index % self.params.long_every == self.params.long_every - 1
        packer = self.packers[1 if is_long else 0]
        count = max(1, self.params.micro_batch_tokens // packer.length)
        sequences = packer.next_sequences(count)
        return None if skip else self.collate(sequences, packer.length)

    def state(self) -> list[dict[str, int]]:
        """The cursors of both packers."""
        return [packer.order.state() for packer in self.packers]

    def load_state(self, state: list[dict[str, int]]) -> None:
        """Put the cursors where ``state()`` was taken."""
        for packer, cursor in zip(self.packers, state, strict=True):
            packer.order.load_state(cursor)


def build_orders(rows: Sequence[Row], tasks: dict[str, Task], params: TrainParams) -> tuple[RowOrder, RowOrder]:
    """Orders for short sequences (rows of bounded length) and for long ones (all rows)."""
    mixture = Mixture(**params.mixture.model_dump())
    short = [row for row in rows if len(row.input) <= params.max_short_characters]
    return (
        RowOrder(short, tasks, mixture, params.seed),
        RowOrder(rows, tasks, mixture, params.seed + 1),
    )
