"""Rows to tensors, and their loss: the summed negative log-likelihood of the learned tokens; other tokens get no logits."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from steady.finetune.language.rows import Ids, Row

Batch = dict[str, torch.Tensor]
IGNORED = -100  # labels that no loss counts, as torch's cross-entropy has it
TOLERANCE = {torch.float32: 1e-3, torch.float64: 1e-6}  # relative; of coarser dtypes 5e-2


@dataclass(frozen=True)
class CausalBatches:
    """Prompt and answer in one sequence, padded at the right.

    There is no attention mask: no token of a causal model sees what stands to its right, so the padding is never seen, and
    attention runs without a mask, which is faster. `labels` are those of the tokens themselves, IGNORED at the first token of
    every row, at padding and, with `answers_only`, at prompts. Packed items hold several rows; `position_ids` start anew with
    each, and from them transformers makes the mask that keeps the rows apart.
    """

    pad: int
    answers_only: bool
    packed: bool = False

    def __call__(self, items: Sequence[Sequence[Row]]) -> Batch:
        """`input_ids`, `labels` and, packed, `position_ids`, each `(items, tokens)`."""
        width = max(sum(row.length for row in item) for item in items)
        ids = np.full((len(items), width), self.pad, dtype=np.int64)
        labels = np.full((len(items), width), IGNORED, dtype=np.int64)
        positions = np.zeros((len(items), width), dtype=np.int64)
        for place, item in enumerate(items):
            start = 0
            for row in item:
                answer, end = start + len(row.prompt), start + row.length
                ids[place, start:answer], ids[place, answer:end] = row.prompt, row.answer
                # A causal model predicts no first token: nothing stands before it.
                learned = answer if self.answers_only else start + 1
                labels[place, learned:end] = ids[place, learned:end]
                positions[place, start:end] = np.arange(row.length)
                start = end
            # The padding is a row of its own, so that no real row is continued by it.
            positions[place, start:] = np.arange(width - start)
        batch = {"input_ids": torch.from_numpy(ids), "labels": torch.from_numpy(labels)}
        return batch | ({"position_ids": torch.from_numpy(positions)} if self.packed else {})


@dataclass(frozen=True)
class SequenceBatches:
    """Prompts for the encoder, padded at the right with a mask, and answers as `labels`, padded with IGNORED."""

    pad: int

    def __call__(self, items: Sequence[Sequence[Row]]) -> Batch:
        """`input_ids`, `attention_mask` `(rows, prompt tokens)` and `labels` `(rows, answer tokens)`."""
        rows = [row for item in items for row in item]
        prompts = _padded([row.prompt for row in rows], self.pad)
        mask = torch.from_numpy(np.arange(prompts.shape[1]) < np.array([[len(row.prompt)] for row in rows])).long()
        return {"input_ids": prompts, "attention_mask": mask, "labels": _padded([row.answer for row in rows], IGNORED)}


def _padded(sequences: Sequence[Ids], pad: int) -> torch.Tensor:
    width = max(map(len, sequences))
    table = np.full((len(sequences), width), pad, dtype=np.int64)
    for place, sequence in enumerate(sequences):
        table[place, : len(sequence)] = sequence
    return torch.from_numpy(table)


def learned_tokens(batch: Batch, task: str) -> torch.Tensor:
    """How many tokens of a batch a loss counts: a causal model cannot predict the first of a sequence."""
    labels: torch.Tensor = batch["labels"] if task == "SEQ_2_SEQ_LM" else batch["labels"][:, 1:]
    return (labels != IGNORED).sum()


def summed_loss(logits: torch.Tensor, targets: torch.Tensor, smoothing: float = 0.0) -> torch.Tensor:
    """Cross-entropy in nats of logits `(tokens, vocabulary)` in float32, summed over `targets` `(tokens,)`."""
    return torch.nn.functional.cross_entropy(logits.float(), targets, reduction="sum", label_smoothing=smoothing)


class CausalLogits:
    """Logits of the learned tokens of a causal model.

    The output layer maps every position to the whole vocabulary; for a prompt of 100 tokens and a label of 2 it computes
    102 rows of which 2 count. Here it gets the hidden states of those 2 alone. A model may also scale or cap its logits, so the
    result is compared once with that of the model's own forward, which is used where the two differ.
    """

    def __init__(self, model: Any, batch: dict[str, torch.Tensor]) -> None:
        self.base = model.get_base_model() if hasattr(model, "get_base_model") else model
        self.model = model
        self.direct = False
        self.direct = self._agrees({name: tensor.to(model.device) for name, tensor in batch.items()})

    def __call__(self, batch: dict[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits `(learned tokens, vocabulary)` and their targets."""
        targets = batch["labels"][:, 1:]
        learned = targets != IGNORED
        inputs = {name: tensor for name, tensor in batch.items() if name != "labels"}
        if self.direct:
            hidden = self.base.base_model(**inputs, use_cache=False).last_hidden_state[:, :-1][learned]
            head = self.base.get_output_embeddings()
            return head(hidden.to(head.weight.device)), targets[learned].to(head.weight.device)
        logits = self.model(**inputs, use_cache=False).logits[:, :-1][learned]
        return logits, targets[learned].to(logits.device)

    @torch.no_grad()
    def _agrees(self, batch: dict[str, torch.Tensor]) -> bool:
        was_training = self.model.training
        self.model.eval()
        try:
            expected = self(batch)[0]
            self.direct = True
            return close(self(batch)[0], expected)
        except (AttributeError, TypeError, RuntimeError, ValueError):
            return False
        finally:
            self.direct = False
            self.model.train(was_training)


class SequenceLogits:
    """Logits of the answers' tokens of an encoder-decoder."""

    def __init__(self, model: Any) -> None:
        self.base = model.get_base_model() if hasattr(model, "get_base_model") else model
        self.model = model

    def __call__(self, batch: dict[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits `(learned tokens, vocabulary)` and their targets."""
        targets = batch["labels"]
        inputs = {name: tensor for name, tensor in batch.items() if name != "labels"}
        shifted = self.base.prepare_decoder_input_ids_from_labels(labels=targets)
        logits = self.model(**inputs, decoder_input_ids=shifted, use_cache=False).logits
        learned = targets != IGNORED
        return logits[learned.to(logits.device)], targets[learned].to(logits.device)


def close(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Whether two ways of computing logits give the same, but for rounding."""
    tolerance = TOLERANCE.get(one.dtype, 5e-2)
    scale = float(other.float().abs().max()) if other.numel() else 1.0
    return one.shape == other.shape and bool((one.float() - other.float()).abs().max() <= tolerance * max(1.0, scale))
