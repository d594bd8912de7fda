"""The training loop: one process or several, resumable to the same bytes."""

from __future__ import annotations

import json
import logging
import platform
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from pathlib import Path
from statistics import median
from typing import Any, Protocol

import torch
import transformers
from torch import distributed
from transformers import PreTrainedModel

from pretrain.checkpoints import load_checkpoint, save_checkpoint
from pretrain.optimization import Optimizers, Schedule
from pretrain.params import TrainParams

logger = logging.getLogger(__name__)
PACE_STEPS = 100  # steps whose median is the pace that the deadline goes by
Loss = Callable[[PreTrainedModel, dict[str, torch.Tensor], Any], tuple[torch.Tensor, torch.Tensor]]


class Feed(Protocol):
    """A source of micro-batches whose place can be saved."""

    def next_batch(self, index: int, *, skip: bool = False) -> Any:
        """Micro-batch ``index`` of the run."""

    def state(self) -> Any:
        """The place."""

    def load_state(self, state: Any) -> None:
        """Go to a place."""


@dataclass(frozen=True)
class Runtime:
    """What cannot change the result of an uninterrupted run but for the deadline.

    Attributes:
        save_steps: steps between checkpoints.
        logging_steps: steps between lines of the curve.
        deadline: seconds since the epoch by which the decay is to be over; None for no deadline.
        device: of the model.
    """

    save_steps: int
    logging_steps: int
    deadline: float | None
    device: torch.device


@dataclass
class Progress:
    """Where a run stands; ``decay_start`` is the step at which the learning rate begins to fall."""

    step: int
    decay_start: int
    tokens: int


