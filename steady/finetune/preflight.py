"""Checks before a training: settings that would fail or train nothing are refused, with the reason and what to do."""

import logging
import os
from collections.abc import Iterator, Sequence
from typing import Any, get_args

import torch
from transformers.training_args import OptimizerNames

from steady.errors import SteadyError
from steady.finetune.language.rows import GenerativeRows
from steady.finetune.objectives import find_objective
from steady.finetune.params import Arm, FinetuneParams, Objective
from steady.finetune.preference.rows import count_pairs
from steady.finetune.run import TrainingRun
from steady.models.ranks import size
from steady.models.tokenizer import unknown_id

logger = logging.getLogger(__name__)
GIB = 2**30
HELD = 1.45
"""Peak bytes of a training step over the bytes of its saved activations: temporary buffers and memory lost to fragmentation.

Measured on a CPU, with a Llama of 135 million weights and LoRA in bfloat16; on a GPU it was not measured.
"""


def check_settings(run: TrainingRun) -> None:
    """SteadyError, with all faults at once, for settings of an arm that do not go together or do not fit its data."""
    params = run.params
    faults = list(_method_faults(run.name, run.arm, params))
    # The Trainer would load the model and tokenise the data before it refused the name.
    optimizers = [name.value for name in OptimizerNames]
    if params.train.optim not in optimizers:
        faults.append(f"train.optim: no optimizer {params.train.optim!r}. There are: {', '.join(optimizers)}.")
    faults += [*preference_faults(run), *_batch_faults(run)]
    if faults:
        raise SteadyError("\n".join(faults))


def _method_faults(name: str, arm: Arm, params: FinetuneParams) -> Iterator[str]:
    model = params.model
    if arm.method == "full" and model.quantization != "none":
        yield (
            f"arms.{name}: method full cannot train weights of {model.quantization}: quantised numbers have no gradient. "
            "Use method lora, or model.quantization: none."
        )
    if arm.method == "full" and model.dtype == "float16":
        yield f"arms.{name}: method full in float16 has gradients that vanish. Use model.dtype bfloat16 or float32."
    if arm.method == "probe" and model.task != "SEQ_CLS":
        yield f"arms.{name}: method probe needs model.task SEQ_CLS, got {model.task}. Use none or lora."
    if (arm.objective == "none") is (arm.method in {"lora", "full"}):
        yield (
            f"arms.{name}: method {arm.method} with objective {arm.objective}. Methods lora and full need "
            f"{', '.join(get_args(Objective)[1:])}; none and probe have none."
        )
    if params.lora.loraplus_lr_ratio is not None and arm.method == "full":
        yield f"arms.{name}: lora.loraplus_lr_ratio is of LoRA, and method full has none. Set it to null."
    sft = params.sft
    if model.task == "SEQ_CLS":
        for key in ("preview_steps", "generate_rows", "packing"):
            if getattr(sft, key):
                yield f"sft.{key}: a SEQ_CLS model generates nothing. Leave it out, or choose a model that generates."
        return
    # Settings of the head of a classifier, and of packing, which needs attention that keeps the rows of a sequence apart.
    if model.pooling is not None:
        yield f"model.pooling: {model.pooling} is of SEQ_CLS; a {model.task} model has null."
    if model.task == "SEQ_2_SEQ_LM" and sft.packing:
        yield "sft.packing: an encoder-decoder would mix the packed rows in its encoder. Set it to false; batches are of like length."
    if model.task == "SEQ_2_SEQ_LM" and not sft.completion_only_loss:
        yield "sft.completion_only_loss: an encoder-decoder predicts answers alone. Set it to true."
    if sft.preview_prompts is not None and sft.preview_steps is None:
        yield "sft.preview_prompts: they are answered every sft.preview_steps, which is null. Set that to a number of steps."


def _batch_faults(run: TrainingRun) -> Iterator[str]:
    """What the sampler, the objective and several processes cannot do with the settings of the arm."""
    name, arm, params = run.name, run.arm, run.params
    rows = params.train.per_device_train_batch_size
    if arm.sampler != "shuffled" and params.sft.packing:
        yield f"arms.{name}: sampler {arm.sampler} puts rows into batches, and sft.packing into sequences. Set it to false."
    if arm.sampler == "grouped" and rows % arm.group_size:
        yield (
            f"arms.{name}: train.per_device_train_batch_size is {rows}, which does not hold whole items of group_size "
            f"{arm.group_size} wordings. Make it a multiple."
        )
    if arm.scoring.solved_examples and params.model.task == "SEQ_CLS":
        yield f"arms.{name}.scoring.solved_examples: a SEQ_CLS model reads no examples. Set it to 0, or choose a model that writes."
    adjusts = arm.scoring.calibrated or arm.scoring.averaged_wordings > 1
    if adjusts and (run.data.multi_label or not run.data.labels):
        yield (
            f"arms.{name}.scoring: calibrated and averaged_wordings are of the probabilities of labels, and here an answer is "
            f"{'a set of them' if run.data.multi_label else 'free text'}. Leave them out."
        )
    if module := find_objective(arm.objective):
        yield from module.faults(name, params)
    processes = size()
    # What several processes cannot do: share a batch that they do not divide, or a model that is spread over their GPUs.
    batch = params.dpo if run.arm.objective == "dpo" else params.train
    if processes > 1 and batch.per_device_train_batch_size % processes:
        section = "dpo" if batch is params.dpo else "train"
        yield (
            f"{section}.per_device_train_batch_size: {batch.per_device_train_batch_size} rows are the batch of all processes "
            f"together, and {processes} processes do not divide it. Change one of the two."
        )
    if processes > 1 and params.runtime.device_map is not None:
        yield "runtime.device_map: every process has one GPU and the whole model on it. Set it to null, or start one process."
    # Means over what a batch happens to have: those of two halves do not make that of the whole.
    over_batch = params.consistency.placebo or params.consistency.penalty == "consensus"
    if processes > 1 and run.arm.objective == "consistency" and over_batch:
        yield (
            f"arms.{run.name}: consistency.placebo and consistency.penalty: consensus look at a whole batch, so they train in one "
            "process. Start one process, or use penalty jsd without placebo."
        )
    if processes > 1 and run.arm.objective == "grpo":
        yield f"arms.{run.name}: objective grpo compares the completions of a whole batch, so it trains in one process."


