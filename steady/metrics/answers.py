"""From records to arrays: the prompts of a file and the answers that one arm gave to them."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from steady.errors import SteadyError
from steady.labels import Floats, Mask
from steady.metrics.label_sets import LabelSets, label_sets
from steady.metrics.posix import fit_temperature, scaled_logprobs
from steady.metrics.quality import NO_LABEL, Answered, Codes
from steady.records import Prediction, Prompt

MOST_LABELS = 60  # 2 ** 60 answers are enough of them to divide an entropy by


@dataclass(frozen=True)
class Answers:
    """Prompts and one arm's answers, row by row in file order.

    `texts` are the labels, or the normalised raw texts where an answer is no label or there are no labels; `codes` number
    equal texts equally; `failed` marks answers that are no label (with no labels: that are empty) and rows whose
    log-probabilities are not finite, which `finite` tells apart. `gold`, `answer` and the columns of `logprobs` number the
    labels or, where a row may have several, the `sets` of them that occur.
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
    sets: LabelSets | None = None

    def rows(self, chosen: Sequence[int] | Codes) -> "Answers":
        """The answers to some of the prompts, in the order of `chosen`."""
        index = np.asarray(chosen, dtype=np.intp)
        return replace(
            self,
            prompts=tuple(self.prompts[row] for row in index),
            texts=tuple(self.texts[row] for row in index),
            logprobs=None if self.logprobs is None else self.logprobs[index],
            sets=None if self.sets is None else self.sets.rows(index),
            **{name: getattr(self, name)[index] for name in ("codes", "gold", "answer", "correct", "failed", "finite")},
        )

    def answered(self) -> Answered:
        """The same as class numbers, grouped by the prompts' groups."""
        groups, _ = numbered(prompt.group_id for prompt in self.prompts)
        members = None if self.sets is None else self.sets.members
        return Answered(self.gold, self.answer, self.correct, self.logprobs, groups, len(self.labels), members)

    @property
    def choices(self) -> int:
        """How many answers a label task has; 0 where answers are free text."""
        return len(self.labels) if self.sets is None else 2 ** min(len(self.labels), MOST_LABELS)

    def scaled(self, rows: Codes, temperature: float) -> Floats:
        """Log-probabilities of the answers to some rows, `(rows, labels or sets)`, at a temperature."""
        assert self.logprobs is not None
        if self.sets is None:
            return scaled_logprobs(self.logprobs[rows], temperature)
        scaled = self.sets.rows(rows).of_sets(temperature)
        assert scaled is not None
        return scaled

    def temperature(self) -> float | None:
        """The temperature with the lowest log loss on these rows; None without log-probabilities."""
        if self.logprobs is None or not self.finite.any():
            return None
        if self.sets is None:
            return fit_temperature(self.logprobs[self.finite], self.gold[self.finite])
        sound = np.flatnonzero(self.finite)
        return self.sets.rows(sound).temperature(self.gold[sound])


def numbered(values: Iterable[str]) -> tuple[Codes, list[str]]:
    """A number for each value, in order of first appearance, and the distinct values."""
    seen: dict[str, int] = {}
    codes = np.asarray([seen.setdefault(value, len(seen)) for value in values], dtype=np.intp)
    return codes, list(seen)


def normalised(text: str) -> str:
    """Raw text as answers that are no label are compared: NFKC, case folded, white space collapsed."""
    return re.sub(r"\s+", " ", unicodedata.normalize("NFKC", text).casefold()).strip()


def read_answers(
    prompts: Sequence[Prompt], predictions: Sequence[Prediction], labels: Sequence[str], multi_label: bool = False
) -> Answers:
    """Line up prompts and predictions.

    SteadyError where the predictions are not those of the prompts, a gold label is not in the list, or a row has another number of
    log-probabilities.

    Args:
        labels: the label list of the task, in the order of `label_logprobs`; empty where answers are free text, whose
            `Prediction.correct` is then taken as it is (null is wrong).
        multi_label: whether a row may have several of the labels; an answer is then a set of them (`label_sets`).
    """
    _check_order(prompts, predictions)
    logprobs = _logprobs(predictions, len(labels))
    targets = [target_of(prompt) for prompt in prompts]
    written = [*targets, *(str(prediction.parsed) for prediction in predictions)]
    sets = label_sets(written, labels, logprobs) if multi_label else None
    # sets are numbered like labels, so that every measure below is the same function of both
    names = labels if sets is None else sets.names
    places = {name: place for place, name in enumerate(names)}
    for prompt, target in zip(prompts, targets, strict=True) if labels else ():
        if target not in places:
            raise SteadyError(f"prompt {prompt.id}: gold label {target!r} is not one of {', '.join(labels)}.")
    gold = np.asarray([places.get(target, NO_LABEL) for target in targets], dtype=np.intp)
    finite = np.asarray([True] * len(prompts) if logprobs is None else np.isfinite(logprobs).all(axis=1), dtype=bool)
    answer = np.asarray([places.get(str(prediction.parsed), NO_LABEL) for prediction in predictions], dtype=np.intp)
    # the most probable of probabilities that are not finite is none: such an answer counts as wrong
    answer = np.where(finite, answer, NO_LABEL)
    # answers that are no label are told apart by their text: entropy counts them as further answers
    texts = [
        names[place] if place != NO_LABEL else normalised(prediction.text)
        for place, prediction in zip(answer, predictions, strict=True)
    ]
    # free text was compared with its references when it was scored, and is only counted here
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
        logprobs=logprobs if sets is None else sets.of_sets(),
        sets=sets,
    )


def _check_order(prompts: Sequence[Prompt], predictions: Sequence[Prediction]) -> None:
    if len(prompts) != len(predictions):
        raise SteadyError(f"{len(predictions)} predictions for {len(prompts)} prompts. Run `dvc repro` to score again.")
    # Files of two runs would line up row by row without an error.
    for line, (prompt, prediction) in enumerate(zip(prompts, predictions, strict=True), start=1):
        if prompt.id != prediction.prompt_id:
            raise SteadyError(
                f"line {line}: the prediction is for prompt {prediction.prompt_id}, but the prompt is {prompt.id}. "
                "Run `dvc repro` to score again."
            )


def target_of(prompt: Prompt) -> str:
    """The right answer to a prompt: its gold label where it has one, else its completion (all its labels, or a text)."""
    return prompt.labels[0] if len(prompt.labels) == 1 else prompt.completion


def _logprobs(predictions: Sequence[Prediction], labels: int) -> Floats | None:
    rows: list[Any] = [prediction.label_logprobs for prediction in predictions]
    # a model that writes sets of labels has no probabilities of them
    if not labels or not any(rows):
        return None
    for prediction, row in zip(predictions, rows, strict=True):
        if len(row) != labels:
            raise SteadyError(
                f"prediction of {prediction.prompt_id}: {len(row)} label log-probabilities for {labels} labels. "
                "Run `dvc repro` to score again."
            )
    return np.asarray(rows, dtype=np.float64)
