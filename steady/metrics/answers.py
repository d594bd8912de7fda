"""From records to arrays: the prompts of a file and the answers that one arm gave to them."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steady.errors import SteadyError
from steady.metrics.quality import NO_LABEL, Answered, Codes
from steady.metrics.resampling import Floats
from steady.records import Prediction, Prompt

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Answers:
    """Prompts and one arm's answers, row by row in file order.

    `texts` are the labels, or the normalised raw texts where an answer is no label or there are no labels; `codes` number
    equal texts equally; `failed` marks answers that are no label (with no labels: that are empty) and rows whose
    log-probabilities are not finite, which `finite` tells apart.
    """

    prompts: tuple[Prompt, ...]
    labels: tuple[str, ...]
    texts: tuple[str, ...]
    codes: Codes
    gold: Codes
    answer: Codes
    correct: Floats
    failed: Mask
    finite: Mask
    logprobs: Floats | None

    def rows(self, chosen: Sequence[int] | Codes) -> "Answers":
        """The answers to some of the prompts, in the order of `chosen`."""
        index = np.asarray(chosen, dtype=np.intp)
        return replace(
            self,
            prompts=tuple(self.prompts[row] for row in index),
            texts=tuple(self.texts[row] for row in index),
            logprobs=None if self.logprobs is None else self.logprobs[index],
            **{name: getattr(self, name)[index] for name in ("codes", "gold", "answer", "correct", "failed", "finite")},
        )

    def answered(self) -> Answered:
        """The same as class numbers, grouped by the prompts' groups."""
        groups, _ = numbered(prompt.group_id for prompt in self.prompts)
        return Answered(self.gold, self.answer, self.correct, self.logprobs, groups, len(self.labels))


def numbered(values: Iterable[str]) -> tuple[Codes, list[str]]:
    """A number for each value, in order of first appearance, and the distinct values."""
    seen: dict[str, int] = {}
    codes = np.asarray([seen.setdefault(value, len(seen)) for value in values], dtype=np.intp)
    return codes, list(seen)


def normalised(text: str) -> str:
    """Raw text as answers that are no label are compared: NFKC, case folded, white space collapsed."""
    return re.sub(r"\s+", " ", unicodedata.normalize("NFKC", text).casefold()).strip()


def read_answers(prompts: Sequence[Prompt], predictions: Sequence[Prediction], labels: Sequence[str]) -> Answers:
    """Line up prompts and predictions.

    Args:
        labels: the label list of the task, in the order of `label_logprobs`; empty where answers are free text, whose
            `Prediction.correct` is then taken as it is (null is wrong).

    Raises:
        SteadyError: the predictions are not those of the prompts, a gold label is not in the list, or a row has another
            number of log-probabilities.
    """
    _check_order(prompts, predictions)
    places = {label: place for place, label in enumerate(labels)}
    logprobs = _logprobs(predictions, len(labels))
    finite = np.asarray([True] * len(prompts) if logprobs is None else np.isfinite(logprobs).all(axis=1), dtype=bool)
    answer = np.asarray([places.get(str(prediction.parsed), NO_LABEL) for prediction in predictions], dtype=np.intp)
    answer = np.where(finite, answer, NO_LABEL)
    gold = np.asarray([_gold(prompt, places) for prompt in prompts], dtype=np.intp)
    texts = [
        labels[place] if place != NO_LABEL else normalised(prediction.text)
        for place, prediction in zip(answer, predictions, strict=True)
    ]
    correct = (
        answer == gold if labels else np.asarray([bool(prediction.correct) for prediction in predictions], dtype=bool)
    )
    failed = answer == NO_LABEL if labels else np.asarray([not text for text in texts], dtype=bool)
    return Answers(
        prompts=tuple(prompts),
        labels=tuple(labels),
        texts=tuple(texts),
        codes=numbered(texts)[0],
        gold=gold,
        answer=answer,
        correct=correct.astype(np.float64),
        failed=failed | ~finite,
        finite=finite,
        logprobs=logprobs,
    )


def _check_order(prompts: Sequence[Prompt], predictions: Sequence[Prediction]) -> None:
    if len(prompts) != len(predictions):
        raise SteadyError(f"{len(predictions)} predictions for {len(prompts)} prompts. Run `dvc repro` to score again.")
    for line, (prompt, prediction) in enumerate(zip(prompts, predictions, strict=True), start=1):
        if prompt.id != prediction.prompt_id:
            raise SteadyError(
                f"line {line}: the prediction is for prompt {prediction.prompt_id}, but the prompt is {prompt.id}. "
                "Run `dvc repro` to score again."
            )


def _gold(prompt: Prompt, places: dict[str, int]) -> int:
    """The class of a prompt: its first gold label, or its completion."""
    label = prompt.labels[0] if prompt.labels else prompt.completion
    if places and label not in places:
        raise SteadyError(f"prompt {prompt.id}: gold label {label!r} is not one of {', '.join(places)}.")
    return places.get(label, NO_LABEL)


def _logprobs(predictions: Sequence[Prediction], labels: int) -> Floats | None:
    rows: list[Any] = [prediction.label_logprobs for prediction in predictions]
    if not labels or not any(rows):
        return None
    for prediction, row in zip(predictions, rows, strict=True):
        if len(row) != labels:
            raise SteadyError(
                f"prediction of {prediction.prompt_id}: {len(row)} label log-probabilities for {labels} labels. "
                "Run `dvc repro` to score again."
            )
    return np.asarray(rows, dtype=np.float64)