def preference_faults(run: TrainingRun) -> Iterator[str]:
    """What preference tuning cannot do: train without an adapter or without pairs, or on batches of broken groups."""
    name, arm, params = run.name, run.arm, run.params
    if arm.objective not in ("dpo", "grpo"):
        return
    if params.model.task != "CAUSAL_LM":
        yield f"arms.{name}: objective {arm.objective} needs model.task CAUSAL_LM, got {params.model.task}."
    if arm.method != "lora":
        yield (
            f"arms.{name}: objective {arm.objective} needs method lora, got {arm.method}: the adapter as supervised training "
            "leaves it is the reference."
        )
    if arm.objective == "dpo" and params.dpo.pairs == "data" and not count_pairs(run.data.prompts):
        yield (
            "dpo.pairs: data, but no training example has a losing answer. Use a source with `format: preference`, or "
            "`dpo.pairs: sampled`."
        )
    # GRPO compares the completions of one prompt with each other, so a group may not be spread over two steps.
    together = params.grpo.per_device_train_batch_size * params.train.gradient_accumulation_steps
    if arm.objective == "grpo" and together % params.grpo.num_generations:
        yield (
            f"grpo.per_device_train_batch_size × train.gradient_accumulation_steps is {together}, which does not hold whole "
            f"groups of grpo.num_generations: {params.grpo.num_generations}."
        )


def check_rows(rows: GenerativeRows, labels: Sequence[str]) -> None:
    """SteadyError where a label is longer than the limit or cannot be written, or no row has a token to learn."""
    encoder, max_length = rows.encoder, rows.encoder.max_length
    long = [label for label in labels if label.strip() and not encoder.fits(label)]
    if long:
        tokens = max(len(encoder.answer(label)) for label in long)
        raise SteadyError(
            f"format.max_length: {max_length} tokens do not hold the label {long[0]!r} and a prompt: it takes {tokens}. "
            f"Raise it to {tokens + 1} at the least, or shorten data.labels."
        )
    unknown = unknown_id(encoder.tokenizer)
    if unwritable := [label for label in labels if unknown is not None and unknown in encoder.answer(label)]:
        raise SteadyError(
            f"data.labels: {unwritable[0]!r} holds a character that the tokenizer of the model cannot write: it is an unknown token, "
            "which would be learned in its place. Rename the label, or choose another model."
        )
    kept = [rows.prompts.examples[place] for place in rows.kept]
    lost = [one for one in kept if unknown is not None and unknown in encoder.answer(one.output)]
    if lost:
        logger.warning(
            f"{len(lost)} of {len(kept)} training answers hold characters that the tokenizer cannot write; an unknown token is "
            f"learned in their place. The first: {lost[0].source}:{lost[0].line}."
        )
    if not kept:
        raise SteadyError(
            f"There is no token to learn: of {len(rows.prompts)} training rows none has an answer that fits in "
            f"format.max_length: {max_length}. Raise it, or check that the data has answers (`output`)."
        )


def expected_memory(model: Any, rows: GenerativeRows, params: FinetuneParams, saved: int) -> dict[str, float]:
    """GiB that training is expected to take: weights, gradients and optimizer state, and what a step keeps for the backward pass.
    `saved`: bytes that a pass over the longest item keeps (`Generative.saved_bytes`); a batch of such items is expected. Where layers
    are checkpointed, each keeps its input alone, and one at a time all of it.
    """
    trained = [tensor for tensor in model.parameters() if tensor.requires_grad]
    weights = sum(tensor.numel() * tensor.element_size() for tensor in model.parameters())
    # Adam keeps two numbers for each trained one: in float32, or in 8 bits.
    states = 2 * (1 if "8bit" in params.train.optim else 4)
    if params.train.gradient_checkpointing:
        config = (model.get_base_model() if hasattr(model, "get_base_model") else model).config.get_text_config()
        inputs = max(rows.lengths()) * config.hidden_size * model.dtype.itemsize
        saved = saved // config.num_hidden_layers + inputs * config.num_hidden_layers
    items = min(len(rows), params.train.per_device_train_batch_size)
    return {
        "weights": weights / GIB,
        "gradients_and_optimizer": sum(tensor.numel() * (tensor.element_size() + states) for tensor in trained) / GIB,
        "activations": items * saved * HELD / GIB,
    }


def available_memory(device_type: str) -> float:
    """GiB free on the GPU, or of the machine."""
    if device_type == "cuda":
        return float(torch.cuda.mem_get_info()[0]) / GIB
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES") / GIB


def memory_line(expected: dict[str, float], available: float) -> str:
    """The line that is logged before the first step; where the memory does not suffice, with what to do."""
    parts = ", ".join(f"{name.replace('_', ' ')} {size:.2f}" for name, size in expected.items())
    line = f"memory expected: {sum(expected.values()):.2f} GiB ({parts}); free: {available:.1f} GiB"
    if sum(expected.values()) <= available:
        return line
    return (
        f"{line}. That is more than there is: lower train.per_device_train_batch_size or format.max_length, set "
        "train.gradient_checkpointing, or model.quantization: nf4."
    )
