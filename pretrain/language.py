"""Language figures: loss and bits per byte over inputs and outputs, model against 5-gram."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from pretrain.corpus import Row, Task
from pretrain.generation import LoadedModel
from pretrain.layouts import CANONICAL, Piece, shorten
from pretrain.ngram import NgramModel
from pretrain.rendering import Encoder

Part = str
PARTS: tuple[Part, ...] = ("input", "answer")


@dataclass(frozen=True)
class EncodedRow:
    """A row as tokens after its definition.

    Attributes:
        prefix: token ids of the definition block.
        ids: token ids of the row in the canonical layout.
        parts: of each token of ``ids``: instruction, input or answer.
        text_bytes: UTF-8 bytes of the input and of the answer.
    """

    prefix: list[int]
    ids: list[int]
    parts: list[str]
    text_bytes: dict[Part, int]


def encode_row(row: Row, task: Task, encoder: Encoder, definition_characters: int) -> EncodedRow:
    """Tokens of a row in the canonical layout; the answer ends in the end-of-sequence token."""
    instruction = CANONICAL.instruct(shorten(task.definition, definition_characters), task.labels)
    pieces: list[Piece] = [
        *CANONICAL.ask(row.input, lead=CANONICAL.separator),
        *CANONICAL.answer(row.output),
    ]
    ids: list[int] = []
    parts: list[str] = []
    for piece in pieces:
        found = encoder.ids(piece.text)
        if piece.role == "answer":
            found.append(encoder.eos_id)
        ids.extend(found)
        parts.extend([piece.role] * len(found))
    sizes = {"input": len(row.input.encode()), "answer": len(row.output.encode())}
    return EncodedRow(encoder.ids(instruction), ids, parts, sizes)


@torch.inference_mode()
def causal_losses(loaded: LoadedModel, rows: Sequence[EncodedRow]) -> list[NDArray[np.float64]]:
    """Loss in nats of each token of each row after its definition; rows run one by one."""
    limit = loaded.tokenizer.model_max_length
    losses = []
    for row in rows:
        ids = torch.tensor([(row.prefix + row.ids)[-limit:]])
        hidden = loaded.model.model(input_ids=ids).last_hidden_state[0, :-1]
        scores = torch.log_softmax(hidden @ loaded.model.lm_head.weight.T, -1)
        picked = -scores.gather(1, ids[0, 1:, None])[-len(row.ids) :, 0]
        losses.append(picked.double().numpy())
    return losses


@torch.inference_mode()
def seq2seq_losses(loaded: LoadedModel, rows: Sequence[EncodedRow]) -> list[NDArray[np.float64]]:
    """The same for an encoder-decoder, which scores answers alone; other tokens are zero."""
    losses = []
    eos_id = loaded.tokenizer.eos_token_id
    for row in rows:
        count = row.parts.count("answer")
        source = (row.prefix + row.ids[:-count])[-(loaded.tokenizer.model_max_length - 1) :]
        text = loaded.tokenizer.decode(row.ids[-count:-1]).strip()
        target = loaded.tokenizer(text, add_special_tokens=False)["input_ids"] + [eos_id]
        logits = loaded.model(input_ids=torch.tensor([[*source, eos_id]]), labels=torch.tensor([target])).logits[0]
        total = -torch.log_softmax(logits, -1).gather(1, torch.tensor(target)[:, None]).sum()
        spread = np.zeros(len(row.ids))
        spread[-count:] = float(total) / count
        losses.append(spread)
    return losses


def ngram_losses(
    train: Sequence[EncodedRow], held_out: Sequence[EncodedRow], order: int, vocab_size: int
) -> list[NDArray[np.float64]]:
    """Loss in nats of each token under an n-gram model of the same tokens of the training rows."""
    model = NgramModel([row.ids for row in train], order, vocab_size)
    return [-values for values in model.log_probabilities([row.ids for row in held_out])]


def summarise(
    rows: Sequence[EncodedRow], losses: Sequence[NDArray[np.float64]], parts: Sequence[Part]
) -> dict[str, dict[str, float]]:
    """Loss per token and bits per byte of each part and of the parts together."""
    table = {}
    for name in (*parts, "both") if len(parts) > 1 else parts:
        wanted = set(parts) if name == "both" else {name}
        total, tokens, size = 0.0, 0, 0
        for row, values in zip(rows, losses, strict=True):
            chosen = np.array([part in wanted for part in row.parts])
            total += float(values[chosen].sum())
            tokens += int(chosen.sum())
            size += sum(row.text_bytes[part] for part in wanted)
        table[name] = {
            "loss": round(total / tokens, 4),
            "bits_per_byte": round(total / math.log(2) / size, 4),
            "tokens": tokens,
            "bytes": size,
        }
    return table
