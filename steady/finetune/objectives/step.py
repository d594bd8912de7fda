"""What an objective sees of a training step, for classifiers and for models that write."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch.nn.utils.rnn import pad_sequence

from steady.finetune.objectives import find_objective
from steady.finetune.run import TrainingRun
from steady.finetune.sampling import wordings_together

IGNORED = -100  # targets at positions that a row does not have
Penalty = Callable[[torch.Tensor, torch.Tensor, float], torch.Tensor | None]
"""Logits `(rows, positions, classes)`, targets `(rows, positions)` and the share of the steps done, to a term of the loss."""


@dataclass(frozen=True)
class Step:
    """A batch as items under several wordings each.

    Attributes:
        logits: `(items, wordings, positions, classes)`. A classifier has one position and a class for each label, or with several
            labels a row a position for each label and two classes; a model that writes has the learned tokens of the answer.
        targets: the right classes, `(items, wordings, positions)`, IGNORED where a row has no such position.
        progress: the share of the optimizer steps that are done, from 0 to 1.
    """

    logits: torch.Tensor
    targets: torch.Tensor
    progress: float


def penalty_of(run: TrainingRun) -> Penalty | None:
    """The term that the arm's objective adds to the cross-entropy; None where it adds none."""
    module = find_objective(run.arm.objective)
    if module is None:
        return None
    settings, wordings = getattr(run.params, run.arm.objective), wordings_together(run.arm)

    def penalty(logits: torch.Tensor, targets: torch.Tensor, progress: float) -> torch.Tensor | None:
        shape = (-1, wordings, targets.shape[1])
        step = Step(logits.reshape(*shape, logits.shape[-1]), targets.reshape(shape), progress)
        found: torch.Tensor | None = module.penalty(step, settings)
        return found

    return penalty


def label_positions(logits: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits and targets of a classifier with positions, from logits `(rows, labels)` and the number of the one label `(rows,)`, or
    zeros and ones `(rows, labels)`.
    """
    if targets.ndim == 1:
        return logits[:, None], targets[:, None]
    # A label that may or may not apply is a choice of two: the logits 0 and z have the probability of a sigmoid of z.
    return torch.stack([torch.zeros_like(logits), logits], dim=-1), targets.long()


def token_positions(
    logits: torch.Tensor, targets: torch.Tensor, learned: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits and targets of the learned tokens, row by row and padded at the right.
    `logits` `(tokens, vocabulary)` and `targets` `(tokens,)` have the rows one after the other, `learned` `(rows,)` counts theirs.
    """
    counts = learned.tolist()
    rows = pad_sequence(list(torch.split(logits, counts)), batch_first=True)
    return rows, pad_sequence(list(torch.split(targets, counts)), batch_first=True, padding_value=IGNORED)
