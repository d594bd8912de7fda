"""Fine-tune a sequence classifier: LoRA through PEFT, or every weight, with the Trainer of transformers."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from transformers import DataCollatorWithPadding, Trainer, TrainingArguments

from steady.errors import SteadyError
from steady.finetune import training
from steady.finetune.checkpoints.checkpoints import kept_in
from steady.finetune.checkpoints.trainer import Resumable
from steady.finetune.classifier.probe import HEAD_STRENGTHS, fit_head
from steady.finetune.lora import add_lora
from steady.finetune.objectives.step import Penalty, label_positions, penalty_of
from steady.finetune.params import LoraParams, TrainParams
from steady.finetune.run import Record, TrainingRun
from steady.finetune.sampling import EpochOrder, Sampling, sampling_of, wordings_together
from steady.labels import LabelTask
from steady.models.base import Base, locate
from steady.models.description import check_positions
from steady.models.load import load_classifier, load_tokenizer, set_padding
from steady.models.pooled import PooledClassifier
from steady.models.ranks import size
from steady.prompts.schedule import TrainingPrompts

ModelInput = dict[str, Any]  # `input_ids`, `attention_mask`: lists of a row's tokens; `labels`: its target


class ScheduledRows:
    """A map-style dataset of `{input_ids, attention_mask, labels}`; `epoch` (from 0) selects which examples are shown under which
    wording, and `labels` is what the loss wants of the right answer (`LabelTask.target`).

    No text is cached, so the wording of another epoch cannot be returned.
    """

    def __init__(
        self, prompts: TrainingPrompts, tokenizer: Any, task: LabelTask, max_length: int, sampling: Sampling
    ) -> None:
        self.prompts = prompts
        self.tokenizer = tokenizer
        self.task = task
        self.max_length = max_length
        self.sampler = sampling.over(prompts, range(len(prompts)))
        self.epoch = 0

    @property
    def epoch(self) -> int:
        """The epoch whose rows are shown."""
        return self._epoch

    @epoch.setter
    def epoch(self, epoch: int) -> None:
        self._epoch = epoch
        self._shown = self.sampler.shown(epoch)

    def __len__(self) -> int:
        return len(self.sampler)

    def __getitem__(self, index: int) -> ModelInput:
        place, wording = self._shown[index]
        return self.encoded(self.prompts.worded(place, wording), self.prompts.examples[place].output)

    def encoded(self, prompt: str, answer: str) -> ModelInput:
        """A prompt and the target of its right answer."""
        tokens = self.tokenizer(prompt, truncation=True, max_length=self.max_length)
        return {**tokens, "labels": self.task.target(answer)}

    def lengths(self) -> list[int]:
        """Tokens of every row of the epoch."""
        return [len(self[index]["input_ids"]) for index in range(len(self))]


def train_classifier(run: TrainingRun) -> tuple[Any, Any, Record]:
    """Train an arm of a classifier: the model with the weights of the best epoch, its tokenizer, and the record of the training.

    A pooled one starts from the head of a probe, which (Kumar et al. 2022, arXiv 2202.10054) spares the pretrained features the
    gradients of a random head, and makes the baseline the starting point of the other arms.

    Raises:
        SteadyError: the settings do not fit the model, a label has no training row, or a loss is not finite.
    """
    params, data = run.params, run.data
    tokenizer = load_tokenizer(params.model)
    model = load_classifier(params.model, data.labels, params.runtime.device)
    set_padding(model, tokenizer)
    pooled, length = isinstance(model, PooledClassifier), params.format.max_length
    check_positions(model.encoder if pooled else model, tokenizer, length)
    record: Record = {}
    if pooled:
        # A probe is an arm of its own: its strengths are `probe.C`, and changing them leaves the other arms as they are.
        strengths = params.probe.C if run.arm.method == "probe" else HEAD_STRENGTHS
        record["probe_C"] = fit_head(model, tokenizer, run, strengths)
    elif run.arm.method == "probe":
        raise SteadyError(
            f"arms.{run.name}: method `probe` needs `model.pooling: mean`, got null. Choose `none` or `lora`."
        )
    if data.multi_label:
        allow_several(model, params.train)
    if run.arm.method == "probe":
        model.encoder.requires_grad_(False)  # so that the head alone is counted as trained
        return model, tokenizer, record | training.parameter_counts(model)
    if run.arm.method == "lora":
        model = wrap_with_lora(model, params.lora, locate(params.model))
    rows = ScheduledRows(data.prompts, tokenizer, data.task, length, sampling_of(run.arm, params.train, params.seed))
    counts = training.parameter_counts(model)
    validation = [rows.encoded(prompt.prompt, prompt.completion) for prompt in run.validation]
    record |= counts | train(model, tokenizer, rows, validation, run)
    return model, tokenizer, record


def wrap_with_lora(model: Any, params: LoraParams, base: Base) -> Any:
    """Add trainable LoRA matrices: to the encoder of a pooled classifier, or to a model whose own head is trained with them.
    SteadyError where the target modules match nothing; the message lists the linear layers there are.
    """
    if not isinstance(model, PooledClassifier):
        return add_lora(model, params, base, "SEQ_CLS")
    model.encoder = add_lora(model.encoder, params, base, "FEATURE_EXTRACTION")
    return model


def allow_several(model: Any, train_params: TrainParams) -> None:
    """Make a stock head one of several labels a row; a pooled one sees it from the shape of the targets.
    SteadyError where labels are smoothed, which the binary cross-entropy of the head does not do.
    """
    if train_params.label_smoothing_factor:
        raise SteadyError(
            "train.label_smoothing_factor: it is for one label a row; with `data.multi_label: true` it is 0."
        )
    if not isinstance(model, PooledClassifier):
        model.config.problem_type = "multi_label_classification"


class ClassifierTrainer(Resumable, Trainer):  # type: ignore[misc]
    """The Trainer with checkpoints that resume exactly; `sampler` and `penalty`, what the objective adds, are set before training."""

    sampler: str
    penalty: Penalty | None = None

    def _get_train_sampler(self: Any, train_dataset: Any = None) -> Any:
        # The order of `shuffled` is that of transformers, from which the published adapters were trained.
        if self.sampler == "shuffled":
            return super()._get_train_sampler(train_dataset)  # type: ignore[misc]
        return EpochOrder(self.train_dataset)

    def compute_loss(
        self: Any, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """The loss of transformers and the penalty, in training alone."""
        targets = inputs.get("labels")
        loss, outputs = super().compute_loss(model, inputs, True, num_items_in_batch)  # type: ignore[misc]
        if model.training and self.penalty is not None:
            progress = self.state.global_step / self.state.max_steps
            added = self.penalty(*label_positions(outputs.logits, targets), progress)
            # A loss that the model has divided by the rows of the whole step is a sum over accumulated batches.
            summed = self.model_accepts_loss_kwargs and num_items_in_batch is not None
            batches = self.current_gradient_accumulation_steps if summed else 1
            loss = loss if added is None else loss + added / batches
        return (loss, outputs) if return_outputs else loss


def train(
    model: Any, tokenizer: Any, rows: ScheduledRows, validation: Sequence[ModelInput], run: TrainingRun
) -> Record:
    """Train in place, stop early on validation loss, and leave the weights of the best epoch in `model`.
    Returns the record of `training_summary` and `tokens_shown`; SteadyError where a loss is not finite.
    """
    training.set_base_dropout(model, run.params.train.base_dropout)
    with kept_in(run.checkpoints) as kept:
        arguments = TrainingArguments(
            per_device_eval_batch_size=64,
            train_sampling_strategy="group_by_length",  # batches of like length have little padding
            include_num_input_tokens_seen="non_padding",
            **training.shared_arguments(run, str(kept.folder), len(rows)),
        )
        trainer = ClassifierTrainer(
            model=model,
            args=arguments,
            train_dataset=rows,
            eval_dataset=validation,
            data_collator=DataCollatorWithPadding(tokenizer),
            compute_metrics=_accuracy,
            callbacks=training.shared_callbacks(run, rows),
        )
        if size() > 1:  # a mean over the rows, which `Resumable` weighs by the share that a process has of them
            trainer.model_accepts_loss_kwargs = False
        trainer.checkpoints, trainer.together = kept, wordings_together(run.arm)
        trainer.sampler, trainer.penalty = run.arm.sampler, penalty_of(run)
        trainer.train_or_resume()
    return training.training_summary(trainer.state) | {"tokens_shown": trainer.state.num_input_tokens_seen}


def _accuracy(prediction: Any) -> dict[str, float]:
    logits, targets = prediction.predictions, prediction.label_ids
    if np.ndim(targets) == 2:  # several labels a row: the whole set has to be right
        return {"accuracy": float(((logits >= 0) == (targets > 0.5)).all(axis=1).mean())}
    return {"accuracy": float((np.argmax(logits, axis=-1) == targets).mean())}
