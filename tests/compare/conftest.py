"""A small run on disk: formatted prompts, and the files that evaluate and sensitivity leave for each arm."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from steady.compare.paired import Testing
from steady.metrics.answers import read_answers
from steady.metrics.arm_quality import evaluate_metrics
from steady.metrics.arm_sensitivity import sensitivity_metrics
from steady.metrics.files import write_metrics
from steady.metrics.resampling import Bootstrap
from steady.metrics.run import RunResults, read_run
from steady.records import Prediction, Prompt, Wording, write_records

LABELS = ["cat", "dog", "bird"]
WRONG = {"cat": "dog", "dog": "bird", "bird": "cat"}
WORDINGS = [
    Wording(id="canonical", family="canonical", operator="canonical", trained=True),
    *(Wording(id=f"surface/{n}", family="surface", operator="case", trained=n < 2) for n in range(4)),
    *(Wording(id=f"spelling/{n}", family="spelling", operator="omit", level="L2") for n in range(4)),
]
TESTING = Testing(Bootstrap(draws=200, confidence=0.95, seed=0), permutations=200, alpha=0.05)
Right = Callable[[Prompt], bool]


def _prompt(group: str, wording: str, gold: str, split: str) -> Prompt:
    name = f"{group}:{wording}"
    return Prompt(
        id=name,
        group_id=group,
        example_id=group,
        wording=wording,
        prompt=name,
        completion=gold,
        labels=[gold],
        split=split,
    )  # type: ignore[arg-type]


def _prediction(prompt: Prompt, right: bool) -> Prediction:
    answer = prompt.completion if right else WRONG[prompt.completion]
    shares = [0.8 if label == answer else 0.1 for label in LABELS]
    logprobs = [float(value) for value in np.log(shares)]
    return Prediction(prompt_id=prompt.id, text=answer, parsed=answer, label_logprobs=logprobs, correct=right)


def number_of(prompt: Prompt) -> int:
    """The number in a group's id."""
    return int(prompt.group_id[1:])


def write_run(folder: Path, arms: dict[str, Right], groups: int = 24, rows: int = 60) -> Path:
    """Write a run in which each arm is right exactly where its function says so."""
    evaluation = [_prompt(f"e{n}", "canonical", LABELS[n % 3], "test") for n in range(rows)]
    evaluation += [_prompt(f"v{n}", "canonical", LABELS[n % 3], "validation") for n in range(9)]
    reworded = [_prompt(f"g{n}", wording.id, LABELS[n % 3], "test") for n in range(groups) for wording in WORDINGS]
    write_records(folder / "formatted/evaluation.jsonl", evaluation)
    write_records(folder / "formatted/sensitivity.jsonl", reworded)
    write_records(folder / "formatted/wordings.jsonl", WORDINGS)
    how = Bootstrap(50, 0.95, 0)
    for name, right in arms.items():
        answers = [_prediction(prompt, right(prompt)) for prompt in evaluation]
        moved = [_prediction(prompt, right(prompt)) for prompt in reworded]
        write_records(folder / f"reports/arms/{name}/predictions.jsonl", answers)
        write_records(folder / f"reports/arms/{name}/sensitivity.jsonl", moved)
        quality = evaluate_metrics(read_answers(evaluation, answers, LABELS), how, trainable_percent=1.25)
        moving = sensitivity_metrics(read_answers(reworded, moved, LABELS), WORDINGS, how, 2.0)
        write_metrics(folder / f"metrics/arms/{name}/evaluate.json", quality)
        write_metrics(folder / f"metrics/arms/{name}/sensitivity.json", moving)
    return folder


ARMS: dict[str, Right] = {
    "baseline": lambda prompt: number_of(prompt) % 4 != 0 and not prompt.wording.endswith(("/0", "/3")),
    "control": lambda prompt: number_of(prompt) % 4 != 0,
    "tuned": lambda prompt: number_of(prompt) % 12 != 0,
}


@pytest.fixture
def arms() -> dict[str, Right]:
    return dict(ARMS)


@pytest.fixture
def make_run(tmp_path: Path) -> Callable[..., Path]:
    return lambda arms=ARMS, **sizes: write_run(tmp_path / "run", arms, **sizes)


@pytest.fixture
def testing() -> Testing:
    return TESTING


@pytest.fixture
def results_of() -> Callable[[Path, list[str]], RunResults]:
    def read(run: Path, names: list[str]) -> RunResults:
        return read_run(names, run / "metrics/arms", run / "reports/arms", run / "formatted")

    return read
