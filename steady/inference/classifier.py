"""Score texts in batches of like length: logits of a classifier, or features of an encoder."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steady.inference.progress import progress_bar
from steady.models.load import set_padding

Logits = Callable[[list[str]], NDArray[np.float32]]
LENGTH_STEP = 16  # tokens; 32 padded a fifth of all that was computed


def in_batches(score: Logits, prompts: Sequence[str], batch_size: int, progress: bool = False) -> NDArray[np.float32]:
    """Apply `score`, which maps a batch of texts to an array `(batch, width)`, to prompts: an array `(prompts, width)` in their order.
    They are scored longest first, so that a batch pads little, and equal prompts are scored once.
    """
    # the longest first, so that a run that does not fit the memory ends at once
    unique = sorted(set(prompts), key=lambda text: (-len(text), text))
    place = {text: row for row, text in enumerate(unique)}
    starts = progress_bar(range(0, len(unique), batch_size), "scoring", "batch", progress)
    scored: NDArray[np.float32] = np.concatenate([score(unique[start : start + batch_size]) for start in starts])
    return scored[[place[text] for text in prompts]]


def model_logits(model: Any, tokenizer: Any, max_length: int | None) -> Logits:
    """The logits of a sequence-classification model (base, adapter on base, or fully tuned)."""
    set_padding(model, tokenizer)
    return _padded_scorer(lambda batch: model(**batch.to(model.device)).logits, tokenizer, max_length)


def mean_pooled(encoder: Any, tokenizer: Any, max_length: int) -> Logits:
    """L2-normalised mean-pooled features `(batch, hidden)` of an encoder."""
    from steady.models.pooled import pool

    def features(batch: Any) -> Any:
        batch = batch.to(encoder.device)
        return pool(encoder(**batch).last_hidden_state, batch["attention_mask"])

    return _padded_scorer(features, tokenizer, max_length)


def _padded_scorer(forward: Callable[[Any], Any], tokenizer: Any, max_length: int | None) -> Logits:
    """Score so that a prompt's logits hardly depend on what it is batched with: alone, on a server, or among thousands.

    The order of float sums depends on shapes, so every prompt is padded to its own length rounded up to `LENGTH_STEP`, not to
    the longest of its batch, and a single prompt goes through twice (a product with one row takes another kernel). Batches of
    equal shape on one machine with equal threads give equal bytes. Batches of other sizes may differ in the last bits of a
    float32, as the matrix kernels of the processor have it: log-probabilities then agree within 1e-5 nats in float32.
    """
    import torch

    def score(prompts: list[str]) -> NDArray[np.float32]:
        encoded = tokenizer(prompts, truncation=max_length is not None, max_length=max_length)
        by_length: dict[int, list[int]] = {}
        for row, ids in enumerate(encoded["input_ids"]):
            padded = -(-len(ids) // LENGTH_STEP) * LENGTH_STEP
            by_length.setdefault(padded if max_length is None else min(padded, max_length), []).append(row)
        found: dict[int, NDArray[np.float32]] = {}
        for length, rows in by_length.items():
            twice = rows * 2 if len(rows) == 1 else rows
            chosen = {"input_ids": [encoded["input_ids"][row] for row in twice]}
            batch = tokenizer.pad(chosen, padding="max_length", max_length=length, return_tensors="pt")
            with torch.inference_mode():
                found |= zip(rows, forward(batch).float().cpu().numpy(), strict=False)
        return np.stack([found[row] for row in range(len(prompts))])

    return score
