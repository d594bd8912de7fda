"""What the trainers of supervised fine-tuning share: arguments, callbacks, the dropout of the base, and the record of a run."""

import math
import os
from importlib.util import find_spec
from typing import Any

import torch
from transformers import EarlyStoppingCallback

from steady.errors import SteadyError
from steady.finetune.callbacks import EpochWordings, LiveCurves, TrainingBar
from steady.finetune.run import Record, TrainingRun
from steady.models.load import pick_device
from steady.models.ranks import rank

PROJECT = "steady"  # what a tracker files the runs under


def shared_arguments(run: TrainingRun, folder: str, rows: int) -> Record:
    """Keys of `transformers.TrainingArguments`, from `params.yaml` and for checkpoints that resume to the same bytes.
    The Trainer may write into `folder`; from `rows`, the items of an epoch, follow the steps between two entries of the log.
    """
    train = run.params.train
    strategy = "epoch" if train.eval_steps is None else "steps"
    steps = math.ceil(rows / train.per_device_train_batch_size / train.gradient_accumulation_steps)
    return train.arguments() | {
        "output_dir": folder,
        "eval_strategy": strategy,
        "eval_steps": train.eval_steps,
        # The best epoch can only be loaded at the end if every evaluation was saved.
        "save_strategy": strategy,
        "save_steps": train.eval_steps or 500,
        "restore_callback_states_from_checkpoint": True,
        "load_best_model_at_end": True,
        "metric_for_best_model": "eval_loss",
        "greater_is_better": False,
        # four entries of the log an epoch
        "logging_steps": max(1, (min(steps, train.max_steps) if train.max_steps > 0 else steps) // 4),
        "seed": run.params.seed,
        "data_seed": run.params.seed,
        "use_cpu": pick_device(run.params.runtime.device).type == "cpu",
        "dataloader_pin_memory": False,
        **reporting(run),
    }


def reporting(run: TrainingRun) -> Record:
    """Keys of `transformers.TrainingArguments` that name the trackers of `runtime.report_to`, beside the curves of DVCLive.
    SteadyError where a tracker is not installed.
    """
    # one run is reported once, by the first of several processes
    trackers = run.params.runtime.report_to if rank() == 0 else ()
    for tracker in trackers:
        if find_spec(tracker) is None:
            raise SteadyError(
                f"runtime.report_to: {tracker} is not installed. Install it (`pip install -r requirements/trackers.txt`) or take "
                "it out."
            )
    # Each library's own variable, unless it is set: one project for all arms, and files beside the run rather than in a
    # checkpoint's folder, which is deleted when the arm is done.
    folder = f"runs/{run.name}"
    places = {"WANDB_PROJECT": PROJECT, "MLFLOW_EXPERIMENT_NAME": PROJECT, "TENSORBOARD_LOGGING_DIR": folder}
    os.environ.update({name: value for name, value in places.items() if trackers and name not in os.environ})
    return {"report_to": list(trackers), "project": PROJECT, "run_name": run.name, "disable_tqdm": True}


def shared_callbacks(run: TrainingRun, dataset: Any) -> list[Any]:
    """Callbacks of `transformers.Trainer`: the wordings of each epoch, live curves, early stopping."""
    patience = EarlyStoppingCallback(early_stopping_patience=run.params.train.early_stopping_patience)
    bar = TrainingBar(run.params.runtime.progress and rank() == 0)
    return [EpochWordings(dataset), bar, LiveCurves(run.curves), patience]


def set_base_dropout(model: Any, probability: float | None) -> None:
    """Set every dropout of the base, also those that attention keeps as a number; None changes nothing."""
    if probability is None:
        return
    # Dropout costs time on a CPU; that of LoRA is a setting of its own (`lora.lora_dropout`).
    for name, module in model.named_modules():
        if isinstance(module, torch.nn.Dropout) and "lora_dropout" not in name:
            module.p = probability
        for key in ("attention_dropout", "dropout", "hidden_dropout"):
            if isinstance(getattr(module, key, None), float):
                setattr(module, key, probability)


def parameter_counts(model: Any) -> Record:
    """Trainable parameters, all of them, and the percentage."""
    total = trainable = 0
    for parameter in model.parameters():
        # bitsandbytes packs two numbers of 4 bits into a byte, and both are counted
        state = getattr(parameter, "quant_state", None)
        numbers = int(parameter.numel()) if state is None else math.prod(state.shape)
        total += numbers
        trainable += numbers if parameter.requires_grad else 0
    percent = round(100 * trainable / total, 4)
    return {"trainable_parameters": trainable, "parameters": total, "trainable_percent": percent}


def training_summary(state: Any) -> Record:
    """Steps done, the best evaluation, and the first and the last loss of a `TrainerState`.
    SteadyError where a loss is not finite, or nothing was evaluated.
    """
    losses = [entry["loss"] for entry in state.log_history if "loss" in entry]
    evaluations = [entry for entry in state.log_history if "eval_loss" in entry]
    if not evaluations or not all(map(math.isfinite, losses + [entry["eval_loss"] for entry in evaluations])):
        raise SteadyError(
            "The loss is not finite, or nothing was evaluated. Lower train.learning_rate, check the data for rows with no text, "
            f"or set train.eval_steps to at most {state.global_step} steps."
        )
    # The first of equals, which is the one that the Trainer has kept.
    best = min(evaluations, key=lambda entry: entry["eval_loss"])
    names = ("loss", "accuracy", "generated_accuracy")
    figures = {f"validation_{name}": best[f"eval_{name}"] for name in names if f"eval_{name}" in best}
    return {
        "steps": state.global_step,
        "epochs": round(state.epoch, 4),
        "stopped_early": state.global_step < state.max_steps,
        "best": {"epoch": best["epoch"], "step": best["step"], **figures},
        "first_loss": losses[0],
        "last_loss": losses[-1],
    }
