"""Everything that the page shows, read from what the stages wrote."""

import csv
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from steady.errors import SteadyError
from steady.metrics.files import read_metrics
from steady.records import OwnAnswer, Prediction, Prompt, Record, Rejected, Wording, read_records
from steady.scoring.groups import ScoredGroup
from steady.scoring.matrices import read_matrices

Metrics = dict[str, Any]
MATRICES = "matrices.safetensors"
CURVES = {
    "training loss": "train/loss",
    "validation loss": "eval/loss",
    "validation accuracy": "eval/accuracy",
    "share of validation rows answered right": "eval/generated_accuracy",
}


class Preview(msgspec.Struct, frozen=True):
    """The answer to a fixed prompt after some optimizer steps."""

    step: int
    prompt: str
    text: str


@dataclass(frozen=True)
class ArmFindings:
    """One arm: its metric files, its predictions in the order of the prompts, its matrices, its curves (name -> steps and values),
    its answers to the user's own prompts, and the previews of its training.
    """

    name: str
    evaluate: Metrics
    sensitivity: Metrics
    predictions: list[Prediction]
    reworded: list[Prediction]
    matrices: list[ScoredGroup]
    curves: dict[str, list[tuple[int, float]]]
    own: list[OwnAnswer] = field(default_factory=list)
    previews: list[Preview] = field(default_factory=list)


@dataclass(frozen=True)
class Findings:
    """The whole run; `provenance` says on what, from which commit and how long, as far as it was recorded."""

    comparison: Metrics
    arms: list[ArmFindings]
    evaluation: list[Prompt]
    sensitivity: list[Prompt]
    wordings: dict[str, Wording]
    data: Metrics
    format: Metrics
    rejected: list[Rejected]
    preview: str
    params: str
    versions: list[str]
    provenance: Metrics


class Places(NamedTuple):
    """The files and folders that the page is made from."""

    params: Path
    metrics: Path
    reports: Path
    formatted: Path
    rejected: Path
    versions: Path
    provenance: tuple[Path, ...]


def read_findings(places: Places) -> Findings:
    """Read it all.

    Raises:
        SteadyError: a file is missing or damaged, or an arm's predictions are not those of the prompts.
    """
    comparison = read_metrics(places.metrics / "comparison.json")
    evaluation = read_records(places.formatted / "evaluation.jsonl", Prompt)
    sensitivity = read_records(places.formatted / "sensitivity.jsonl", Prompt)
    wordings = read_records(places.formatted / "wordings.jsonl", Wording)
    return Findings(
        comparison=comparison,
        arms=[_arm(name, places, evaluation, sensitivity) for name in comparison["arms"]],
        evaluation=evaluation,
        sensitivity=sensitivity,
        wordings={wording.id: wording for wording in wordings},
        data=read_metrics(places.metrics / "data.json"),
        format=read_metrics(places.metrics / "format.json"),
        rejected=read_records(places.rejected, Rejected),
        preview=_text(places.formatted / "preview.md"),
        params=_text(places.params),
        versions=[line for line in _text(places.versions).splitlines() if "==" in line],
        provenance={name: value for path in places.provenance for name, value in _json(path).items()},
    )


def _arm(name: str, places: Places, evaluation: list[Prompt], sensitivity: list[Prompt]) -> ArmFindings:
    reports, metrics = places.reports / name, places.metrics / name
    reworded = _answers(reports / "sensitivity.jsonl", sensitivity)
    return ArmFindings(
        name=name,
        evaluate=read_metrics(metrics / "evaluate.json"),
        sensitivity=read_metrics(metrics / "sensitivity.json"),
        predictions=_answers(reports / "predictions.jsonl", evaluation),
        reworded=reworded,
        matrices=_matrices(reports / MATRICES, reworded),
        curves=_curves(places.reports / "training" / name / "plots" / "metrics"),
        own=_if_there(reports / "own_prompts.jsonl", OwnAnswer),
        previews=_if_there(places.reports / "training" / name / "previews.jsonl", Preview),
    )


def _answers(path: Path, prompts: list[Prompt]) -> list[Prediction]:
    answers = read_records(path, Prediction)
    if [answer.prompt_id for answer in answers] != [prompt.id for prompt in prompts]:
        raise SteadyError(f"{path}: its answers are not those to the prompts of today. Run `dvc repro`.")
    return answers


def _matrices(path: Path, answers: list[Prediction]) -> list[ScoredGroup]:
    return read_matrices(path, {answer.prompt_id: answer for answer in answers})


def _if_there(path: Path, kind: type[Record]) -> list[Record]:
    """The records of a file that not every arm has."""
    return read_records(path, kind) if path.is_file() else []


def _curves(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """The curves there are; a probe has none."""
    found = {}
    for name, place in CURVES.items():
        path = folder / f"{place}.tsv"
        if path.is_file():
            with path.open(encoding="utf-8", newline="") as handle:
                rows = list(csv.reader(handle, delimiter="\t"))[1:]
            found[name] = [(int(step), float(value)) for step, value in rows]
    return found


def _text(path: Path) -> str:
    if not path.is_file():
        raise SteadyError(f"{path}: no such file. Run `dvc repro` (or `dvc pull`) to make it.")
    return path.read_text(encoding="utf-8")


def _json(path: Path) -> Metrics:
    try:
        found: Metrics = json.loads(_text(path))
    except ValueError as error:
        raise SteadyError(f"{path}: not JSON: {error}") from error
    return found
