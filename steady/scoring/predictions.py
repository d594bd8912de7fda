"""From label log-probabilities to the records that the stages keep."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steady.inference.classifier import Logits, in_batches
from steady.labels import LabelTask, log_sigmoid
from steady.metrics.matrices import ScoredGroup
from steady.records import Prediction, Prompt
from steady.scoring.resume import Partial

DECIMALS = 6


@dataclass(frozen=True)
class ArmAnswers:
    """Answers in the order of the prompts.

    `references` are the log-probability and the tokens of the likeliest right answer to each prompt, of models that generate,
    where they were asked for; `groups` the matrices, where they were; `cut` is how many prompts lost tokens; `partial` may be
    cleared when everything is written.
    """

    predictions: list[Prediction]
    references: list[tuple[float, int]] = field(default_factory=list)
    groups: list[ScoredGroup] = field(default_factory=list)
    partial: Partial = field(default_factory=Partial)
    cut: int = 0


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

    `score` maps a batch of texts to logits `(batch, labels)`. `label_logprobs` keep the order of `labels`, in nats, rounded to 6
    decimals; those of sets (`multi_label`), which are needed near 0 too, keep 7 significant digits.
    """
    task = LabelTask(tuple(labels), multi_label)
    logits = in_batches(score, [prompt.prompt for prompt in prompts], batch_size, progress)
    logprobs = log_sigmoid(logits) if multi_label else log_softmax(logits)
    if multi_label:
        logprobs = np.asarray([[float(f"{value:.7g}") for value in row] for row in logprobs], dtype=np.float64)
    predictions = []
    for prompt, row in zip(prompts, logprobs, strict=True):
        answer, logprob = task.answer(row)
        shown = [float(value) if multi_label else round(float(value), DECIMALS) for value in row]
        predictions.append(
            Prediction(
                prompt_id=prompt.id,
                text=answer,
                parsed=answer,
                label_logprobs=shown,
                logprob=round(logprob, DECIMALS),
                correct=answer == prompt.completion,
            )
        )
    return predictions
