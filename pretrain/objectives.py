"""Which feed and loss an architecture trains with."""

from __future__ import annotations

from collections.abc import Sequence

from tokenizers import Tokenizer

from pretrain.causal import build_causal_feed, causal_loss
from pretrain.corpus import Row, Task
from pretrain.params import ModelParams
from pretrain.seq2seq import build_seq2seq_feed, seq2seq_loss
from pretrain.training import Feed, Loss


def build_objective(
    params: ModelParams, rows: Sequence[Row], tasks: dict[str, Task], tokenizer: Tokenizer
) -> tuple[Feed, Loss]:
    """Feed and loss for the architecture of ``params``."""
    if params.architecture.model_type == "llama":
        return build_causal_feed(rows, tasks, tokenizer, params.train), causal_loss
    return build_seq2seq_feed(rows, tasks, tokenizer, params.train), seq2seq_loss
