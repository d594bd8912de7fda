"""From label log-probabilities to the records that the stages keep."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steady.inference.classifier import Logits, in_batches
from steady.labels import LabelTask, log_sigmoid
from steady.records import Prediction, Prompt

DECIMALS = 6
SIGNIFICANT = 7


def log_softmax(logits: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Natural-log probabilities over the last axis, in float64."""
    # float64 first: the difference of float32 logits has lost the digits that are written
    shifted = logits.astype(np.float64) - logits.max(axis=-1, keepdims=True)
    result: NDArray[np.float64] = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return result


def classify(
    score: Logits,
    prompts: Sequence[Prompt],
    labels: Sequence[str],
    batch_size: int,
    progress: bool = False,
    multi_label: bool = False,
) -> list[Prediction]:
    """The most probable label, or set of labels, of every prompt, in the order of `prompts`.

    Args:
        score: maps a batch of texts to logits `(batch, labels)`.
        labels: the names of the columns; `label_logprobs` keeps their order, in nats, rounded to 6 decimals. Those of sets,
            which are needed near 0 too, keep 7 significant digits.
        multi_label: whether an answer may have several of the labels.
    """
    task = LabelTask(tuple(labels), multi_label)
    logits = in_batches(score, [prompt.prompt for prompt in prompts], batch_size, progress)
    logprobs = _significant(log_sigmoid(logits)) if multi_label else log_softmax(logits)
    return [_prediction(prompt, row, task) for prompt, row in zip(prompts, logprobs, strict=True)]


def _significant(values: NDArray[np.float64]) -> NDArray[np.float64]:
    rounded = [float(f"{value:.{SIGNIFICANT}g}") for value in values.ravel()]
    return np.asarray(rounded, dtype=np.float64).reshape(values.shape)


def _prediction(prompt: Prompt, logprobs: NDArray[np.float64], task: LabelTask) -> Prediction:
    answer, logprob = task.answer(logprobs)
    return Prediction(
        prompt_id=prompt.id,
        text=answer,
        parsed=answer,
        label_logprobs=[float(value) if task.multi_label else round(float(value), DECIMALS) for value in logprobs],
        logprob=round(logprob, DECIMALS),
        correct=answer == prompt.completion,
    )
