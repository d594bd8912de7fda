"""The objective `consistency`: cross-entropy, and a price for answering differently under another wording of the same item.

The price is the Jensen-Shannon divergence of the distributions over labels, or over tokens at the positions of the answer, or it
is the cross-entropy to what most wordings answer (F2C, arXiv 2510.14242). The cross-entropy itself can lean on the worst wording
of an item (tilted loss, Li et al. 2021, arXiv 2007.01162).
"""

import math
from collections.abc import Iterator

import torch

from steady.finetune.objectives.step import IGNORED, Step
from steady.finetune.params import ConsistencyParams, FinetuneParams


def faults(name: str, params: FinetuneParams) -> Iterator[str]:
    """Why the arm `name` cannot be trained for consistency."""
    arm, labels = params.arms[name], params.data.labels
    if arm.sampler != "grouped" or arm.wordings != "variants":
        yield (
            f"arms.{name}: objective consistency compares wordings of one item, so it needs sampler grouped and wordings "
            f"variants, got {arm.sampler} and {arm.wordings}."
        )
    if params.consistency.placebo and not labels and params.model.task != "SEQ_CLS":
        yield f"arms.{name}: consistency.placebo pairs different items of one label, and this task has no data.labels."


def penalty(step: Step, settings: ConsistencyParams) -> torch.Tensor | None:
    """What the arm pays beside the mean cross-entropy, in nats; None where nothing is weighed in yet."""
    parts = []
    if settings.tilt:
        parts.append(tilt(step, settings.tilt))
    if strength := weight(settings, step.progress):
        logits, targets = partnered(step) if settings.placebo else (step.logits, step.targets)
        disagreement = divergence if settings.penalty == "jsd" else consensus
        parts.append(strength * disagreement(logits, targets, settings.top_tokens))
    return sum(parts[1:], parts[0]) if parts else None


def weight(settings: ConsistencyParams, progress: float) -> float:
    """lambda(t): 0 until `start`, then linearly up to `lambda_max` within `ramp`; both are shares of the training."""
    # Before the model knows the task, agreeing costs less than answering, and all wordings would agree on one label.
    return settings.lambda_max * min(1.0, max(0.0, (progress - settings.start) / settings.ramp))


def divergence(logits: torch.Tensor, targets: torch.Tensor, top: int) -> torch.Tensor:
    """Mean Jensen-Shannon divergence over items and shared positions, from 0 (the same distributions) to 1.

    JSD = mean over wordings of KL(q_v || m), with m the mean of the q_v, divided by log of the number of wordings (Lin 1991).

    Args:
        logits: `(items, wordings, positions, classes)`.
        targets: `(items, wordings, positions)`; a position counts where all wordings of the item have the same target.
        top: of a larger vocabulary only so many likeliest classes are told apart, the rest is one class.
    """
    chances = coarse(logits, top)
    # From the first one, because the mean of three equal numbers need not be that number, and equal wordings have to cost 0.
    first = chances[:, :1]
    mean = first + (chances - first).mean(dim=1, keepdim=True)
    # The smallest normal number in place of 0, whose logarithm has no gradient.
    logs = [values.clamp_min(1.2e-38).log() for values in (chances, mean)]
    price = (chances * (logs[0] - logs[1])).sum(-1).mean(dim=1)
    return over_positions(price, shared(targets)) / math.log(max(2, logits.shape[1]))


def consensus(logits: torch.Tensor, targets: torch.Tensor, top: int) -> torch.Tensor:
    """Mean cross-entropy in nats of all wordings to the answer of more than half of them; items without such an answer pay nothing."""
    wordings, classes = logits.shape[1], logits.shape[-1]
    answers = logits.detach().argmax(-1)
    chosen = answers.mode(dim=1).values
    agreed = (answers == chosen[:, None]).sum(1) * 2 > wordings
    target = chosen[:, None].expand_as(answers)
    price = torch.nn.functional.cross_entropy(
        logits.float().reshape(-1, classes), target.reshape(-1), reduction="none"
    ).reshape(answers.shape)
    return over_positions(price.mean(dim=1), shared(targets) & agreed)


def tilt(step: Step, eta: float) -> torch.Tensor:
    """By how much the tilted cross-entropy, (1 / eta) log mean exp(eta L) over the wordings of an item, is above the plain mean.
    L is the mean over the positions of a wording.
    """
    known = step.targets != IGNORED
    each = torch.nn.functional.cross_entropy(
        step.logits.float().flatten(0, 2), step.targets.flatten(), ignore_index=IGNORED, reduction="none"
    ).reshape(step.targets.shape)
    losses = each.sum(-1) / known.sum(-1).clamp_min(1)
    tilted = (torch.logsumexp(eta * losses, dim=1) - math.log(losses.shape[1])) / eta
    return (tilted - losses.mean(dim=1)).mean()


def coarse(logits: torch.Tensor, top: int) -> torch.Tensor:
    """Probabilities in float32; of a vocabulary only the `top` likeliest of the mean over wordings, and the rest as one.
    Answers of a hundred tokens would otherwise keep several gigabytes for the backward pass.
    """
    chances = logits.float().softmax(-1)
    if chances.shape[-1] <= top + 1:
        return chances
    chosen = chances.detach().mean(dim=1, keepdim=True).topk(top, dim=-1).indices
    likeliest = chances.gather(-1, chosen.expand(-1, chances.shape[1], -1, -1))
    rest = (1 - likeliest.sum(-1, keepdim=True)).clamp_min(0)
    return torch.cat([likeliest, rest], dim=-1)


def shared(targets: torch.Tensor) -> torch.Tensor:
    """The positions `(items, positions)` that all wordings of an item have with the same target."""
    first = targets[:, :1]
    known: torch.Tensor = (targets == first).all(dim=1) & (first[:, 0] >= 0)
    return known


def over_positions(price: torch.Tensor, counted: torch.Tensor) -> torch.Tensor:
    """The mean over the counted positions of each item, then over the items that have any; 0 where none has."""
    positions = counted.sum(-1)
    items = (price * counted).sum(-1) / positions.clamp_min(1)
    return items.sum() / (positions > 0).sum().clamp_min(1)


def partnered(step: Step) -> tuple[torch.Tensor, torch.Tensor]:
    """The placebo: each wording of an item from another item with the same answer, in a circle; items alone are left out.
    The batches are those of the real penalty, so whatever a placebo gains is gained by smoothing and not by the wordings.
    """
    same = (step.targets[:, None, 0] == step.targets[None, :, 0]).all(-1).tolist()
    items, wordings = step.targets.shape[:2]
    rows = []
    for item in range(items):
        circle = [other % items for other in range(item, item + items) if same[item][other % items]]
        if len(circle) > 1:
            rows.append([circle[wording % len(circle)] for wording in range(wordings)])
    chosen = torch.tensor(rows, dtype=torch.long, device=step.targets.device).reshape(-1, wordings)
    columns = torch.arange(wordings, device=chosen.device).expand_as(chosen)
    return step.logits[chosen, columns], step.targets[chosen, columns]
