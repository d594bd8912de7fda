"""The encoder-decoder's training objective: packing of (source, target) pairs, and the loss."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

import torch
from tokenizers import Tokenizer
from transformers import PreTrainedModel

from pretrain.architectures import EOS_ID, PAD_ID
from pretrain.corpus import Row, Task
from pretrain.feeds import PackedFeed, build_orders
from pretrain.loss import weighted_cross_entropy
from pretrain.packing import MASKED, begin_group
from pretrain.params import TrainParams
from pretrain.rendering import Encoder, Group, LossWeights, prefix_pieces, row_pieces
from pretrain.sampling import RowOrder
from pretrain.spans import choose_spans, corrupt
from pretrain.tokenizer import sentinel

SPAN_DENSITY, MEAN_SPAN_TOKENS = 0.25, 3


@dataclass
class PackedPairs:
    """Sources and targets of several rows in one sequence each.

    Attributes:
        source_ids: encoder input, each source ended by the end-of-sequence token.
        source_rows: number of the row that each source token belongs to.
        decoder_ids: decoder input, each target moved right by one.
        target_ids: tokens to predict.
        target_rows: number of the row that each target token belongs to.
        weights: what each target token counts.
        count: rows so far.
    """

    source_ids: list[int] = field(default_factory=list)
    source_rows: list[int] = field(default_factory=list)
    decoder_ids: list[int] = field(default_factory=list)
    target_ids: list[int] = field(default_factory=list)
    target_rows: list[int] = field(default_factory=list)
    weights: list[float] = field(default_factory=list)
    count: int = 0

    def add(self, source: list[int], target: list[int], weight: float) -> None:
        """Add a row; the target counts ``weight`` per token."""
        self.source_ids.extend(source)
        self.source_rows.extend([self.count] * len(source))
        self.decoder_ids.extend([PAD_ID, *target[:-1]])
        self.target_ids.extend(target)
        self.target_rows.extend([self.count] * len(target))
        self.weights.extend([weight] * len(target))
        self.count += 1


@dataclass(frozen=True)
class PairBatch:
    """A batch of packed pairs; masks are added to the attention scores.

    Attributes:
        source_ids: (batch, source tokens).
        decoder_ids: (batch, target tokens).
        target_ids: (batch, target tokens).
        weights: (batch, target tokens).
        source_mask: (batch, 1, source tokens, source tokens).
        target_mask: (batch, 1, target tokens, target tokens).
        cross_mask: (batch, 1, target tokens, source tokens).
    """

    source_ids: torch.Tensor
    decoder_ids: torch.Tensor
    target_ids: torch.Tensor
    weights: torch.Tensor
    source_mask: torch.Tensor
    target_mask: torch.Tensor
    cross_mask: torch.Tensor


def additive(allowed: torch.Tensor) -> torch.Tensor:
    """A boolean (batch, queries, keys) as a mask (batch, 1, queries, keys) to be added."""
    return torch.full(allowed.shape, MASKED).masked_fill_(allowed, 0.0)[:, None]


def collate_pairs(pairs: list[PackedPairs], length: int, target_length: int) -> PairBatch:
    """Pad packed pairs and build their three masks."""

    def pad(values: list[int], size: int, filler: int) -> list[int]:
        return values + [filler] * (size - len(values))

    source_rows = torch.tensor([pad(p.source_rows, length, -1) for p in pairs])
    target_rows = torch.tensor([pad(p.target_rows, target_length, -1) for p in pairs])
    causal = torch.ones(target_length, target_length, dtype=torch.bool).tril()
    same_target = target_rows[:, :, None] == target_rows[:, None, :]
    return PairBatch(
        source_ids=torch.tensor([pad(p.source_ids, length, PAD_ID) for p in pairs]),
        decoder_ids=torch.tensor([pad(p.decoder_ids, target_length, PAD_ID) for p in pairs]),
        target_ids=torch.tensor([pad(p.target_ids, target_length, PAD_ID) for p in pairs]),
        weights=torch.tensor([p.weights + [0.0] * (target_length - len(p.weights)) for p in pairs]),
        source_mask=additive(source_rows[:, :, None] == source_rows[:, None, :]),
        target_mask=additive(causal & same_target),
        cross_mask=additive(target_rows[:, :, None] == source_rows[:, None, :]),
    )


class PairPacker:
    """Fills packed pairs from an order of rows; some rows become span corruption."""

    def __init__(
        self,
        order: RowOrder,
        encoder: Encoder,
        params: TrainParams,
        length: int,
        sentinels: list[int],
    ) -> None:
        self.order = order
        self.encoder = encoder
        self.params = params
        self.weights = LossWeights(**params.loss.model_dump())
        self.length = length
        self.sentinels = sentinels

    def next_sequences(self, count: int) -> list[PackedPairs]:
        """Fill ``count`` packed pairs; the first row that fits in none begins the next ones."""
        pairs = [PackedPairs() for _ in range(count)]
        group = begin_group(self.order)
        while True:
            if self.order.peek().starts_group:
                group = begin_group(self.order)
            source, target, weight = self.encode(group)
            place = self.find_room(pairs, len(source), len(target))
            if place is None:
                return pairs
            place.add(source, target, weight)
            self.order.advance()

    def find_room(self, pairs: list[PackedPairs], source_tokens: int, target_tokens: int) -> PackedPairs | None:
        """The first packed pair with room for both sides."""
        for pair in pairs:
            source_room = self.length - len(pair.source_ids)
            target_room = self.params.target_length - len(pair.target_ids)
            if source_tokens <= source_room and target_tokens <= target_room:
                return pair
        return None

    def encode(self, group: Group) -> tuple[list[int], list[int], float]:
        """Source ids, target ids and the target's weight for the row under the cursor."""
        generator = self.order.generator("tokens")
        row = self.order.row()
        if generator.random() < self.params.span_corruption_share:
            source, target = self.corrupt_row(row, generator)
            weight = self.weights.input
        else:
            pieces = [*prefix_pieces(group), *row_pieces(group, row)[:-1]]
            source = [i for piece in pieces for i in self.encoder.ids(piece.text)]
            target = self.encoder.ids(row.output)
            weight = self.weights.label if group.task.is_classification else self.weights.answer
        half = (self.length - 1) // 2
        if len(source) > self.length - 1:
            source = source[:half] + source[-half:]
        return [*source, EOS_ID], [*target[: self.params.target_length - 1], EOS_ID], weight

    def corrupt_row(self, row: Row, generator: random.Random) -> tuple[list[int], list[int]]:
        """Span corruption of a row's input and output as one text."""
        ids = self.encoder.ids(f"{row.input} {row.output}")[: self.length - 1]
        spans = choose_spans(len(ids), SPAN_DENSITY, MEAN_SPAN_TOKENS, generator)
        return corrupt(ids, spans, self.sentinels)


