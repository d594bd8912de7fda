"""How far the answers of an arm move when only the wording moves: the sensitivity stage."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from steady.labels import LabelTask
from steady.metrics.arm_sensitivity import sensitivity_metrics
from steady.metrics.params import Confidence, SensitivityDraws
from steady.models.params import ModelParams
from steady.parameters import Runtime, StageParams
from steady.records import Prompt, Wording
from steady.scoring.answers import CLASSIFIES, ArmAnswers, Scoring


class SensitivityStage(StageParams):
    """The view of `params.yaml` that the sensitivity stage has."""

    seed: int
    model: ModelParams
    evaluate: Confidence
    sensitivity: SensitivityDraws
    runtime: Runtime


def scoring(view: SensitivityStage, root: Path | None, temperature: float | None) -> Scoring:
    """How the arm is asked; a stopped run goes on from what is kept below `root`."""
    own = view.evaluate
    return Scoring(view.model, own.batch_size, own.max_new_tokens, view.runtime, root, temperature)


def moved_answers(
    prompts: Sequence[Prompt],
    answers: ArmAnswers,
    wordings: Sequence[Wording],
    task: LabelTask,
    temperature: float | None,
    view: SensitivityStage,
) -> dict[str, Any]:
    """`sensitivity.json` of an arm, with the draws, confidence and seed of the settings.

    POSIX of a model that generates comes from its matrices; that of a classifier from its label probabilities, which its
    matrices repeat.
    """
    generates = view.model.task != CLASSIFIES
    return sensitivity_metrics(
        prompts,
        answers.predictions,
        wordings,
        task.labels,
        temperature=temperature,
        draws=view.sensitivity.bootstrap_draws,
        confidence=view.evaluate.confidence,
        seed=view.seed,
        matrices={group.id: group.scores for group in answers.groups} if generates else None,
        multi_label=task.multi_label,
    )
