"""What an arm may do with the probabilities of labels beyond taking the largest: rivals of training that cost no training.

Both need nothing but the answers to the prompts of a file, and no right answer.
"""

from collections.abc import Hashable, Sequence

import msgspec
import numpy as np

from steady.labels import Floats
from steady.models.arm import ArmManifest
from steady.records import Prediction, Prompt
from steady.scoring.predictions import DECIMALS, log_softmax

FEWEST_PROMPTS = 10
"""Prompts of a wording from which its mean is known well enough to divide by."""


def adjusted(predictions: Sequence[Prediction], prompts: Sequence[Prompt], manifest: ArmManifest) -> list[Prediction]:
    """The predictions as the arm gives them: calibrated by wording, then averaged over wordings, as far as its manifest says.
    The answer is the label of the largest probability that comes out; the text of a model that writes is that label.
    """
    logprobs: Floats = np.asarray([item.label_logprobs for item in predictions], dtype=np.float64)
    if manifest.calibrated:
        logprobs = calibrated(logprobs, [prompt.wording for prompt in prompts])
    logprobs = averaged(logprobs, [prompt.example_id for prompt in prompts], manifest.averaged_wordings)
    best = logprobs.argmax(axis=1)
    return [
        msgspec.structs.replace(
            prediction,
            text=manifest.labels[label],
            parsed=manifest.labels[label],
            token_ids=[],
            label_logprobs=[round(float(value), DECIMALS) for value in row],
            logprob=round(float(row[label]), DECIMALS),
            correct=manifest.labels[label] == prompt.completion,
        )
        for prediction, prompt, row, label in zip(predictions, prompts, logprobs, best, strict=True)
    ]


def calibrated(logprobs: Floats, wordings: Sequence[Hashable]) -> Floats:
    """Batch calibration: p(label | prompt) over its mean under the wording, normalised again (Zhou et al. 2023, arXiv 2309.17249).

    `logprobs` `(prompts, labels)` are natural logarithms that sum to 1 over labels; a wording with fewer than ten prompts is left.
    """
    found = logprobs.copy()
    for rows in _members(wordings):
        if len(rows) >= FEWEST_PROMPTS:
            found[rows] = log_softmax(logprobs[rows] - np.log(np.exp(logprobs[rows]).mean(axis=0)))
    return found


def averaged(logprobs: Floats, items: Sequence[Hashable], count: int) -> Floats:
    """The mean distribution over a prompt's wording and the `count - 1` next ones of its item, in a circle, of logprobs
    `(prompts, labels)`; an item with fewer wordings is averaged over those it has.

    Two prompts of an item share what their circles share, so their answers are not equal by construction unless `count` is all.
    """
    chances = np.exp(logprobs)
    found = np.empty_like(chances)
    for rows in _members(items):
        circle = np.arange(len(rows))[:, None] + np.arange(min(count, len(rows)))
        found[rows] = chances[rows][circle % len(rows)].mean(axis=1)
    return np.log(np.maximum(found, np.finfo(np.float64).tiny)) if count > 1 else logprobs


def _members(names: Sequence[Hashable]) -> list[list[int]]:
    rows: dict[Hashable, list[int]] = {}
    for row, name in enumerate(names):
        rows.setdefault(name, []).append(row)
    return list(rows.values())
