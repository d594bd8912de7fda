"""The one reader of the files of a run: the prompts, and what each arm left in `metrics/arms/ARM/` and `reports/arms/ARM/`."""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import msgspec
import numpy as np

from steady.errors import SteadyError
from steady.metrics.answers import Answers, numbered, read_answers
from steady.metrics.cells import Cell, CellValues, cell_values, find_cells, split_groups
from steady.metrics.files import read_metrics
from steady.metrics.matrices import ScoredGroup, read_matrices
from steady.metrics.resampling import one_blas_thread
from steady.metrics.results import EvaluateResults, SensitivityResults
from steady.metrics.text import ScoredText
from steady.records import OwnAnswer, Prediction, Prompt, TextScores, Wording, read_records

TEXTS, GENERATED, OWN = "texts", "generated.jsonl", "own_prompts.jsonl"
MATRICES, MATRICES_FILE = "matrices", "matrices.safetensors"
TRAINING = "training"
NOTE = "README.md"
"""Says why a folder of an arm holds nothing else; no output is empty."""
CURVES = {
    "training loss": "train/loss",
    "validation loss": "eval/loss",
    "validation accuracy": "eval/accuracy",
    "share of validation rows answered right": "eval/generated_accuracy",
}
"""Where DVCLive leaves the curves that the page draws."""


class Preview(msgspec.Struct, frozen=True):
    """The answer to a fixed prompt after some optimizer steps."""

    step: int
    prompt: str
    text: str


@dataclass(frozen=True)
class Formatted:
    """The prompts that every arm answered, and the cells that they form."""

    evaluation: list[Prompt]
    sensitivity: list[Prompt]
    wordings: list[Wording]
    cells: list[Cell]

    @cached_property
    def test_rows(self) -> list[int]:
        """The places of the test prompts in `evaluation`."""
        return [row for row, prompt in enumerate(self.evaluation) if prompt.split == "test"]


@dataclass(frozen=True)
class ArmResults:
    """One arm. Its files are read when they are first asked for, and once."""

    name: str
    metrics: Path
    reports: Path
    formatted: Formatted

    @cached_property
    def evaluate(self) -> EvaluateResults:
        """Task quality."""
        return read_metrics(self.metrics / "evaluate.json", EvaluateResults)

    @cached_property
    def sensitivity(self) -> SensitivityResults:
        """Prompt sensitivity."""
        return read_metrics(self.metrics / "sensitivity.json", SensitivityResults)

    @cached_property
    def predictions(self) -> list[Prediction]:
        """Answers to the evaluation prompts."""
        return read_records(self.reports / "predictions.jsonl", Prediction)

    @cached_property
    def reworded_predictions(self) -> list[Prediction]:
        """Answers to the sensitivity prompts."""
        return read_records(self.reports / "sensitivity.jsonl", Prediction)

    @cached_property
    def test(self) -> Answers:
        """Answers to the test prompts, as arrays."""
        answers = self._answers("predictions.jsonl", self.predictions, self.formatted.evaluation)
        return answers.rows(self.formatted.test_rows)

    @cached_property
    def reworded(self) -> Answers:
        """Answers to the sensitivity prompts, as arrays."""
        return self._answers("sensitivity.jsonl", self.reworded_predictions, self.formatted.sensitivity)

    @cached_property
    def groups(self) -> list[ScoredGroup]:
        """The matrices of the groups of reworded prompts: saved, or for a classifier made from its label probabilities."""
        if not self.evaluate.generates:
            return label_matrices(self.reworded, self.reworded_predictions)
        answers = {answer.prompt_id: answer for answer in self.reworded_predictions}
        return read_matrices(self.reports / MATRICES / MATRICES_FILE, answers)

    @cached_property
    def matrices(self) -> dict[str, ScoredGroup] | None:
        """The saved matrices by group id; None for a classifier, whose measures come from its label probabilities."""
        return {group.id: group for group in self.groups} if self.evaluate.generates else None

    @cached_property
    def cells(self) -> dict[tuple[str, str], CellValues]:
        """The values of every level and family."""
        with one_blas_thread():
            return {
                (cell.level, cell.family): cell_values(self.reworded, cell, self.sensitivity.temperature, self.matrices)
                for cell in self.formatted.cells
            }

    @cached_property
    def texts(self) -> list[ScoredText]:
        """The scores of what a model that generates wrote to the test prompts; none for a classifier."""
        limit = self.evaluate.within_words
        if not self.evaluate.generates or limit is None:
            return []
        path, prompts = self.reports / TEXTS / GENERATED, self.formatted.evaluation
        scores = read_records(path, TextScores)
        # The prompts may have been formatted anew since the texts were scored.
        if [one.prompt_id for one in scores] != [prompt.id for prompt in prompts]:
            raise SteadyError(f"{path}: not the scores of the current prompts. Run `dvc repro` to score again.")
        labelled = bool(self.test.labels)
        return [ScoredText(prompts[row], scores[row], labelled, limit) for row in self.formatted.test_rows]

    @cached_property
    def own(self) -> list[OwnAnswer]:
        """Answers to the user's own prompts; not every arm has them."""
        path = self.reports / TEXTS / OWN
        return read_records(path, OwnAnswer) if path.is_file() else []

    @cached_property
    def previews(self) -> list[Preview]:
        """Answers to fixed prompts in the course of the training; not every arm has them."""
        path = self.reports / TRAINING / "previews.jsonl"
        return read_records(path, Preview) if path.is_file() else []

    @cached_property
    def curves(self) -> dict[str, list[tuple[int, float]]]:
        """Steps and values of the curves that there are; a probe has none."""
        found = {}
        for name, place in CURVES.items():
            path = self.reports / TRAINING / "plots" / "metrics" / f"{place}.tsv"
            if path.is_file():
                with path.open(encoding="utf-8", newline="") as handle:
                    rows = list(csv.reader(handle, delimiter="\t"))[1:]
                found[name] = [(int(step), float(value)) for step, value in rows]
        return found

    def _answers(self, name: str, predictions: Sequence[Prediction], prompts: Sequence[Prompt]) -> Answers:
        # The message of a fault has to name the file, which `read_answers` does not know.
        try:
            return read_answers(prompts, predictions, self.evaluate.labels, self.evaluate.multi_label)
        except SteadyError as error:
            raise SteadyError(f"{self.reports / name}: {error}") from error


