"""How far the answers of an arm move when only the wording moves: the sensitivity stage."""

from collections.abc import Sequence
from typing import Any

from steady.metrics.arm_sensitivity import sensitivity_metrics
from steady.metrics.settings import Confidence, SensitivityDraws
from steady.models import ModelParams
from steady.parameters import Runtime, StageParams
from steady.records import Prediction, Prompt, Wording


class SensitivityStage(StageParams):
    """The view of `params.yaml` that the sensitivity stage has."""

    seed: int
    model: ModelParams
    evaluate: Confidence
    sensitivity: SensitivityDraws
    runtime: Runtime


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
