"""What the arms left behind: their metric files and their predictions, lined up with the prompts."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from steady.errors import SteadyError
from steady.metrics.answers import Answers, read_answers
from steady.metrics.cells import Cell, CellValues, GroupScores, cell_values, find_cells
from steady.metrics.files import read_metrics
from steady.metrics.resampling import one_blas_thread
from steady.records import Prediction, Prompt, TextScores, Wording, read_records
from steady.scoring.matrices import read_group_scores

CLASSIFIES = "SEQ_CLS"


class Formatted(NamedTuple):
    """The prompts that every arm answered, and the cells that they form."""

    evaluation: list[Prompt]
    sensitivity: list[Prompt]
    cells: list[Cell]


@dataclass(frozen=True)
class ArmResults:
    """One arm: its metric files, its answers to the test and to the reworded prompts, and its values in each cell.

    A model that generates has `generated`, the scores of its test answers, and `matrices` by group id; a classifier has no
    scores, and its matrices, which its label probabilities repeat, are not read (None).
    """

    name: str
    evaluate: dict[str, Any]
    sensitivity: dict[str, Any]
    test: Answers
    reworded: Answers
    cells: dict[tuple[str, str], CellValues]
    generated: list[TextScores] = field(default_factory=list)
    matrices: dict[str, GroupScores] | None = None


def read_formatted(folder: Path) -> Formatted:
    """Read `evaluation.jsonl`, `sensitivity.jsonl` and `wordings.jsonl` of the formatted data."""
    sensitivity = read_records(folder / "sensitivity.jsonl", Prompt)
    wordings = read_records(folder / "wordings.jsonl", Wording)
    return Formatted(read_records(folder / "evaluation.jsonl", Prompt), sensitivity, find_cells(sensitivity, wordings))


@one_blas_thread()
def read_arms(names: Sequence[str], metrics: Path, reports: Path, formatted: Formatted) -> list[ArmResults]:
    """Read every arm, in the given order.

    Raises:
        SteadyError: a file is missing or damaged, an arm's predictions are not those of the prompts, or two arms have
            other label lists.
    """
    arms = [_read_arm(name, metrics / name, reports / name, formatted) for name in names]
    for arm in arms:
        if arm.test.labels != arms[0].test.labels:
            raise SteadyError(
                f"{metrics / arm.name}: labels {', '.join(arm.test.labels)}, but {arms[0].name} has "
                f"{', '.join(arms[0].test.labels)}. Run `dvc repro` to score both again."
            )
    return arms


def _read_arm(name: str, metrics: Path, reports: Path, formatted: Formatted) -> ArmResults:
    evaluate, sensitivity = read_metrics(metrics / "evaluate.json"), read_metrics(metrics / "sensitivity.json")
    if evaluate.get("labels") is None or "temperature" not in sensitivity:
        raise SteadyError(
            f"{metrics}: the metric files lack `labels` or `temperature`. Run `dvc repro` to make them anew."
        )
    answers = _answers(formatted.evaluation, reports / "predictions.jsonl", evaluate)
    reworded = _answers(formatted.sensitivity, reports / "sensitivity.jsonl", evaluate)
    test = [row for row, prompt in enumerate(answers.prompts) if prompt.split == "test"]
    matrices = _matrices(evaluate, reports)
    scores = _scores(formatted.evaluation, reports / "generated.jsonl") if matrices is not None else []
    return ArmResults(
        name=name,
        evaluate=evaluate,
        sensitivity=sensitivity,
        test=answers.rows(test),
        reworded=reworded,
        cells={
            (cell.level, cell.family): cell_values(reworded, cell, sensitivity["temperature"], matrices)
            for cell in formatted.cells
        },
        generated=[scores[row] for row in test] if scores else [],
        matrices=matrices,
    )


def _matrices(evaluate: dict[str, Any], reports: Path) -> dict[str, GroupScores] | None:
    """The matrices of a model that generates; None for a classifier."""
    if evaluate.get("task", CLASSIFIES) == CLASSIFIES:
        return None
    return read_group_scores(reports / "matrices.safetensors", read_records(reports / "sensitivity.jsonl", Prediction))


def _scores(prompts: Sequence[Prompt], path: Path) -> list[TextScores]:
    scores = read_records(path, TextScores)
    if [one.prompt_id for one in scores] != [prompt.id for prompt in prompts]:
        raise SteadyError(f"{path}: not the scores of the prompts of today. Run `dvc repro` to score again.")
    return scores


def _answers(prompts: Sequence[Prompt], path: Path, evaluate: dict[str, Any]) -> Answers:
    try:
        predictions = read_records(path, Prediction)
        return read_answers(prompts, predictions, evaluate["labels"], evaluate.get("multi_label", False))
    except SteadyError as error:
        raise SteadyError(f"{path}: {error}" if not str(error).startswith(str(path)) else str(error)) from error
