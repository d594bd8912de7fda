"""Train one arm, whatever its method, and write its folder: weights, tokenizer, manifest and card."""

import hashlib
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from pydantic import Field

from steady.errors import SteadyError
from steady.finetune.card import CardFacts, render_card
from steady.finetune.checkpoints.checkpoints import Checkpoints, code_digest, library_versions
from steady.finetune.checkpoints.checkpoints import fingerprint as checkpoint_name
from steady.finetune.classifier.dataset import ScheduledRows
from steady.finetune.classifier.probe import fit_label_probes, fit_probe
from steady.finetune.classifier.supervised import encoded_prompts, save_trained, train, wrap_with_lora
from steady.finetune.params import Arm, DpoParams, GrpoParams, LoraParams, ProbeParams, SftParams, TrainParams
from steady.finetune.preference.preference import OBJECTIVES, check_preference, prefer
from steady.finetune.preflight import check_settings
from steady.inference.classifier import in_batches, mean_pooled
from steady.labels import LabelTask
from steady.models.arm import PHRASEBOOK, ArmManifest, write_manifest
from steady.models.base import locate
from steady.models.load import load_classifier, load_tokenizer, pick_device, prepare_torch
from steady.models.params import ModelParams
from steady.models.pooled import PooledClassifier, linear_head, save_head
from steady.parameters import Runtime, StageParams
from steady.prompts.params import LabelNames, PromptLength
from steady.prompts.phrasebook import fingerprint, write_phrasebook
from steady.prompts.schedule import TrainingPrompts
from steady.records import CANONICAL, Example, Prompt, write_bytes

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
    sft: SftParams
    dpo: DpoParams
    grpo: GrpoParams
    runtime: Runtime


@dataclass(frozen=True)
class Material:
    """What an arm learns from; `validation` chooses the epoch, or the strength of a probe; `own_prompts` are only previewed."""

    prompts: TrainingPrompts
    validation: Sequence[Prompt]
    labels: tuple[str, ...]
    multi_label: bool = False
    own_prompts: Sequence[Prompt] = ()

    @property
    def task(self) -> LabelTask:
        """What an answer is."""
        return LabelTask(self.labels, self.multi_label)


def finetune(
    name: str, params: FinetuneParams, material: Material, folder: Path, curves: Path, root: Path | None = None
) -> ArmManifest:
    """Train the arm `name` and write `folder` and `curves`.

    Args:
        root: where checkpoints lie while it trains; after a stop the same call goes on from the last good one, and ends with the
            same bytes. None: it begins anew.

    Raises:
        SteadyError: `arms` has no such arm, the model cannot be loaded, or the training cannot go on.
    """
    if name not in params.arms:
        raise SteadyError(f"arms: no arm {name!r}. There are: {', '.join(params.arms)}.")
    arm = params.arms[name]
    check_settings(name, arm, params)
    check_preference(name, params, material)
    prepare_torch(params.model, params.seed)
    for path in (folder, curves):
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir(parents=True)
    base = locate(params.model)
    saved = Checkpoints(root / training_fingerprint(arm, params, material)) if root else None
    training = _train(name, arm, params, material, folder, curves, saved) if arm.method != "none" else {}
    manifest = ArmManifest(
        method=arm.method,
        base=base.public_id,
        revision=base.revision,
        labels=list(material.labels),
        max_length=params.format.max_length,
        seed=params.seed,
        training=training,
        prompts_sha256=fingerprint(material.prompts.book),
        base_digest=base.digest,
        quantised=base.quantised,
        multi_label=material.multi_label,
    )
    write_phrasebook(folder / PHRASEBOOK, material.prompts.book)
    write_manifest(folder, manifest)
    if saved:
        saved.remove()
    return manifest


def training_fingerprint(arm: Arm, params: FinetuneParams, material: Material) -> str:
    """What names the folder of an arm's checkpoints: settings, data, base, code, libraries and the machine's way to compute."""
    import torch

    base, prompts = locate(params.model), material.prompts
    data = hashlib.sha256()
    for record in (*prompts.examples, *prompts.wordings, *material.validation):
        data.update(msgspec.json.encode(record))
    return checkpoint_name(
        {
            "params": params.model_dump(mode="json", exclude={"runtime", "arms"})
            | {"arm": arm.model_dump(mode="json")},
            "data": [data.hexdigest(), fingerprint(prompts.book), material.labels, material.multi_label],
            "base": [base.public_id, base.revision, base.digest],
            "code": code_digest(Path(__file__).parents[1]),
            "libraries": library_versions(),
            "device": [str(pick_device(params.runtime.device)), torch.get_num_threads()],
        }
    )


def _train(
    name: str,
    arm: Arm,
    params: FinetuneParams,
    material: Material,
    folder: Path,
    curves: Path,
    saved: Checkpoints | None,
) -> dict[str, Any]:
    """Fit the head on frozen features, then, for LoRA and full fine-tuning, go on from it with the encoder.

    Starting from the probe's head (Kumar et al. 2022, arXiv 2202.10054) spares the pretrained features the gradients of a
    random head, and makes the baseline the exact starting point of the other arms.
    """
    if params.model.task != "SEQ_CLS":
        return _train_generative(name, arm, params, material, folder, curves, saved)
    tokenizer = load_tokenizer(params.model)
    model = load_classifier(params.model, material.labels, params.runtime.device)
    fitted = _fit_head(model, tokenizer, arm, params, material) if isinstance(model, PooledClassifier) else {}
    if material.multi_label:
        allow_several(model, params.train)
    if arm.method == "probe":
        if not isinstance(model, PooledClassifier):
            raise SteadyError(
                f"arms.{name}: method `probe` needs `model.pooling: mean`, got null. Choose `none` or `lora`."
            )
        save_head(model.head, folder)
        head = sum(parameter.numel() for parameter in model.head.parameters())
        return fitted | _counts(head, sum(parameter.numel() for parameter in model.parameters()))
    if arm.method == "lora":
        model = wrap_with_lora(model, params.lora, locate(params.model))
    training = fitted | _supervised(model, tokenizer, arm, params, material, curves, saved)
    save_trained(model, tokenizer, folder)
    write_bytes(folder / "README.md", render_card(_facts(name, arm, params, material, training)).encode())
    return training


