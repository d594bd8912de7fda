"""Fine-tune a model that generates, causal or encoder-decoder: LoRA, QLoRA or every weight, on the scheduled wordings."""

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from steady.errors import SteadyError
from steady.finetune.callbacks import EpochWordings, LiveCurves
from steady.finetune.checkpoints.checkpoints import Checkpoints, kept_in
from steady.finetune.language.batches import CausalBatches, SequenceBatches
from steady.finetune.language.rows import GenerativeRows, Row, RowEncoder, count_cuts
from steady.finetune.lora import add_lora, count_parameters, loraplus_optimizer
from steady.finetune.params import Arm
from steady.finetune.preflight import (
    available_memory,
    check_rows,
    check_tokenizer,
    expected_memory,
    memory_line,
    memory_told,
    settings_told,
)
from steady.finetune.previews import (
    DEFAULT_PROMPTS,
    Answering,
    Previews,
    TakePreviews,
    answer_limit,
    generated_accuracy,
)
from steady.models.base import locate
from steady.models.load import load_language, pick_device
from steady.records import Prompt

if TYPE_CHECKING:
    from steady.finetune.finetune import FinetuneParams, Material

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Prepared:
    """An arm ready to train."""

    model: Any
    tokenizer: Any
    rows: GenerativeRows
    validation: list[Row]
    prompts: Sequence[Prompt]
    answering: Answering


def train_generative(
    arm: Arm,
    params: "FinetuneParams",
    material: "Material",
    validation: Sequence[Prompt],
    curves: Path,
    saved: Checkpoints | None,
) -> tuple[Any, Any, dict[str, Any]]:
    """Train an arm by its likelihood of the answers.

    Args:
        validation: the prompts that the arm may be chosen by.
        curves: the folder of DVCLive, and of the previews.
        saved: where to save and to go on from.

    Returns:
        The model with the weights of the best evaluation, its tokenizer, and what the record keeps.

    Raises:
        SteadyError: there is nothing to learn, the settings do not fit the model, or a loss is not finite.
    """
    ready = _prepare(arm, params, material, validation)
    trainable, total = count_parameters(ready.model)
    with kept_in(saved) as kept:
        trainer = _trainer(ready, params, curves, kept, material)
        expected = expected_memory(ready.model, ready.rows, params, trainer.saved_bytes())
        memory = memory_line(expected, available_memory(ready.model.device.type))
        logger.info(memory)
        with memory_told(memory):
            trainer.train_or_resume()
    record = _summary(trainer.state, params)
    cuts = count_cuts(ready.rows, math.ceil(record["epochs"]))
    _report_cuts(cuts, params)
    counts = {
        "trainable_parameters": trainable,
        "parameters": total,
        "trainable_percent": round(100 * trainable / total, 4),
    }
    return trainer.model, ready.tokenizer, counts | record | {"truncation": cuts}


def _prepare(arm: Arm, params: "FinetuneParams", material: "Material", validation: Sequence[Prompt]) -> Prepared:
    model, tokenizer = load_language(params.model, params.runtime.device, params.runtime.device_map)
    check_tokenizer(tokenizer, params)
    task, framed, longest = params.model.task, params.model.chat_template, params.format.max_length
    encoder = RowEncoder(tokenizer, task, longest, framed)
    rows = GenerativeRows(material.prompts, encoder, params.seed)
    check_rows(rows, encoder, material.labels, longest)
    usable = [prompt for prompt in validation if encoder.fits(prompt.completion)]
    if not usable:
        raise SteadyError("No validation prompt has an answer that fits in format.max_length. Raise it.")
    set_dropout(model, params.train.base_dropout)
    if arm.method == "lora":
        ids = tokenizer.convert_tokens_to_ids(list(params.model.special_tokens))
        model = add_lora(model, params.lora, locate(params.model), task, ids)
    else:
        model.requires_grad_(True)
    if params.sft.packing:
        check_packing(model, rows, tokenizer)
        rows.pack()
    limit = answer_limit(max(len(row.answer) for row in rows.rows))
    answering = Answering(model, tokenizer, task, framed, longest, limit)
    encoded = [encoder.row(prompt.prompt, prompt.completion) for prompt in usable]
    return Prepared(model, tokenizer, rows, encoded, usable, answering)


def _trainer(ready: Prepared, params: "FinetuneParams", curves: Path, kept: Checkpoints, material: "Material") -> Any:
    from transformers import EarlyStoppingCallback, PrinterCallback

    settings: dict[str, Any] = {
        "model": ready.model,
        "args": _arguments(ready, params, str(kept.folder)),
        "processing_class": ready.tokenizer,
        "optimizers": (loraplus_optimizer(ready.model, params.lora, params.train), None),
        "callbacks": [
            EpochWordings(ready.rows),
            LiveCurves(curves),
            EarlyStoppingCallback(early_stopping_patience=params.train.early_stopping_patience),
        ],
    }
    pad = ready.tokenizer.pad_token_id
    if params.model.task == "SEQ_2_SEQ_LM":
        from steady.finetune.language.trainers import SequenceTrainer

        with settings_told():
            trainer: Any = SequenceTrainer(ready.rows, data_collator=SequenceBatches(pad), **settings)
    else:
        from steady.finetune.language.causal import CausalTrainer

        batches = CausalBatches(pad, params.sft.completion_only_loss, params.sft.packing)
        shortest = sorted(range(len(ready.rows)), key=lambda index: sum(row.length for row in ready.rows[index]))[:2]
        first = batches([ready.rows[index] for index in shortest])
        with settings_told():
            trainer = CausalTrainer(ready.rows, first, data_collator=batches, **settings)
    trainer.remove_callback(PrinterCallback)
    trainer.checkpoints = kept
    trainer.validation = ready.validation
    labels = () if material.multi_label else material.labels
    trainer.generated = generated_accuracy(
        ready.answering, ready.prompts, labels, params.sft.generate_rows, params.seed
    )
    _add_previews(trainer, ready, material.own_prompts, params, curves, kept)
    return trainer


