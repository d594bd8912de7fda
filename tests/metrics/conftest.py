"""Small prompts, wordings and predictions that the tests of metrics share."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from steady.records import Prediction, Prompt, Wording

LABELS = ("cat", "dog", "bird")
WORDINGS = [
    Wording(id="canonical", family="canonical", operator="canonical", trained=True),
    Wording(id="surface/a", family="surface", operator="case", trained=True),
    Wording(id="surface/b", family="surface", operator="space"),
    Wording(id="spelling/a", family="spelling", operator="omit", level="L2"),
    Wording(id="spelling/b", family="spelling", operator="insert", level="L2"),
    Wording(id="spelling/c", family="spelling", operator="omit", level="L2"),
]


def _prompt(group: str, wording: str, gold: str, split: str = "test") -> Prompt:
    return Prompt(
        id=f"{group}:{wording}",
        group_id=group,
        example_id=group,
        wording=wording,
        prompt=f"{group} {wording}",
        completion=gold,
        labels=[gold],
        split=split,  # type: ignore[arg-type]
    )


def _prediction(
    prompt: Prompt, answer: str | None, confidence: float = 0.8, labels: Sequence[str] = LABELS
) -> Prediction:
    rest = (1 - confidence) / (len(labels) - 1)
    shares = [confidence if label == answer else rest for label in labels]
    return Prediction(
        prompt_id=prompt.id,
        text=answer or "I am not sure",
        parsed=answer,
        label_logprobs=[float(value) for value in np.log(shares)],
        correct=answer == prompt.completion,
    )


@pytest.fixture
def labels() -> tuple[str, ...]:
    return LABELS


@pytest.fixture
def wordings() -> list[Wording]:
    return WORDINGS


@pytest.fixture
def prompt() -> Callable[..., Prompt]:
    return _prompt


@pytest.fixture
def prediction() -> Callable[..., Prediction]:
    return _prediction