class Trainer:
    """Trains a model on a feed."""

    def __init__(
        self,
        model: PreTrainedModel,
        feed: Feed,
        loss: Loss,
        params: TrainParams,
        runtime: Runtime,
        folder: Path,
    ) -> None:
        self.model = model.to(runtime.device)
        self.feed = feed
        self.loss = loss
        self.params = params
        self.runtime = runtime
        self.folder = folder
        self.schedule = Schedule(params.warmup_steps, params.decay_steps)
        self.optimizers = Optimizers(
            model,
            learning_rate=params.learning_rate,
            muon_learning_rate=params.muon_learning_rate,
            weight_decay=params.weight_decay,
            betas=(params.adam_beta1, params.adam_beta2),
        )
        self.progress = Progress(0, params.max_steps - params.decay_steps, 0)
        self.curve: list[dict[str, float]] = []
        self.window: list[dict[str, float]] = []
        self.rank = distributed.get_rank() if distributed.is_initialized() else 0
        self.world = distributed.get_world_size() if distributed.is_initialized() else 1

    @property
    def last_step(self) -> int:
        """Number of steps of the whole run as it is planned now."""
        return self.progress.decay_start + self.params.decay_steps

    def train(self, stop_after: int | None = None) -> None:
        """Train from the newest checkpoint to the end, or until ``stop_after`` steps are done."""
        self.resume()
        recent: deque[float] = deque(maxlen=PACE_STEPS)
        while self.progress.step < self.last_step:
            began = time.monotonic()
            self.window.append(self.step())
            recent.append(time.monotonic() - began)
            self.heed_deadline(median(recent))
            if self.progress.step % self.runtime.logging_steps == 0:
                self.log(median(recent))
            if self.progress.step % self.runtime.save_steps == 0:
                self.save()
            if self.progress.step == stop_after:
                return
        self.save()

    def step(self) -> dict[str, float]:
        """One update from all micro-batches of all processes."""
        dtype = torch.bfloat16 if self.params.bf16 else torch.float32
        weights = {name: p.to(dtype) for name, p in self.model.named_parameters()}
        total = torch.zeros(2, device=self.runtime.device)
        self.model.zero_grad()
        first = self.progress.step * self.params.gradient_accumulation_steps
        tokens = 0
        for turn in range(self.params.gradient_accumulation_steps):
            mine = turn % self.world == self.rank
            batch = self.feed.next_batch(first + turn, skip=not mine)
            tokens += self.params.micro_batch_tokens
            if mine:
                loss, weight = self.loss(self.model, weights, to_device(batch, self.runtime.device))
                loss.backward()  # type: ignore[no-untyped-call]
                total += torch.stack([loss.detach(), weight])
        norm = self.share_gradients(total)
        factor = self.schedule.factor(self.progress.step, self.progress.decay_start)
        self.optimizers.step(factor)
        self.progress.step += 1
        self.progress.tokens += tokens
        return {"loss": float(total[0] / total[1]), "grad_norm": norm, "factor": factor}

    def share_gradients(self, total: torch.Tensor) -> float:
        """Sum gradients over the processes, divide by the summed weights, clip; returns the norm."""
        parameters = [p for p in self.model.parameters() if p.grad is not None]
        gradients = [p.grad for p in parameters if p.grad is not None]
        if self.world > 1:
            flat = torch.cat([total, *(g.flatten() for g in gradients)])
            distributed.all_reduce(flat)
            total.copy_(flat[:2])
            sizes = [g.numel() for g in gradients]
            for gradient, part in zip(gradients, torch.split(flat[2:], sizes), strict=True):
                gradient.copy_(part.view_as(gradient))
        if not torch.isfinite(total[0]):
            raise FloatingPointError(f"step {self.progress.step}: the loss is {float(total[0])}")
        for gradient in gradients:
            gradient.div_(total[1])
        norm = torch.nn.utils.clip_grad_norm_(parameters, self.params.max_grad_norm)
        return float(norm)

    def heed_deadline(self, seconds: float) -> None:
        """Begin the decay when the time left is what it takes; the first process decides."""
        deadline, progress = self.runtime.deadline, self.progress
        if deadline is None or progress.step >= progress.decay_start:
            return
        left = deadline - time.time()
        begins = torch.tensor([float(left <= self.params.decay_steps * seconds)], device=self.runtime.device)
        if self.world > 1:
            distributed.broadcast(begins, 0)
        if begins.item():
            progress.decay_start = progress.step

    def log(self, seconds: float) -> None:
        """Add a point to the curve: means over the steps since the last one."""
        window, self.window = self.window, []
        point = {key: sum(line[key] for line in window) / len(window) for key in window[0]}
        point = {"step": self.progress.step, "tokens": self.progress.tokens, **point}
        self.curve.append(point)
        if self.rank == 0:
            rounded = {key: round(value, 4) for key, value in point.items()}
            logger.info("%s %.2f s/step, %d steps in all", rounded, seconds, self.last_step)

    def save(self) -> None:
        """Write a checkpoint (first process only)."""
        if self.rank != 0:
            return
        state = {
            "model": self.model.state_dict(),
            "optimizers": self.optimizers.state_dict(),
            "feed": self.feed.state(),
            "progress": vars(self.progress),
            "curve": self.curve,
            "window": self.window,
            "rng": torch.get_rng_state(),
        }
        save_checkpoint(self.folder, self.progress.step, state)

    def resume(self) -> None:
        """Go on from the newest sound checkpoint of the folder, if there is one."""
        state = load_checkpoint(self.folder)
        if state is None:
            return
        self.model.load_state_dict(state["model"])
        self.optimizers.load_state_dict(state["optimizers"])
        self.feed.load_state(state["feed"])
        self.progress = Progress(**state["progress"])
        self.curve, self.window = state["curve"], state["window"]
        torch.set_rng_state(state["rng"])
        logger.info("resumed at step %d of %d", self.progress.step, self.last_step)


def to_device(batch: Any, device: torch.device) -> Any:
    """The batch, a dataclass of tensors, on the device."""
    moved = {field.name: getattr(batch, field.name).to(device) for field in fields(batch)}
    return replace(batch, **moved)


def write_curve(path: Path, trainer: Trainer) -> None:
    """Write the curve and the plan of a finished run as JSON."""
    record = {**vars(trainer.progress), "steps": trainer.last_step, "curve": trainer.curve}
    path.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def write_environment(path: Path, trainer: Trainer) -> None:
    """Write what the run was computed on: device, processes, threads of each, library versions."""
    device = trainer.runtime.device
    on_gpu = device.type == "cuda"
    record = {
        "device": torch.cuda.get_device_name(device) if on_gpu else f"{platform.machine()} processor",
        "processes": trainer.world,
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
    }
    path.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
