"""Score texts in batches of like length: logits of a classifier, or features of an encoder."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Logits = Callable[[list[str]], NDArray[np.float32]]


def in_batches(score: Logits, prompts: Sequence[str], batch_size: int, progress: bool = False) -> NDArray[np.float32]:
    """Apply `score` to batches of prompts.

    Args:
        score: maps a batch of texts to an array `(batch, width)`.
        prompts: any order; they are scored longest first, so that a batch pads little, and equal prompts are scored once.
        batch_size: prompts in a batch.
        progress: whether to show a progress bar.

    Returns:
        Array `(prompts, width)` in the order of `prompts`.
    """
    from tqdm import tqdm

    unique = sorted(set(prompts), key=lambda text: (-len(text), text))
    place = {text: row for row, text in enumerate(unique)}
    starts = tqdm(range(0, len(unique), batch_size), desc="scoring", unit="batch", disable=not progress)
    scored: NDArray[np.float32] = np.concatenate([score(unique[start : start + batch_size]) for start in starts])
    return scored[[place[text] for text in prompts]]


def model_logits(model: Any, tokenizer: Any, max_length: int) -> Logits:
    """The logits of a sequence-classification model (base, adapter on base, or fully tuned)."""
    import torch

    def score(prompts: list[str]) -> NDArray[np.float32]:
        batch = tokenizer(prompts, padding=True, truncation=True, max_length=max_length, return_tensors="pt")
        with torch.inference_mode():
            logits = model(**batch.to(model.device)).logits
        array: NDArray[np.float32] = logits.float().cpu().numpy()
        return array

    return score


def mean_pooled(encoder: Any, tokenizer: Any, max_length: int) -> Logits:
    """L2-normalised mean-pooled features `(batch, hidden)` of an encoder."""
    import torch

    from steady.pooled import pool

    def features(prompts: list[str]) -> NDArray[np.float32]:
        batch = tokenizer(prompts, padding=True, truncation=True, max_length=max_length, return_tensors="pt").to(
            encoder.device
        )
        with torch.inference_mode():
            pooled = pool(encoder(**batch).last_hidden_state, batch["attention_mask"])
        array: NDArray[np.float32] = pooled.float().cpu().numpy()
        return array

    return features
