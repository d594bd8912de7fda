"""Trainers whose checkpoints are whole and resume to the same bytes: with what the Trainer of transformers leaves out."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from transformers import PreTrainedModel, PrinterCallback
from transformers.trainer_callback import ExportableState

from steady.errors import SteadyError
from steady.finetune.checkpoints.checkpoints import STATE, Checkpoints
from steady.models.ranks import from_first, my_places, rank, share_weights, size, sum_gradients, summed, wait_for_all

logger = logging.getLogger(__name__)
POSITION = "position.pt"
SHARE = "share"  # the key of a batch that says which part of the rows it has


@dataclass(frozen=True)
class SharedBatches:
    """Collates the rows that this process has of a batch; every process is given the rows of the whole batch.
    Neighbours have like lengths where rows are sampled by length, so every `size()`-th row makes shares of like cost.
    """

    collate: Callable[[list[Any]], Any]
    together: int = 1

    def __call__(self, rows: Sequence[Any]) -> dict[str, Any]:
        """The batch with its `SHARE`; nothing else where there are fewer rows than processes."""
        mine = [rows[place] for place in my_places(len(rows), self.together)]
        return {**(self.collate(mine) if mine else {}), SHARE: len(mine) / len(rows)}


class Resumable:
    """Put before a Trainer class: `class Mine(Resumable, Trainer)`. Set `checkpoints` before training; None saves nowhere.

    Beside what the Trainer restores (weights, optimizer, schedule, generators, batch position, best so far) it restores the
    state of the generator at the beginning of the epoch, from which the order of rows is drawn; the loss summed since the last
    log; and that early stopping had stopped the run. `extras` write files of their own into each checkpoint.

    With several processes (`steady.models.ranks`) each trains on its share of every batch, process 0 alone saves and evaluates,
    and `together` neighbouring rows of a batch stay in one process.
    """

    checkpoints: Checkpoints | None = None
    extras: tuple[Callable[[Path], None], ...] = ()
    together = 1
    _resumed_from: Path | None = None
    _had_stopped = False

    def train_or_resume(self) -> int | None:
        """Train from the last good checkpoint and return its step, or from the start and return None; damaged ones are logged."""
        self.remove_callback(PrinterCallback)  # type: ignore[attr-defined]  # it prints every entry of the log
        found = self.checkpoints.last_good() if self.checkpoints and rank() == 0 else (None, [])
        step, faults = from_first(found)
        for fault in faults:
            logger.warning("%s. It is not used.", fault)
        if step is None or self.checkpoints is None:
            if faults:
                logger.warning("No checkpoint is whole: training starts anew.")
            share_weights(self.model)  # type: ignore[attr-defined]
            self.train()  # type: ignore[attr-defined]
            return None
        self._resumed_from = self.checkpoints.path(step)
        if not self._resumed_from.is_dir():
            raise SteadyError(
                f"{self._resumed_from}: process 0 goes on from this checkpoint, and process {rank()} does not see it. The repository "
                "has to lie on a disk that all machines share."
            )
        logger.warning("Going on from step %d (%s).", step, self._resumed_from)
        # Later checkpoints are damaged; if they stayed, they would count towards the limit of saved checkpoints.
        if rank() == 0:
            self.checkpoints.drop_after(step)
        wait_for_all()
        self.train(resume_from_checkpoint=str(self._resumed_from))  # type: ignore[attr-defined]
        return step

    def _locate_best(self: Any) -> None:
        """Write the path of the best checkpoint into the state anew, for a copied folder of checkpoints lies elsewhere."""
        best = self.state.best_global_step
        self.state.best_model_checkpoint = str(self.checkpoints.path(best)) if best else None

    def get_train_dataloader(self: Any) -> Any:
        """The loader of the Trainer; of several processes each collates its share of a batch."""
        whole = self.data_collator
        if size() > 1:  # for training alone: process 0 evaluates on all rows
            self.data_collator = SharedBatches(whole, self.together)
        try:
            return super().get_train_dataloader()  # type: ignore[misc]
        finally:
            self.data_collator = whole

    def training_step(self: Any, model: Any, inputs: Any, num_items_in_batch: Any = None) -> torch.Tensor:
        """Forward and backward; the loss is that of the whole batch, whatever the process has of it."""
        if size() == 1:
            return super().training_step(model, inputs, num_items_in_batch)  # type: ignore[misc, no-any-return]
        share, steps = inputs.pop(SHARE), self.current_gradient_accumulation_steps
        if rank():
            # Dropout of the other processes draws numbers of its own, which depend on nothing that a checkpoint does not have.
            torch.manual_seed(hash((self.args.seed, self.state.global_step, rank())))
        if share == 0:
            return summed(torch.zeros((), device=self.args.device))
        # The Trainer divides a mean over the rows by this number of batches; here the mean is of a share of the rows.
        self.current_gradient_accumulation_steps = steps / share
        try:
            return summed(super().training_step(model, inputs, num_items_in_batch))  # type: ignore[misc]
        finally:
            self.current_gradient_accumulation_steps = steps

    def _clip_grad_norm(self, model: Any) -> Any:
        sum_gradients(model.parameters())
        return super()._clip_grad_norm(model)  # type: ignore[misc]

    def evaluate(self: Any, *arguments: Any, **named: Any) -> dict[str, float]:
        """What process 0 finds; the others log the same, so that all stop at the same step."""
        metrics: dict[str, float] = from_first(super().evaluate(*arguments, **named) if rank() == 0 else {})  # type: ignore[misc]
        if rank():
            self.log(dict(metrics))
            self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

    def _load_best_model(self: Any) -> None:
        if rank() == 0:
            super()._load_best_model()  # type: ignore[misc]
        share_weights(self.model)

    def _save_checkpoint(self: Any, model: Any, trial: Any) -> None:
        """Everything into a temporary sibling, which then gets its name."""
        if self.checkpoints is None:
            return
        self.store_flos()
        self._locate_best()
        if rank():
            wait_for_all()
            return
        with self.checkpoints.writing(self.state.global_step) as folder:
            self._save_weights(folder)
            self._save_optimizer_and_scheduler(str(folder))
            self._save_scaler(str(folder))
            self._save_rng_state(str(folder))
            position = {
                "epoch_generator": self._epoch_generator,
                "loss": self._tr_loss.cpu(),
                "total_loss": self._total_loss_scalar,
                "last_logged": self._globalstep_last_logged,
            }
            torch.save(position, folder / POSITION)
            for extra in self.extras:
                extra(folder)
            states = (*self.callback_handler.callbacks, self.control)
            exported = {type(one).__name__: one.state() for one in states if isinstance(one, ExportableState)}
            self.state.stateful_callbacks = exported
            self.state.save_to_json(str(folder / STATE))
        self.checkpoints.keep(self.state.best_global_step)
        wait_for_all()

    def _save_weights(self: Any, folder: Path) -> None:
        """Weights alone; of a model with frozen ones that is not of PEFT only those that are trained."""
        if hasattr(self.model, "peft_config"):
            self.model.save_pretrained(str(folder), save_embedding_layers=False)
        elif isinstance(self.model, PreTrainedModel):
            self.model.save_pretrained(str(folder))
        else:
            trained = {name: tensor for name, tensor in self.model.named_parameters() if tensor.requires_grad}
            tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in trained.items()}
            save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})

    def _send_telemetry(self) -> None:
        """Send nothing; TRL would report every trainer that is made."""

    def _issue_warnings_after_load(self, load_result: Any) -> None:
        """Frozen weights are not in a checkpoint, and that its files are whole is known by now."""

    def _init_training_state(self: Any, *args: Any, **kwargs: Any) -> Any:
        found = super()._init_training_state(*args, **kwargs)  # type: ignore[misc]
        if self._resumed_from is not None:
            self._had_stopped = self.control.should_training_stop
            self._locate_best()
        return found

    def _run_epoch(self: Any, **kwargs: Any) -> None:
        if self._had_stopped:  # before the process ended; the Trainer would begin another epoch
            self.control.should_training_stop = True
            return
        if self._resumed_from is not None and kwargs["epoch"] == kwargs["epochs_trained"]:
            position = torch.load(self._resumed_from / POSITION, weights_only=True)
            # The Trainer would begin the sum of losses anew, and the first entry of the log would differ.
            self._tr_loss = position["loss"].to(self._tr_loss.device)
            self._total_loss_scalar = position["total_loss"]
            self._globalstep_last_logged = position["last_logged"]
            if kwargs["steps_trained_in_current_epoch"]:
                torch.set_rng_state(position["epoch_generator"])
            else:
                self._load_rng_state(str(self._resumed_from))
        # The order of the rows is drawn from this state; a resume in the middle of the epoch has to draw the same order.
        torch.set_rng_state(from_first(torch.get_rng_state()))
        self._epoch_generator = torch.get_rng_state()
        super()._run_epoch(**kwargs)  # type: ignore[misc]
