"""Measures of one generated text against its references; the best reference counts."""

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from steady.labels import NO_LABELS, Floats, LabelTask, joined
from steady.metrics.answers import normalised
from steady.records import Prompt, TextScores

WORD = re.compile(r"[^\W_]+")
AROUND_LABEL = " \t\n\"'`´“”‘’.,:;!?()[]*"


class ScoredText(NamedTuple):
    """A generated text with what its measures need; `labelled`: whether the task has labels to read it as."""

    prompt: Prompt
    scores: TextScores
    labelled: bool
    within_words: int


def reads_as_target(row: ScoredText) -> tuple[float, float]:
    """Whether the text alone says the right label; NaN without labels."""
    return float(row.scores.label == row.prompt.completion) if row.labelled else float("nan"), 1.0


def reads_as_no_label(row: ScoredText) -> tuple[float, float]:
    """Whether the text says no label; NaN without labels."""
    return float(row.scores.label is None) if row.labelled else float("nan"), 1.0


def reference_surprise(row: ScoredText) -> tuple[float, float]:
    """-log P of the likeliest reference in nats, and its tokens."""
    return -row.scores.reference_logprob, float(row.scores.reference_tokens)


def perplexity(surprise: Floats) -> Floats:
    """The exponential of nats a token; at most e^700, which still is a number."""
    return np.asarray(np.exp(np.minimum(surprise, 700.0)))


def word_count(text: str) -> int:
    """Words between white space."""
    return len(text.split())


def is_short(words: int, limit: int) -> bool:
    """Whether an answer of so many words is within the limit; an empty one is no answer."""
    return 0 < words <= limit  # nothing is no short answer


def exact_match(text: str, references: Sequence[str]) -> bool:
    """Whether a text equals a reference once case and white space are normalised; an empty text equals none."""
    answer = normalised(text)
    return bool(answer) and any(answer == normalised(reference) for reference in references)


def read_label(text: str, labels: Sequence[str]) -> str | None:
    """The label that a text says and nothing else: case, white space, and marks around it do not count; None where it is none."""
    # the same marks are taken from the labels: one of them may end with a full stop itself
    answer = normalised(text).strip(AROUND_LABEL)
    return next((label for label in labels if normalised(label).strip(AROUND_LABEL) == answer), None)


def read_answer(text: str, task: LabelTask) -> str | None:
    """The answer that a text gives to a label task: a label, or all the labels that it names between commas and nothing else."""
    if not task.multi_label:
        return read_label(text, task.labels)
    if read_label(text, [NO_LABELS]) is not None:
        return NO_LABELS
    # One part that is no label makes the whole no answer: what it would have been is a guess.
    named = [read_label(part, task.labels) for part in text.split(",")]
    return None if None in named else joined(label for label in task.labels if label in named)


def rouge_l(text: str, references: Sequence[str]) -> float:
    """ROUGE-L F1 over words, 0 to 1, of the best reference (Lin 2004, https://aclanthology.org/W04-1013).

    The package rouge-score computes it (no stemming); its own tokenizer knows ASCII alone, so words are cut here: equal to
    it on ASCII, and right elsewhere.
    """
    return max((float(_rouge().score(reference, text)["rougeL"].fmeasure) for reference in references), default=0.0)


def chrf(text: str, references: Sequence[str]) -> float:
    """chrF2 of sacrebleu (characters up to 6-grams, no word n-grams) divided by 100, 0 to 1, of the best reference (Popović 2015)."""
    return max((float(_chrf().sentence_score(text, [reference]).score) / 100 for reference in references), default=0.0)


class _Words:
    """A tokenizer for rouge-score: words of any script, compared without case."""

    def tokenize(self, text: str) -> list[str]:
        return WORD.findall(unicodedata.normalize("NFKC", text).casefold())


@lru_cache(maxsize=1)
def _rouge() -> Any:
    from rouge_score.rouge_scorer import RougeScorer  # type: ignore[import-untyped]

    return RougeScorer(["rougeL"], tokenizer=_Words())


@lru_cache(maxsize=1)
def _chrf() -> Any:
    from sacrebleu.metrics.chrf import CHRF

    return CHRF()
