"""From label log-probabilities to the records that the stages keep."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steady.records import Prediction, Prompt
from steady.scoring.classify import Logits, in_batches

DECIMALS = 6


def log_softmax(logits: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Natural-log probabilities over the last axis, in float64."""
    shifted = logits.astype(np.float64) - logits.max(axis=-1, keepdims=True)
    result: NDArray[np.float64] = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return result


def classify(
    score: Logits, prompts: Sequence[Prompt], labels: Sequence[str], batch_size: int, progress: bool = False
) -> list[Prediction]:
    """The most probable label of every prompt, in the order of `prompts`.

    Args:
        score: maps a batch of texts to logits `(batch, labels)`.
        labels: the names of the columns; `label_logprobs` keeps their order, in nats, rounded to 6 decimals.
    """
    logprobs = log_softmax(in_batches(score, [prompt.prompt for prompt in prompts], batch_size, progress))
    return [_prediction(prompt, row, labels) for prompt, row in zip(prompts, logprobs, strict=True)]


def _prediction(prompt: Prompt, logprobs: NDArray[np.float64], labels: Sequence[str]) -> Prediction:
    best = int(logprobs.argmax())
    return Prediction(
        prompt_id=prompt.id,
        text=labels[best],
        parsed=labels[best],
        label_logprobs=[round(float(value), DECIMALS) for value in logprobs],
        logprob=round(float(logprobs[best]), DECIMALS),
        correct=labels[best] == prompt.completion,
    )