def _train_generative(
    name: str,
    arm: Arm,
    params: FinetuneParams,
    material: Material,
    folder: Path,
    curves: Path,
    saved: Checkpoints | None,
) -> dict[str, Any]:
    """Learn the answers, then, where the objective is a preference, tune the same adapter further."""
    from steady.finetune.language.card import render_generative_card
    from steady.finetune.language.language import train_generative

    validation = validation_prompts(material.validation, arm.wordings)
    model, tokenizer, training = train_generative(arm, params, material, validation, curves, saved)
    if arm.objective in OBJECTIVES:
        prepare_torch(params.model, params.seed)  # the same generators, whether supervised training was resumed or not
        training |= {"preference": prefer(model, tokenizer, name, params, material, curves, saved)}
    save_trained(model, tokenizer, folder)
    write_bytes(
        folder / "README.md", render_generative_card(_facts(name, arm, params, material, training), params).encode()
    )
    return training


def allow_several(model: Any, train_params: TrainParams) -> None:
    """Make a stock head one of several labels a row; a pooled one finds out by the targets."""
    if train_params.label_smoothing_factor:
        raise SteadyError(
            "train.label_smoothing_factor: it is for one label a row; with `data.multi_label: true` it is 0."
        )
    if not isinstance(model, PooledClassifier):
        model.config.problem_type = "multi_label_classification"


def _fit_head(
    model: PooledClassifier, tokenizer: Any, arm: Arm, params: FinetuneParams, material: Material
) -> dict[str, Any]:
    """Put a probe, fitted on the wordings that the schedule gives the first epoch, in place of the model's head."""
    features = mean_pooled(model.encoder, tokenizer, params.format.max_length)
    texts = [material.prompts.prompt(index, 0) for index in range(len(material.prompts))]
    validation = validation_prompts(material.validation, arm.wordings)
    progress = params.runtime.progress
    fit = fit_label_probes if material.multi_label else fit_probe
    weight, bias, strength = fit(
        in_batches(features, texts, BATCH, progress),
        [example.output for example in material.prompts.examples],
        in_batches(features, [prompt.prompt for prompt in validation], BATCH, progress),
        [prompt.completion for prompt in validation],
        material.labels,
        params.probe.C,
    )
    model.head = linear_head(weight, bias).to(model.device)
    return {"probe_C": strength}


def _supervised(
    model: Any,
    tokenizer: Any,
    arm: Arm,
    params: FinetuneParams,
    material: Material,
    curves: Path,
    saved: Checkpoints | None,
) -> dict[str, Any]:
    max_length = params.format.max_length
    rows = ScheduledRows(material.prompts, tokenizer, material.task, max_length)
    validation = validation_prompts(material.validation, arm.wordings)
    trainable = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    found = train(
        model,
        tokenizer,
        rows,
        encoded_prompts(validation, tokenizer, material.task, max_length),
        params.train,
        seed=params.seed,
        curves=curves,
        progress=params.runtime.progress,
        checkpoints=saved,
    )
    tokens = sum(len(rows[index]["input_ids"]) for index in range(len(rows)))
    total = sum(parameter.numel() for parameter in model.parameters())
    return {**_counts(trainable, total), **found, "train_tokens_last_epoch": tokens}


def _counts(trainable: int, total: int) -> dict[str, Any]:
    return {
        "trainable_parameters": trainable,
        "parameters": total,
        "trainable_percent": round(100 * trainable / total, 4),
    }


def _facts(name: str, arm: Arm, params: FinetuneParams, material: Material, training: dict[str, Any]) -> CardFacts:
    return CardFacts(
        arm=name,
        method=arm.method,
        pooled=params.model.pooling == "mean",
        wordings=arm.wordings,
        base=locate(params.model),
        labels=material.labels,
        max_length=params.format.max_length,
        sources=tuple(sorted({example.source for example in material.prompts.examples})),
        train_rows=len(material.prompts.examples),
        validation_rows=len({prompt.example_id for prompt in material.validation}),
        settings=(params.lora.model_dump() if arm.method == "lora" else {}) | params.train.model_dump(),
        training=training,
        example=material.validation[0].prompt,
        seed=params.seed,
        multi_label=material.multi_label,
    )


def validation_prompts(prompts: Sequence[Prompt], wordings: str) -> list[Prompt]:
    """The validation prompts an arm may see: an arm trained on the canonical wording is not chosen by other wordings."""
    return [prompt for prompt in prompts if wordings == "variants" or prompt.wording == CANONICAL]


def label_list(declared: Sequence[str] | None, examples: Sequence[Example], task: str = "SEQ_CLS") -> tuple[str, ...]:
    """The labels of the task: `data.labels`, or where that is null those of the training examples for a classifier's head, and
    none for a model that generates, whose answers are then free.
    """
    if declared is None and task != "SEQ_CLS":
        return ()
    return tuple(declared) if declared else tuple(sorted({example.output for example in examples}))
