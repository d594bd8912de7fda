"""The causal model's training objective: its feed and its loss."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch
from tokenizers import Tokenizer
from transformers import PreTrainedModel

from pretrain.architectures import EOS_ID, PAD_ID
from pretrain.corpus import Row, Task
from pretrain.feeds import PackedFeed, build_orders
from pretrain.loss import weighted_cross_entropy
from pretrain.packing import CausalBatch, CausalPacker, collate
from pretrain.params import TrainParams
from pretrain.rendering import Encoder, LossWeights


def build_causal_feed(
    rows: Sequence[Row], tasks: dict[str, Task], tokenizer: Tokenizer, params: TrainParams
) -> PackedFeed:
    """Packed sequences of the causal model."""
    encoder = Encoder(tokenizer, EOS_ID)
    weights = LossWeights(**params.loss.model_dump())
    short, long = build_orders(rows, tasks, params)
    packers = (
        CausalPacker(short, encoder, weights, params.short_length),
        CausalPacker(long, encoder, weights, params.long_length),
    )
    return PackedFeed(packers, partial(collate, pad_id=PAD_ID), params)


def causal_hidden(model: PreTrainedModel, weights: dict[str, torch.Tensor], batch: CausalBatch) -> torch.Tensor:
    """Last hidden states under the given weights.

    Args:
        model: whose code runs.
        weights: by parameter name, in the type to compute in.
        batch: packed sequences.

    Returns:
        (batch, tokens, hidden size).
    """
    inputs = {
        "input_ids": batch.input_ids,
        "attention_mask": batch.mask.to(weights["model.norm.weight"].dtype),
        "position_ids": batch.positions,
        "use_cache": False,
    }
    inner = {name.removeprefix("model."): value for name, value in weights.items()}
    output = torch.func.functional_call(model.model, inner, args=(), kwargs=inputs)
    hidden: torch.Tensor = output.last_hidden_state
    return hidden


def causal_loss(
    model: PreTrainedModel, weights: dict[str, torch.Tensor], batch: CausalBatch
) -> tuple[torch.Tensor, torch.Tensor]:
    """Weighted sum of the losses in nats, and the sum of the weights."""
    hidden = causal_hidden(model, weights, batch)[:, :-1].flatten(0, 1)
    targets = batch.input_ids[:, 1:].flatten()
    counts = batch.weights[:, 1:].flatten()
    head = weights["model.embed_tokens.weight"]
    return weighted_cross_entropy(hidden, head, targets, counts), counts.sum()
