"""Task quality of an arm: the evaluate stage, and the references that need no language model."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from steady.labels import LabelTask
from steady.metrics.arm_quality import evaluate_metrics
from steady.metrics.arm_text import generated_metrics, text_scores
from steady.metrics.params import EvaluateParams
from steady.metrics.references import LabelledTexts, Reference, text_references
from steady.metrics.resampling import Bootstrap
from steady.models.arm import ArmManifest
from steady.models.params import ModelParams
from steady.parameters import Runtime, StageParams
from steady.records import Example, OwnAnswer, Prompt, TextScores, read_records
from steady.scoring.answers import ArmAnswers, OpenArm, Scoring, answer, open_arm


class EvaluateStage(StageParams):
    """The view of `params.yaml` that the evaluate stage has."""

    seed: int
    model: ModelParams
    evaluate: EvaluateParams
    runtime: Runtime


@dataclass(frozen=True)
class Evaluated:
    """What an arm said: to the prompts of the run, with the `scores` of generated texts, and to the user's own prompts.

    `temperature` is that of a model that generates (`fit_token_temperature`), None for a classifier.
    """

    manifest: ArmManifest
    answers: ArmAnswers
    scores: list[TextScores]
    own: list[OwnAnswer]
    temperature: float | None

    def clear(self) -> None:
        """Forget what was kept for a stopped run."""
        self.answers.partial.clear()


def evaluate_arm(
    folder: Path, prompts: Sequence[Prompt], own: Sequence[Prompt], view: EvaluateStage, root: Path | None
) -> Evaluated:
    """Ask the arm in `folder`; a stopped run goes on from what is kept below `root`.

    Raises:
        SteadyError: the arm is missing, damaged, or made from another base, or a prompt does not fit the model.
    """
    settings = Scoring(view.model, view.evaluate.batch_size, view.evaluate.max_new_tokens, view.runtime, root)
    arm = open_arm(folder, settings)
    answers = answer(arm, prompts, references=True)
    task = arm.manifest.label_task
    asked = zip(prompts, answers.predictions, answers.references, strict=True) if answers.references else []
    scores = [text_scores(prompt, said, task, reference) for prompt, said, reference in asked]
    return Evaluated(arm.manifest, answers, scores, _own_answers(arm, own), _temperature(arm, prompts))


def _temperature(arm: OpenArm, prompts: Sequence[Prompt]) -> float | None:
    if arm.scorer is None:
        return None
    from steady.inference.token_temperature import fit_token_temperature

    return fit_token_temperature(arm.scorer, [prompt for prompt in prompts if prompt.split == "validation"])


def _own_answers(arm: OpenArm, own: Sequence[Prompt]) -> list[OwnAnswer]:
    if not own:
        return []
    found = answer(arm, own)
    found.partial.clear()
    return [
        OwnAnswer(prompt_id=prompt.id, prompt=prompt.prompt, text=said.text, label=said.parsed)
        for prompt, said in zip(own, found.predictions, strict=True)
    ]


def quality_metrics(prompts: Sequence[Prompt], found: Evaluated, prepared: Path, view: EvaluateStage) -> dict[str, Any]:
    """`evaluate.json`: task quality and, beside the arms of a label task, the references that need no language model."""
    task, own = found.manifest.label_task, view.evaluate
    metrics = evaluate_metrics(
        prompts,
        found.answers.predictions,
        task.labels,
        draws=own.bootstrap_draws,
        confidence=own.confidence,
        seed=view.seed,
        references=_references(prompts, task, prepared, view.seed) if task.labels else None,
        trainable_percent=found.manifest.training.get("trainable_percent"),
        multi_label=task.multi_label,
        temperature=found.temperature,
    )
    bootstrap = Bootstrap(own.bootstrap_draws, own.confidence, view.seed)
    said = found.answers.predictions
    generated = generated_metrics(prompts, said, found.scores, task.labels, own.within_words, bootstrap)
    limits = {"max_new_tokens": own.max_new_tokens, "cut_prompts": found.answers.cut}
    told = limits if found.scores else dict.fromkeys(limits)
    return metrics | {"task": view.model.task, "generated": {**told, **generated}}


def _references(prompts: Sequence[Prompt], task: LabelTask, prepared: Path, seed: int) -> dict[str, Reference]:
    """The answers of the majority and of TF-IDF with logistic regression to the inputs of the test prompts."""
    examples = {split: read_records(prepared / f"{split}.jsonl", Example) for split in ("train", "validation", "test")}
    inputs = {example.id: example.input for example in examples["test"]}
    texts = [inputs[prompt.example_id] for prompt in prompts if prompt.split == "test"]
    train, validation = _labelled(examples["train"]), _labelled(examples["validation"])
    return text_references(train, validation, texts, task.labels, seed, multi_label=task.multi_label)


def _labelled(examples: Sequence[Example]) -> LabelledTexts:
    return LabelledTexts([example.input for example in examples], [example.output for example in examples])
