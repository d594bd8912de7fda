"""Task quality of an arm: the evaluate stage, and the references that need no language model."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from steady.metrics.arm_quality import evaluate_metrics
from steady.metrics.references import LabelledTexts, text_references
from steady.metrics.settings import EvaluateParams
from steady.models import ModelParams
from steady.parameters import Runtime, StageParams
from steady.records import Example, Prediction, Prompt, read_records
from steady.scoring.arm import ArmManifest


class EvaluateStage(StageParams):
    """The view of `params.yaml` that the evaluate stage has."""

    seed: int
    model: ModelParams
    evaluate: EvaluateParams
    runtime: Runtime


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


def _labelled(examples: Sequence[Example]) -> LabelledTexts:
    return LabelledTexts([example.input for example in examples], [example.output for example in examples])
