"""Fine-tune a model that generates, causal or encoder-decoder: LoRA, QLoRA or every weight, on the scheduled wordings."""

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from steady.errors import SteadyError
from steady.finetune import preflight, training
from steady.finetune.checkpoints.checkpoints import Checkpoints, kept_in
from steady.finetune.language.batches import CausalBatches, SequenceBatches, close
from steady.finetune.language.rows import GenerativeRows, Row, RowEncoder, count_cuts
from steady.finetune.language.trainers import SequenceTrainer
from steady.finetune.lora import add_lora, loraplus_optimizer
from steady.finetune.objectives.step import penalty_of
from steady.finetune.previews import DEFAULT_PROMPTS, Answering, Previews, generated_accuracy
from steady.finetune.run import Record, TrainingRun
from steady.finetune.sampling import sampling_of, wordings_together
from steady.models.base import locate
from steady.models.chat import chat_frame, default_template
from steady.models.description import check_positions
from steady.models.load import load_language
from steady.models.tokenizer import end_id
from steady.records import Prompt

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Prepared:
    """A model with its adapter, encoded training and validation rows, and what answers the `prompts` while it trains."""

    model: Any
    tokenizer: Any
    rows: GenerativeRows
    validation: list[Row]
    prompts: Sequence[Prompt]
    answering: Answering


def train_language(run: TrainingRun) -> tuple[Any, Any, Record]:
    """Train an arm by its likelihood of the answers: the model of the best evaluation, its tokenizer, and the record of the training.
    SteadyError where there is nothing to learn, the settings do not fit the model, or a loss is not finite.
    """
    params = run.params
    ready = _prepare(run)
    counts = training.parameter_counts(ready.model)
    with kept_in(run.checkpoints) as kept:
        trainer = _trainer(ready, run, kept)
        expected = preflight.expected_memory(ready.model, ready.rows, params, trainer.saved_bytes())
        memory = preflight.memory_line(expected, preflight.available_memory(ready.model.device.type))
        logger.info(memory)
        try:
            trainer.train_or_resume()
        except torch.OutOfMemoryError as error:
            raise SteadyError(
                f"Out of memory: {error}\n{memory}\nLower train.per_device_train_batch_size (and raise "
                "gradient_accumulation_steps) or format.max_length, set train.gradient_checkpointing, or model.quantization: nf4."
            ) from error
    record = training.training_summary(trainer.state)
    cuts = count_cuts(ready.rows, math.ceil(record["epochs"]))
    if cuts["prompts_cut"] or cuts["rows_left_out"]:
        logger.warning(
            "format.max_length %(limit)d: %(prompts_cut)d of %(prompts_shown)d prompts shown were cut (%(tokens_cut)d tokens), and "
            "%(rows_left_out)d training rows left out whose answer alone does not fit.",
            cuts | {"limit": params.format.max_length},
        )
    return trainer.model, ready.tokenizer, counts | record | {"truncation": cuts}


def _prepare(run: TrainingRun) -> Prepared:
    params, data = run.params, run.data
    model, tokenizer = load_language(params.model, params.runtime.device, params.runtime.device_map)
    task, framed, longest = params.model.task, params.model.chat_template, params.format.max_length
    end_id(tokenizer)  # an answer that cannot be ended, or a prompt that cannot be framed, is refused here
    if framed:
        chat_frame(tokenizer)
    elif default_template(tokenizer) is not None:
        logger.warning(
            "model.chat_template is false: prompts go to the model as plain text, though its tokenizer has a chat template. Set it to "
            "true to train and ask through the template."
        )
    check_positions(model, tokenizer, longest)
    encoder = RowEncoder(tokenizer, task, longest, framed)
    rows = GenerativeRows(data.prompts, encoder, sampling_of(run.arm, params.train, params.seed))
    preflight.check_rows(rows, data.labels)
    # Prompts are cut, answers never: half an answer would be a wrong target.
    usable = [prompt for prompt in run.validation if encoder.fits(prompt.completion)]
    if not usable:
        raise SteadyError("No validation prompt has an answer that fits in format.max_length. Raise it.")
    training.set_base_dropout(model, params.train.base_dropout)
    if run.arm.method == "lora":
        ids = tokenizer.convert_tokens_to_ids(list(params.model.special_tokens))
        model = add_lora(model, params.lora, locate(params.model), task, ids)
    else:
        model.requires_grad_(True)
    # After the adapter: packing is checked on the model that will be trained.
    if params.sft.packing:
        check_packing(model, rows, tokenizer)
        rows.pack()
    # An answer may take as many tokens as the longest one learned, within bounds.
    limit = min(max(16, *(len(row.answer) for row in rows.rows)), 128)
    answering = Answering(model, tokenizer, framed, longest, limit)
    encoded = [encoder.row(prompt.prompt, prompt.completion) for prompt in usable]
    return Prepared(model, tokenizer, rows, encoded, usable, answering)


