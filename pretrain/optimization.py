"""Muon for the matrices, AdamW for the rest, and the warm-up, stable, decay schedule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn


@dataclass(frozen=True)
class Schedule:
    """The learning rate over the steps.

    Attributes:
        warmup_steps: of linear rise.
        decay_steps: of linear fall to zero at the end.
    """

    warmup_steps: int
    decay_steps: int

    def factor(self, step: int, decay_start: int) -> float:
        """Multiplier of the peak learning rate at a step, counted from 0."""
        rise = min(1.0, (step + 1) / max(1, self.warmup_steps))
        fall = 1.0 - max(0, step - decay_start) / self.decay_steps
        return min(rise, max(0.0, fall))


class Optimizers:
    """Muon on the hidden matrices and AdamW on embeddings, norms and biases, stepped as one.

    Muon is reported to need about half the tokens of AdamW (Liu et al. 2025, "Muon is scalable"); that was not
    measured here.
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        learning_rate: float,
        muon_learning_rate: float,
        weight_decay: float,
        betas: tuple[float, float],
    ) -> None:
        queries, matrices, others = split_parameters(model)
        scale = unscaled_query_factor(model)
        groups: list[dict[str, Any]] = [{"params": matrices, "lr": muon_learning_rate}]
        if queries:
            groups.append({"params": queries, "lr": muon_learning_rate * scale})
        self.parts: tuple[torch.optim.Optimizer, ...] = (
            torch.optim.Muon(groups, weight_decay=weight_decay, momentum=0.95, adjust_lr_fn="match_rms_adamw"),
            torch.optim.AdamW(others, lr=learning_rate, betas=betas, weight_decay=0.0, foreach=True),
        )
        self.peaks = [[group["lr"] for group in part.param_groups] for part in self.parts]

    def step(self, factor: float) -> None:
        """One update at ``factor`` times the peak learning rates."""
        for part, peaks in zip(self.parts, self.peaks, strict=True):
            for group, peak in zip(part.param_groups, peaks, strict=True):
                group["lr"] = peak * factor
            part.step()

    def state_dict(self) -> list[dict[str, Any]]:
        """The state of both parts."""
        return [part.state_dict() for part in self.parts]

    def load_state_dict(self, state: list[dict[str, Any]]) -> None:
        """Restore what ``state_dict`` gave."""
        for part, saved in zip(self.parts, state, strict=True):
            part.load_state_dict(saved)


def split_parameters(model: nn.Module) -> tuple[list[nn.Parameter], list[nn.Parameter], list[nn.Parameter]]:
    """T5's query matrices, the other matrices of the layers, and everything else.

    The last are embeddings, norms and T5's table of position biases, which is an embedding too.
    """
    embeddings = {
        id(parameter)
        for module in model.modules()
        if isinstance(module, nn.Embedding)
        for parameter in module.parameters()
    }
    queries: list[nn.Parameter] = []
    matrices: list[nn.Parameter] = []
    others: list[nn.Parameter] = []
    for name, parameter in model.named_parameters():
        if parameter.ndim != 2 or id(parameter) in embeddings:
            others.append(parameter)
        elif name.endswith(".q.weight"):
            queries.append(parameter)
        else:
            matrices.append(parameter)
    return queries, matrices, others


def unscaled_query_factor(model: nn.Module) -> float:
    """What the learning rate of T5's queries is multiplied by.

    T5 does not divide attention scores by the root of the head size; it starts its queries smaller
    by that factor instead. Muon's steps have one size whatever the matrix's, so at the common rate
    the scores grew past 30 within 300 steps and the gradient's norm with them (2 to 12).
    """
    size = getattr(model.config, "d_kv", None)
    return 1.0 if size is None else float(size) ** -0.5