@dataclass(frozen=True)
class RunResults:
    """The arms of a run in the order of `params.yaml`; the first is what the others are compared with."""

    formatted: Formatted
    arms: list[ArmResults]

    @property
    def by_name(self) -> dict[str, ArmResults]:
        """The arms by their names."""
        return {arm.name: arm for arm in self.arms}


def read_run(names: Sequence[str], metrics: Path, reports: Path, prompts: Path) -> RunResults:
    """Read every arm, in the given order, and the formatted data, which lies in `prompts`.

    `metrics` has a folder of metric files for each arm, `reports` one of its predictions. SteadyError where a file is missing or
    damaged, an arm's predictions are not those of the prompts, or two arms have other label lists.
    """
    sensitivity = read_records(prompts / "sensitivity.jsonl", Prompt)
    wordings = read_records(prompts / "wordings.jsonl", Wording)
    evaluation = read_records(prompts / "evaluation.jsonl", Prompt)
    formatted = Formatted(evaluation, sensitivity, wordings, find_cells(sensitivity, wordings))
    arms = [ArmResults(name, metrics / name, reports / name, formatted) for name in names]
    for arm in arms:
        if arm.evaluate.labels != arms[0].evaluate.labels:
            raise SteadyError(
                f"{arm.metrics}: labels {', '.join(arm.evaluate.labels)}, but {arms[0].name} has "
                f"{', '.join(arms[0].evaluate.labels)}. Run `dvc repro` to score both again."
            )
        # what would be read later is checked before hours of statistics
        _ = arm.sensitivity, arm.test, arm.reworded, arm.texts
    return RunResults(formatted, arms)


def steps(names: Sequence[str]) -> Iterator[tuple[str, str]]:
    """The pairs of arms that are compared: each with the next, then the first with those that it has not been compared with."""
    yield from pairwise(names)
    yield from ((names[0], name) for name in names[2:])


def label_matrices(answers: Answers, predictions: Sequence[Prediction]) -> list[ScoredGroup]:
    """The matrices of a classifier, M[i][j] = log P(answer j | prompt i); an answer that is no label has a column of NaN."""
    if answers.logprobs is None:
        return []
    codes, groups = numbered(prompt.group_id for prompt in answers.prompts)
    members = split_groups(np.arange(len(codes)), codes, len(groups))
    # NO_LABEL is -1: the last column
    padded = np.concatenate([answers.logprobs, np.full((len(codes), 1), np.nan)], axis=1)
    found = []
    for group, rows in zip(groups, members, strict=True):
        given = tuple(predictions[row] for row in rows)
        found.append(ScoredGroup(group, padded[np.ix_(rows, answers.answer[rows])], np.ones(len(rows)), given))
    return found
