"""Train one arm, whatever its method, and write its folder: weights, tokenizer, manifest and card."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import Field

from steady.errors import SteadyError
from steady.models import ModelParams, load_base, load_tokenizer, locate, pick_device, prepare_torch
from steady.parameters import Runtime, StageParams
from steady.prompts.schedule import TrainingPrompts
from steady.prompts.settings import LabelNames, PromptLength
from steady.records import CANONICAL, Example, Prompt, write_bytes
from steady.scoring.arm import ArmManifest, write_manifest
from steady.scoring.classify import in_batches, mean_pooled
from steady.training.arms import Arm, LoraParams, ProbeParams, TrainParams
from steady.training.card import CardFacts, render_card
from steady.training.dataset import ScheduledRows
from steady.training.probe import fit_probe, save_probe
from steady.training.supervised import encoded_prompts, parameter_counts, save_adapter, train, wrap_with_lora

BATCH = 64


class FinetuneParams(StageParams):
    """The view of `params.yaml` that the finetune stage has."""

    seed: int
    model: ModelParams
    data: LabelNames
    format: PromptLength
    arms: dict[str, Arm] = Field(min_length=1)
    probe: ProbeParams
    lora: LoraParams
    train: TrainParams
    runtime: Runtime


@dataclass(frozen=True)
class Material:
    """What an arm learns from; `validation` chooses the epoch, or the strength of a probe."""

    prompts: TrainingPrompts
    validation: Sequence[Prompt]
    labels: tuple[str, ...]


def finetune(name: str, params: FinetuneParams, material: Material, folder: Path, curves: Path) -> ArmManifest:
    """Train the arm `name` and write `folder` and `curves` from scratch.

    Raises:
        SteadyError: `arms` has no such arm, the model cannot be loaded, or the training cannot go on.
    """
    if name not in params.arms:
        raise SteadyError(f"arms: no arm {name!r}. There are: {', '.join(params.arms)}.")
    arm = params.arms[name]
    prepare_torch(params.model, params.seed)
    for path in (folder, curves):
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir(parents=True)
    if arm.method == "none":
        training: dict[str, Any] = {}
    elif arm.method == "probe":
        training = _probe(params, material, folder)
    else:
        training = _supervised(name, arm, params, material, folder, curves)
    base = locate(params.model)
    manifest = ArmManifest(
        method=arm.method,
        base=base.public_id,
        revision=base.revision,
        labels=list(material.labels),
        max_length=params.format.max_length,
        seed=params.seed,
        training=training,
    )
    write_manifest(folder, manifest)
    return manifest


def _probe(params: FinetuneParams, material: Material, folder: Path) -> dict[str, Any]:
    """Fit the probe on the wording that the schedule gives the first epoch."""
    tokenizer = load_tokenizer(params.model)
    encoder = load_base(params.model, material.labels, headless=True).to(pick_device(params.runtime.device))
    features = mean_pooled(encoder, tokenizer, params.format.max_length)
    texts = [material.prompts.prompt(index, 0) for index in range(len(material.prompts))]
    canonical = validation_prompts(material.validation, "canonical")
    progress = params.runtime.progress
    weight, bias, strength = fit_probe(
        in_batches(features, texts, BATCH, progress),
        [example.output for example in material.prompts.examples],
        in_batches(features, [prompt.prompt for prompt in canonical], BATCH, progress),
        [prompt.completion for prompt in canonical],
        material.labels,
        params.probe.C,
    )
    save_probe(folder, weight, bias, material.labels, strength, locate(params.model).public_id)
    total = sum(parameter.numel() for parameter in encoder.parameters())
    trainable = weight.size + bias.size
    return {
        "C": strength,
        "trainable_parameters": trainable,
        "parameters": total + trainable,
        "trainable_percent": round(100 * trainable / (total + trainable), 4),
    }


def _supervised(
    name: str, arm: Arm, params: FinetuneParams, material: Material, folder: Path, curves: Path
) -> dict[str, Any]:
    """LoRA or full fine-tuning; the adapter (or the model), its tokenizer and its card go into `folder`."""
    base = locate(params.model)
    tokenizer = load_tokenizer(params.model)
    model = load_base(params.model, material.labels).to(pick_device(params.runtime.device))
    if arm.method == "lora":
        model = wrap_with_lora(model, params.lora, base)
    max_length = params.format.max_length
    rows = ScheduledRows(material.prompts, tokenizer, material.labels, max_length)
    validation = encoded_prompts(
        validation_prompts(material.validation, arm.wordings), tokenizer, material.labels, max_length
    )
    counts = parameter_counts(model)
    training = counts | train(
        model,
        tokenizer,
        rows,
        validation,
        params.train,
        seed=params.seed,
        curves=curves,
        progress=params.runtime.progress,
    )
    training["train_tokens_per_epoch"] = sum(len(rows[index]["input_ids"]) for index in range(len(rows)))
    save_adapter(model, tokenizer, folder)
    facts = CardFacts(
        arm=name,
        method=arm.method,
        wordings=arm.wordings,
        base=base,
        labels=material.labels,
        max_length=max_length,
        sources=tuple(sorted({example.source for example in material.prompts.examples})),
        train_rows=len(material.prompts.examples),
        validation_rows=len({prompt.example_id for prompt in material.validation}),
        settings=(params.lora.model_dump() if arm.method == "lora" else {}) | params.train.model_dump(),
        training=training,
        example=material.validation[0].prompt,
        seed=params.seed,
    )
    write_bytes(folder / "README.md", render_card(facts).encode())
    return training


def validation_prompts(prompts: Sequence[Prompt], wordings: str) -> list[Prompt]:
    """The validation prompts an arm may see: an arm trained on the canonical wording is not chosen by other wordings."""
    return [prompt for prompt in prompts if wordings == "variants" or prompt.wording == CANONICAL]


def label_list(declared: Sequence[str] | None, examples: Sequence[Example]) -> tuple[str, ...]:
    """The classes of the head: `data.labels`, or where that is null the sorted labels of the training examples."""
    return tuple(declared) if declared else tuple(sorted({example.output for example in examples}))
