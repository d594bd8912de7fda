"""How far the answers of an arm move when only the wording moves: the sensitivity stage."""

from collections.abc import Sequence
from pathlib import Path

from steady.metrics.answers import read_answers
from steady.metrics.arm_sensitivity import sensitivity_metrics
from steady.metrics.matrices import write_matrices
from steady.metrics.params import Confidence, SensitivityDraws
from steady.metrics.resampling import Bootstrap
from steady.metrics.results import CLASSIFIES, SensitivityResults
from steady.metrics.run import MATRICES_FILE, NOTE
from steady.models.arm import ArmManifest
from steady.models.params import ModelParams
from steady.parameters import Runtime, StageParams
from steady.records import Prompt, Wording, write_bytes
from steady.scoring.answers import Scoring, answer, open_arm
from steady.scoring.predictions import ArmAnswers


class SensitivityStage(StageParams):
    """The view of `params.yaml` that the sensitivity stage has."""

    seed: int
    model: ModelParams
    evaluate: Confidence
    sensitivity: SensitivityDraws
    runtime: Runtime

    @property
    def generates(self) -> bool:
        """Whether the model writes; the matrices of a classifier follow from its label probabilities and are not saved."""
        return self.model.task != CLASSIFIES


def answer_reworded(
    folder: Path, prompts: Sequence[Prompt], view: SensitivityStage, root: Path | None, temperature: float | None
) -> tuple[ArmManifest, ArmAnswers]:
    """Answer the prompts with the arm in `folder`; a stopped run goes on from what is saved below `root`.
    SteadyError where the arm is missing, damaged, or made from another base, or a prompt does not fit the model.
    """
    own = view.evaluate
    scoring = Scoring(view.model, own.batch_size, own.max_new_tokens, view.runtime, root, temperature)
    arm = open_arm(folder, scoring)
    return arm.manifest, answer(arm, prompts, paired=view.generates)


def moved_answers(
    answers: ArmAnswers,
    prompts: Sequence[Prompt],
    wordings: Sequence[Wording],
    manifest: ArmManifest,
    temperature: float | None,
    view: SensitivityStage,
) -> SensitivityResults:
    """`sensitivity.json` of an arm, with the draws, confidence and seed of the settings.
    POSIX of a model that generates comes from its matrices, that of a classifier from its label probabilities.
    """
    task = manifest.label_task
    return sensitivity_metrics(
        read_answers(prompts, answers.predictions, task.labels, task.multi_label),
        wordings,
        Bootstrap(view.sensitivity.bootstrap_draws, view.evaluate.confidence, view.seed),
        temperature,
        {group.id: group for group in answers.groups} if view.generates else None,
    )


def write_groups(folder: Path, answers: ArmAnswers) -> None:
    """Write the matrices of a model that generates; for a classifier, a line that says where they come from."""
    if answers.groups:
        write_matrices(folder / MATRICES_FILE, answers.groups)
    else:
        (folder / MATRICES_FILE).unlink(missing_ok=True)
        write_bytes(
            folder / NOTE, b"No matrices: those of a classifier follow from label_logprobs in sensitivity.jsonl.\n"
        )