def _add_previews(
    trainer: Any, ready: Prepared, own: Sequence[Prompt], params: "FinetuneParams", curves: Path, kept: Checkpoints
) -> None:
    if params.sft.preview_steps is None:
        return
    shown = own or ready.prompts[:DEFAULT_PROMPTS]
    previews = Previews(ready.answering, [prompt.prompt for prompt in shown])
    step, _ = kept.last_good()
    if step is not None:
        previews.read(kept.path(step))
    trainer.add_callback(TakePreviews(previews, params.sft.preview_steps, curves))
    trainer.extras = (previews.write,)


def _arguments(ready: Prepared, params: "FinetuneParams", folder: str) -> Any:
    import torch

    train = params.train
    strategy = "epoch" if train.eval_steps is None else "steps"
    per_epoch = math.ceil(len(ready.rows) / train.per_device_train_batch_size / train.gradient_accumulation_steps)
    settings = train.arguments() | {
        "output_dir": folder,
        "eval_strategy": strategy,
        "eval_steps": train.eval_steps,
        "save_strategy": strategy,
        "save_steps": train.eval_steps or 500,
        "load_best_model_at_end": True,
        "restore_callback_states_from_checkpoint": True,
        "metric_for_best_model": "eval_loss",
        "greater_is_better": False,
        "logging_steps": max(1, (min(per_epoch, train.max_steps) if train.max_steps > 0 else per_epoch) // 4),
        "seed": params.seed,
        "data_seed": params.seed,
        "report_to": "none",
        "disable_tqdm": not params.runtime.progress,
        "use_cpu": pick_device(params.runtime.device).type == "cpu",
        "dataloader_pin_memory": False,
        "remove_unused_columns": False,
        "bf16": ready.model.dtype == torch.bfloat16,
        "fp16": ready.model.dtype == torch.float16,
    }
    if params.model.task == "SEQ_2_SEQ_LM":
        from transformers import Seq2SeqTrainingArguments

        return Seq2SeqTrainingArguments(**settings)
    from trl import SFTConfig

    return SFTConfig(dataset_kwargs={"skip_prepare_dataset": True}, max_length=None, **settings)


def set_dropout(model: Any, probability: float | None) -> None:
    """Set every dropout of the base, also those that attention keeps as a number; None changes nothing."""
    import torch

    if probability is None:
        return
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = probability
        for name in ("attention_dropout", "dropout", "hidden_dropout"):
            if isinstance(getattr(module, name, None), float):
                setattr(module, name, probability)


def check_packing(model: Any, rows: GenerativeRows, tokenizer: Any) -> None:
    """Refuse to pack rows that would see each other: the logits of two packed rows have to be those of each alone.

    Raises:
        SteadyError: they are not, or the model takes no positions.
    """
    import torch

    from steady.finetune.language.loss import close

    pair = sorted(rows.rows, key=lambda row: row.length)[:2]
    batches = CausalBatches(tokenizer.pad_token_id, answers_only=False, packed=True)
    was_training = model.training
    model.eval()
    try:
        with torch.no_grad():
            packed, *alone = (
                model(
                    **{name: tensor.to(model.device) for name, tensor in batches([item]).items() if name != "labels"},
                    use_cache=False,  # transformers looks for packed rows only where it makes no cache
                ).logits
                for item in (pair, *([row] for row in pair))
            )
        same = close(packed, torch.cat(alone, dim=1))
    except (TypeError, ValueError, RuntimeError):
        same = False
    model.train(was_training)
    if not same:
        raise SteadyError(
            f"sft.packing: the attention of this model ({type(model).__name__}) lets packed rows see each other. Set it to false "
            "(batches are of like length anyway), or set model.attn_implementation: sdpa."
        )


def _summary(state: Any, params: "FinetuneParams") -> dict[str, Any]:
    losses = [entry["loss"] for entry in state.log_history if "loss" in entry]
    evaluations = [entry for entry in state.log_history if "eval_loss" in entry]
    if not evaluations or not all(map(math.isfinite, losses + [entry["eval_loss"] for entry in evaluations])):
        raise SteadyError(
            "The loss is not finite, or nothing was evaluated. Lower train.learning_rate, or train.eval_steps to at most "
            f"{state.global_step} steps."
        )
    best = min(evaluations, key=lambda entry: entry["eval_loss"])
    generated = {"validation_generated_accuracy": best["eval_generated_accuracy"]} if params.sft.generate_rows else {}
    return {
        "steps": state.global_step,
        "epochs": round(state.epoch, 4),
        "stopped_early": state.global_step < state.max_steps,
        "best": {"epoch": best["epoch"], "step": best["step"], "validation_loss": best["eval_loss"], **generated},
        "first_loss": losses[0],
        "last_loss": losses[-1],
    }


def _report_cuts(cuts: dict[str, int], params: "FinetuneParams") -> None:
    if cuts["prompts_cut"] or cuts["rows_left_out"]:
        logger.warning(
            "format.max_length %d: %d of %d prompts shown were cut (%d tokens), and %d training rows left out whose answer alone "
            "does not fit.",
            params.format.max_length,
            cuts["prompts_cut"],
            cuts["prompts_shown"],
            cuts["tokens_cut"],
            cuts["rows_left_out"],
        )
