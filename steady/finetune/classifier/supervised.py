"""Fine-tune a sequence classifier: LoRA through PEFT, or every weight, with the Trainer of transformers."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from steady.errors import SteadyError
from steady.finetune.callbacks import EpochWordings, LiveCurves
from steady.finetune.checkpoints.checkpoints import Checkpoints, kept_in
from steady.finetune.classifier.dataset import ScheduledRows
from steady.finetune.lora import add_lora, save_adapter
from steady.finetune.params import LoraParams, TrainParams
from steady.labels import LabelTask
from steady.models.base import Base
from steady.models.pooled import PooledClassifier, save_head
from steady.records import Prompt, write_json


def wrap_with_lora(model: Any, params: LoraParams, base: Base) -> Any:
    """Add trainable LoRA matrices: to the encoder of a pooled classifier, or to a model whose own head is trained with them.

    Raises:
        SteadyError: the target modules match nothing; the message lists the linear layers there are.
    """
    if not isinstance(model, PooledClassifier):
        return add_lora(model, params, base, "SEQ_CLS")
    model.encoder = add_lora(model.encoder, params, base, "FEATURE_EXTRACTION")
    return model


def set_base_dropout(model: Any, probability: float | None) -> None:
    """Set every dropout of the base, LoRA's own left alone; None changes nothing."""
    import torch

    for name, module in model.named_modules():
        if probability is not None and isinstance(module, torch.nn.Dropout) and "lora_dropout" not in name:
            module.p = probability


def encoded_prompts(
    prompts: Sequence[Prompt], tokenizer: Any, task: LabelTask, max_length: int
) -> list[dict[str, Any]]:
    """Validation prompts as model inputs with the target of their answer."""
    return [
        {**tokenizer(prompt.prompt, truncation=True, max_length=max_length), "labels": task.target(prompt.completion)}
        for prompt in prompts
    ]


def train(
    model: Any,
    tokenizer: Any,
    dataset: ScheduledRows,
    validation: list[dict[str, Any]],
    params: TrainParams,
    *,
    seed: int,
    curves: Path,
    progress: bool,
    checkpoints: Checkpoints | None = None,
) -> dict[str, Any]:
    """Train in place, stop early on validation loss, and leave the weights of the best epoch in `model`.

    Args:
        checkpoints: where to save and to go on from; None: a run that is stopped begins anew.

    Returns:
        Steps done, the best epoch with its validation loss and accuracy, and the prompts and tokens seen.

    Raises:
        SteadyError: a loss is not finite.
    """
    from transformers import DataCollatorWithPadding, EarlyStoppingCallback, Trainer

    from steady.finetune.checkpoints.trainer import Resumable

    class ClassifierTrainer(Resumable, Trainer):
        """The Trainer, saving safely."""

    set_base_dropout(model, params.base_dropout)
    with kept_in(checkpoints) as kept:
        trainer = ClassifierTrainer(
            model=model,
            args=_arguments(
                params, str(kept.folder), seed, progress, steps_per_epoch=_steps_per_epoch(dataset, params)
            ),
            train_dataset=dataset,
            eval_dataset=validation,
            data_collator=DataCollatorWithPadding(tokenizer),
            compute_metrics=_accuracy,
            callbacks=[
                EpochWordings(dataset),
                LiveCurves(curves),
                EarlyStoppingCallback(early_stopping_patience=params.early_stopping_patience),
            ],
        )
        trainer.checkpoints = kept
        trainer.train_or_resume()
    return _summary(trainer.state, params)


def _steps_per_epoch(dataset: ScheduledRows, params: TrainParams) -> int:
    return math.ceil(len(dataset) / params.per_device_train_batch_size / params.gradient_accumulation_steps)


def _arguments(params: TrainParams, folder: str, seed: int, progress: bool, steps_per_epoch: int) -> Any:
    from transformers import TrainingArguments

    own = params.arguments()
    strategy = "epoch" if params.eval_steps is None else "steps"
    return TrainingArguments(
        output_dir=folder,
        eval_strategy=strategy,
        eval_steps=params.eval_steps,
        save_strategy=strategy,
        save_steps=params.eval_steps or 500,
        restore_callback_states_from_checkpoint=True,
        load_best_model_at_end=True,
        metric_for_best_model="eval_loss",
        greater_is_better=False,
        logging_steps=max(1, steps_per_epoch // 4),
        per_device_eval_batch_size=64,
        train_sampling_strategy="group_by_length",
        seed=seed,
        data_seed=seed,
        report_to="none",
        disable_tqdm=not progress,
        use_cpu=False,
        dataloader_pin_memory=False,
        **own,
    )


def _accuracy(prediction: Any) -> dict[str, float]:
    logits, targets = prediction.predictions, prediction.label_ids
    if np.ndim(targets) == 2:  # several labels a row: the whole set has to be right
        return {"accuracy": float(((logits >= 0) == (targets > 0.5)).all(axis=1).mean())}
    return {"accuracy": float((np.argmax(logits, axis=-1) == targets).mean())}


def _summary(state: Any, params: TrainParams) -> dict[str, Any]:
    """What the record keeps of a run; a loss that is not finite stops it."""
    losses = [entry["loss"] for entry in state.log_history if "loss" in entry]
    evaluations = [entry for entry in state.log_history if "eval_loss" in entry]
    if not all(map(math.isfinite, losses + [entry["eval_loss"] for entry in evaluations])):
        raise SteadyError("The loss is not finite. Lower train.learning_rate, or check the data for rows with no text.")
    best = min(evaluations, key=lambda entry: entry["eval_loss"])
    return {
        "steps": state.global_step,
        "epochs": round(state.epoch, 4),
        "stopped_early": state.epoch < params.num_train_epochs,
        "best": {
            "epoch": best["epoch"],
            "step": best["step"],
            "validation_loss": best["eval_loss"],
            "validation_accuracy": best["eval_accuracy"],
        },
        "first_loss": losses[0],
        "last_loss": losses[-1],
    }


def save_trained(model: Any, tokenizer: Any, folder: Path) -> None:
    """Save what plain transformers and PEFT load: weights, config, tokenizer, and the head of a pooled classifier."""
    trained = model.encoder if isinstance(model, PooledClassifier) else model
    if hasattr(trained, "peft_config"):
        save_adapter(trained, folder)
    else:
        trained.save_pretrained(str(folder))
    tokenizer.save_pretrained(str(folder))
    if isinstance(model, PooledClassifier):
        save_head(model.head, folder)
    path = folder / "adapter_config.json"
    if path.is_file():  # PEFT writes sets in hash order; sorted lists give the same bytes in every process
        config = json.loads(path.read_text(encoding="utf-8"))
        write_json(
            path, {key: sorted(value) if isinstance(value, list) else value for key, value in sorted(config.items())}
        )
