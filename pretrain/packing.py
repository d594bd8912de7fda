"""Packing for the causal model: several groups in a sequence, each row sees only its own prefix.

Every row of a group continues the same prefix (the definition, its labels, solved examples). The
prefix is laid down once and the rows are branches of it: a token sees the prefix and the earlier
tokens of its own branch, and its position counts from the start of the prefix. So a row costs its
own tokens alone, and it is computed exactly as if it stood alone after its definition.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch

from pretrain.layouts import draw_layout
from pretrain.rendering import (
    Encoder,
    Group,
    LossWeights,
    Tokens,
    draw_group,
    prefix_pieces,
    row_pieces,
    weigh,
)
from pretrain.sampling import RowOrder

MASKED = -1.0e4


NOTHING = Tokens([], [])


@dataclass
class PackedSequence:
    """Tokens of one sequence, five lists of one length, and three counters.

    Attributes:
        input_ids: token ids.
        positions: position within prefix and branch, from 0.
        documents: number of the token's group in the sequence.
        branches: 0 for a prefix, else the number of the row in the sequence.
        weights: what predicting this token from the one before counts.
        document: number of the last group, from 0.
        branch: number of the last row, from 1.
        prefix: length of the last group's prefix in tokens.
    """

    input_ids: list[int] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    documents: list[int] = field(default_factory=list)
    branches: list[int] = field(default_factory=list)
    weights: list[float] = field(default_factory=list)
    document: int = -1
    branch: int = 0
    prefix: int = 0

    def __len__(self) -> int:
        return len(self.input_ids)

    def open_document(self, prefix: Tokens) -> None:
        """Begin a group with its prefix, which may be empty."""
        self.document += 1
        self.prefix = len(prefix)
        self.append(prefix, start=0, branch=0)

    def add_branch(self, row: Tokens) -> None:
        """Add a row that continues the open group's prefix."""
        self.branch += 1
        self.append(row, start=self.prefix, branch=self.branch)

    def append(self, tokens: Tokens, *, start: int, branch: int) -> None:
        """Add tokens; the first one is never a target, its predecessor being elsewhere."""
        count = len(tokens)
        self.input_ids.extend(tokens.ids)
        self.positions.extend(range(start, start + count))
        self.documents.extend([self.document] * count)
        self.branches.extend([branch] * count)
        self.weights.extend([0.0, *tokens.weights[1:]] if count else [])


@dataclass(frozen=True)
class CausalBatch:
    """A batch of packed sequences, tensors of shape (batch, tokens) but for the mask.

    Attributes:
        input_ids: int64.
        positions: int64.
        mask: (batch, 1, tokens, tokens), added to the attention scores, 0 or ``MASKED``.
        weights: float32, of the prediction of each token from the one before.
    """

    input_ids: torch.Tensor
    positions: torch.Tensor
    mask: torch.Tensor
    weights: torch.Tensor


def branch_mask(documents: torch.Tensor, branches: torch.Tensor) -> torch.Tensor:
    """Which token may see which.

    Args:
        documents: (batch, tokens) group numbers, -1 for padding.
        branches: (batch, tokens) row numbers, 0 for a prefix.

    Returns:
        (batch, tokens, tokens) boolean: [b, i, j] tells whether i sees j.
    """
    tokens = documents.shape[1]
    causal = torch.ones(tokens, tokens, dtype=torch.bool).tril()
    same = documents[:, :, None] == documents[:, None, :]
    shared = (branches[:, None, :] == 0) | (branches[:, :, None] == branches[:, None, :])
    return causal & same & shared


def collate(sequences: list[PackedSequence], length: int, pad_id: int) -> CausalBatch:
    """Pad sequences to ``length`` tokens and build their mask."""

    def pad(values: list[int], filler: int) -> list[int]:
        return values + [filler] * (length - len(values))

    documents = torch.tensor([pad(s.documents, -1) for s in sequences])
    branches = torch.tensor([pad(s.branches, 0) for s in sequences])
    allowed = branch_mask(documents, branches)
    mask = torch.full(allowed.shape, MASKED).masked_fill_(allowed, 0.0)
    weights = [s.weights + [0.0] * (length - len(s)) for s in sequences]
    return CausalBatch(
        input_ids=torch.tensor([pad(s.input_ids, pad_id) for s in sequences]),
        positions=torch.tensor([pad(s.positions, 0) for s in sequences]),
        mask=mask[:, None],
        weights=torch.tensor(weights),
    )


class CausalPacker:
    """Fills sequences of a fixed length from an order of rows."""

    def __init__(self, order: RowOrder, encoder: Encoder, weights: LossWeights, length: int) -> None:
        self.order = order
        self.encoder = encoder
        self.weights = weights
        self.length = length

    def next_sequences(self, count: int) -> list[PackedSequence]:
        """Fill ``count`` sequences; the first row that fits in none begins the next ones.

        Of 4,096 tokens about 3,480 are filled so; filling one sequence after the other left 3,180.
        """
        sequences = [PackedSequence() for _ in range(count)]
        current: PackedSequence | None = None
        group = begin_group(self.order)
        while True:
            if self.order.peek().starts_group:
                group, current = begin_group(self.order), None
            opening, row = self.encode_prefix(group), self.encode_row(group)
            needed = len(opening) + len(row)
            if not group.layout.definition_first:
                current = None
            if current is not None and self.room(current) < len(row):
                current = None
            if current is None:
                current = self.find_room(sequences, needed)
                if current is None:
                    return sequences
                current.open_document(opening)
            current.add_branch(cut_middle(row, self.room(current)))
            self.order.advance()

    def room(self, sequence: PackedSequence) -> int:
        """Tokens that a sequence can still take."""
        return self.length - len(sequence)

    def find_room(self, sequences: list[PackedSequence], needed: int) -> PackedSequence | None:
        """The first sequence with room; an empty one takes a longer row too, to be cut."""
        for sequence in sequences:
            if self.room(sequence) >= needed or len(sequence) == 0:
                return sequence
        return None

    def encode_prefix(self, group: Group) -> Tokens:
        """Tokens of the shared prefix, at most two thirds of a sequence, none of them a target."""
        ids = [i for piece in prefix_pieces(group) for i in self.encoder.ids(piece.text)]
        ids = ids[: self.length * 2 // 3]
        return Tokens(ids, [0.0] * len(ids))

    def encode_row(self, group: Group) -> Tokens:
        """Tokens of the row under the cursor."""
        pieces = row_pieces(group, self.order.row())
        generator = self.order.generator("tokens")
        return weigh(pieces, group.task, self.encoder, self.weights, generator)


def begin_group(order: RowOrder) -> Group:
    """Draw layout, definition and examples for the group under the cursor."""
    generator = order.generator("group")
    mixture = order.mixture
    layout = draw_layout(generator, mixture.canonical_share, mixture.definition_last_share)
    task = order.tasks[order.row().task]
    return draw_group(task, layout, mixture, order.draw_examples(generator), generator)


def cut_middle(tokens: Tokens, length: int) -> Tokens:
    """At most ``length`` tokens, the middle left out where need be, so that the answer stays."""
    if len(tokens) <= length:
        return tokens
    head = length // 2
    tail = length - head
    return Tokens(tokens.ids[:head] + tokens.ids[-tail:], tokens.weights[:head] + tokens.weights[-tail:])
