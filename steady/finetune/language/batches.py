"""Rows to tensors: what a batch of each family holds, and which of its tokens are learned."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from steady.finetune.language.rows import Ids, Row

Batch = dict[str, torch.Tensor]
IGNORED = -100  # labels that no loss counts, as torch's cross-entropy has it


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