def build_seq2seq_feed(
    rows: Sequence[Row], tasks: dict[str, Task], tokenizer: Tokenizer, params: TrainParams
) -> PackedFeed:
    """Packed pairs of the encoder-decoder."""
    encoder = Encoder(tokenizer, EOS_ID)
    names = (sentinel(index) for index in range(100))
    sentinels = [i for name in names if (i := tokenizer.token_to_id(name)) is not None]
    short, long = build_orders(rows, tasks, params)
    packers = (
        PairPacker(short, encoder, params, params.short_length, sentinels),
        PairPacker(long, encoder, params, params.long_length, sentinels),
    )
    return PackedFeed(packers, partial(collate_pairs, target_length=params.target_length), params)


def part_of(weights: dict[str, torch.Tensor], part: str) -> dict[str, torch.Tensor]:
    """Weights of the encoder or the decoder under the names that it gives them."""
    chosen = {name.removeprefix(f"{part}."): value for name, value in weights.items() if name.startswith(f"{part}.")}
    return {**chosen, "embed_tokens.weight": weights["shared.weight"]}


def seq2seq_loss(
    model: PreTrainedModel, weights: dict[str, torch.Tensor], batch: PairBatch
) -> tuple[torch.Tensor, torch.Tensor]:
    """Weighted sum of the losses in nats, and the sum of the weights."""
    dtype = weights["shared.weight"].dtype
    encoded = torch.func.functional_call(
        model.encoder,
        part_of(weights, "encoder"),
        args=(),
        kwargs={"input_ids": batch.source_ids, "attention_mask": batch.source_mask.to(dtype)},
    ).last_hidden_state
    decoded = torch.func.functional_call(
        model.decoder,
        part_of(weights, "decoder"),
        args=(),
        kwargs={
            "input_ids": batch.decoder_ids,
            "attention_mask": batch.target_mask.to(dtype),
            "encoder_hidden_states": encoded,
            "encoder_attention_mask": batch.cross_mask.to(dtype),
            "use_cache": False,
        },
    ).last_hidden_state
    hidden = decoded.flatten(0, 1) * model.config.d_model**-0.5
    counts = batch.weights.flatten()
    head = weights["shared.weight"]
    return weighted_cross_entropy(hidden, head, batch.target_ids.flatten(), counts), counts.sum()
