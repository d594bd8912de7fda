"""What the evaluate and sensitivity stages share: an arm's answers to prompts, and their settings."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from steady.metrics.arm_quality import evaluate_metrics
from steady.metrics.arm_sensitivity import sensitivity_metrics
from steady.metrics.references import LabelledTexts, text_references
from steady.metrics.settings import Confidence, EvaluateParams, SensitivityDraws
from steady.models import ModelParams, prepare_torch
from steady.parameters import Runtime, StageParams
from steady.records import Example, Prediction, Prompt, Wording, read_records
from steady.scoring.arm import ArmManifest, load_scorer, read_manifest
from steady.scoring.predictions import classify


class EvaluateStage(StageParams):
    """The view of `params.yaml` that the evaluate stage has."""

    seed: int
    model: ModelParams
    evaluate: EvaluateParams
    runtime: Runtime


class SensitivityStage(StageParams):
    """The view of `params.yaml` that the sensitivity stage has."""

    seed: int
    model: ModelParams
    evaluate: Confidence
    sensitivity: SensitivityDraws
    runtime: Runtime


def score_arm(
    folder: Path, prompts: Sequence[Prompt], params: ModelParams, batch_size: int, runtime: Runtime
) -> tuple[list[Prediction], ArmManifest]:
    """The arm's answers, in the order of the prompts, and how the arm was made.

    Raises:
        SteadyError: the arm is missing, damaged, or made from another base.
    """
    manifest = read_manifest(folder)
    prepare_torch(params, manifest.seed)
    score = load_scorer(folder, params, runtime.device)
    return classify(score, prompts, manifest.labels, batch_size, runtime.progress), manifest


def quality_metrics(
    prompts: Sequence[Prompt], answers: Sequence[Prediction], manifest: ArmManifest, prepared: Path, view: EvaluateStage
) -> dict[str, Any]:
    """`evaluate.json` with the references that need no language model: majority, and TF-IDF with logistic regression."""
    examples = {split: read_records(prepared / f"{split}.jsonl", Example) for split in ("train", "validation", "test")}
    inputs = {example.id: example.input for example in examples["test"]}
    texts = [inputs[prompt.example_id] for prompt in prompts if prompt.split == "test"]
    references = text_references(
        _labelled(examples["train"]), _labelled(examples["validation"]), texts, manifest.labels, view.seed
    )
    return evaluate_metrics(
        prompts,
        answers,
        manifest.labels,
        draws=view.evaluate.bootstrap_draws,
        confidence=view.evaluate.confidence,
        seed=view.seed,
        references=references,
        trainable_percent=manifest.training.get("trainable_percent"),
    )


def moved_answers(
    prompts: Sequence[Prompt],
    answers: Sequence[Prediction],
    wordings: Sequence[Wording],
    labels: Sequence[str],
    temperature: float | None,
    view: SensitivityStage,
) -> dict[str, Any]:
    """`sensitivity.json` of an arm, with the draws, confidence and seed of the settings."""
    return sensitivity_metrics(
        prompts,
        answers,
        wordings,
        labels,
        temperature=temperature,
        draws=view.sensitivity.bootstrap_draws,
        confidence=view.evaluate.confidence,
        seed=view.seed,
    )


def _labelled(examples: Sequence[Example]) -> LabelledTexts:
    return LabelledTexts([example.input for example in examples], [example.output for example in examples])