def _trainer(ready: Prepared, run: TrainingRun, kept: Checkpoints) -> Any:
    params, pad = run.params, ready.tokenizer.pad_token_id
    settings = {
        "model": ready.model,
        "args": _arguments(ready, run, str(kept.folder)),
        "processing_class": ready.tokenizer,
        "optimizers": (loraplus_optimizer(ready.model, params.lora, params.train), None),
        "callbacks": training.shared_callbacks(run, ready.rows),
    }
    try:
        if params.model.task == "SEQ_2_SEQ_LM":
            trainer: Any = SequenceTrainer(ready.rows, data_collator=SequenceBatches(pad), **settings)
        else:
            from steady.finetune.language.causal import CausalTrainer

            batches = CausalBatches(pad, params.sft.completion_only_loss, params.sft.packing)
            # Two short rows are enough to compare the two ways of computing logits, and cheap on a large model.
            items = [ready.rows[index] for index in range(len(ready.rows))]
            shortest = sorted(items, key=lambda item: sum(row.length for row in item))[:2]
            trainer = CausalTrainer(ready.rows, batches(shortest), data_collator=batches, **settings)
    except (ValueError, TypeError, ImportError) as error:
        raise SteadyError(f"train, lora: the trainer refuses these settings: {error}") from error
    trainer.checkpoints, trainer.together = kept, wordings_together(run.arm)
    trainer.validation = ready.validation
    trainer.penalty = penalty_of(run)
    # A set of labels is compared as a text with its reference, whose order of labels is the right one.
    labels = () if run.data.multi_label else run.data.labels
    drawn = params.sft.generate_rows
    trainer.generated = generated_accuracy(ready.answering, ready.prompts, labels, drawn, params.seed)
    if params.sft.preview_steps is not None:
        shown = run.data.own_prompts or ready.prompts[:DEFAULT_PROMPTS]
        previews = Previews(ready.answering, [prompt.prompt for prompt in shown], params.sft.preview_steps, run.curves)
        # Previews of steps before a stop are read back, so that a resumed run ends with the same file.
        step, _ = kept.last_good()
        if step is not None:
            previews.read(kept.path(step))
        trainer.add_callback(previews)
        trainer.extras = (previews.write,)
    return trainer


def _arguments(ready: Prepared, run: TrainingRun, folder: str) -> Any:
    settings = training.shared_arguments(run, folder, len(ready.rows)) | {
        "remove_unused_columns": False,  # a row is no mapping of columns here
        "bf16": ready.model.dtype == torch.bfloat16,
        "fp16": ready.model.dtype == torch.float16,
    }
    if run.params.model.task == "SEQ_2_SEQ_LM":
        from transformers import Seq2SeqTrainingArguments

        return Seq2SeqTrainingArguments(**settings)
    from trl import SFTConfig

    return SFTConfig(dataset_kwargs={"skip_prepare_dataset": True}, max_length=None, **settings)


def check_packing(model: Any, rows: GenerativeRows, tokenizer: Any) -> None:
    """SteadyError where packed rows would see each other: the logits of two packed rows have to be those of each alone."""
    pair = sorted(rows.rows, key=lambda row: row.length)[:2]
    batches = CausalBatches(tokenizer.pad_token_id, answers_only=False, packed=True)
    was_training = model.training
    model.eval()  # dropout would make any two passes differ
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
