"""`generated` of `metrics/ARM/evaluate.json`: what a model says when nothing constrains it; the same keys for every model."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from steady.labels import LabelTask
from steady.metrics.answers import numbered
from steady.metrics.quality import group_sums
from steady.metrics.resampling import Bootstrap, Floats, Statistic, estimate, one_blas_thread, ratio
from steady.metrics.text import chrf, exact_match, is_short, read_answer, rouge_l, word_count
from steady.records import Prediction, Prompt, Split, TextScores

SPLITS: tuple[Split, ...] = ("test", "validation")
BETTER = {
    "label_accuracy": "higher",
    "no_label": "lower",
    "exact_match": "higher",
    "rouge_l": "higher",
    "chrf": "higher",
    "reference_perplexity": "lower",
    "words": "lower",
    "within_words": "higher",
}
"""The measures of generated text that are means over rows, and which direction is better."""

MEANS = ("label_accuracy", "no_label", "exact_match", "rouge_l", "chrf", "words", "within_words")
DECIMALS = 6


def text_scores(prompt: Prompt, prediction: Prediction, task: LabelTask, reference: tuple[float, int]) -> TextScores:
    """The scores of one answer; `reference` is the log-probability and the number of tokens of its likeliest reference."""
    references = references_of(prompt)
    return TextScores(
        prompt_id=prompt.id,
        label=read_answer(prediction.text, task),
        words=word_count(prediction.text),
        exact_match=exact_match(prediction.text, references),
        rouge_l=round(rouge_l(prediction.text, references), DECIMALS),
        chrf=round(chrf(prediction.text, references), DECIMALS),
        reference_logprob=round(reference[0], DECIMALS),
        reference_tokens=reference[1],
    )


def references_of(prompt: Prompt) -> list[str]:
    """Every answer that is right, the completion first."""
    return list(dict.fromkeys([prompt.completion, *prompt.references]))


@one_blas_thread()
def generated_metrics(
    prompts: Sequence[Prompt],
    predictions: Sequence[Prediction],
    scores: Sequence[TextScores],
    labels: Sequence[str],
    within_words: int,
    bootstrap: Bootstrap,
) -> dict[str, Any]:
    """`generated`: for each split the measures of `BETTER` and `distinct_answers`; null where nothing is generated.

    Args:
        scores: in the order of the prompts; empty for a classifier.
        labels: the label list, empty for open answers, which have neither `label_accuracy` nor `no_label`.
        within_words: the most words of a short answer (`is_short`).

    Returns:
        `within_words_limit` and, by split, estimates. `reference_perplexity` is exp(-log P(reference) / tokens), pooled over
        rows; `distinct_answers` is the number of different texts divided by the rows, without an interval, for drawing rows
        again repeats them.
    """
    found: dict[str, Any] = {"within_words_limit": within_words if scores else None}
    for split in SPLITS:
        rows = [row for row, prompt in enumerate(prompts) if prompt.split == split]
        chosen = [scores[row] for row in rows] if scores else []
        groups, names = numbered(prompts[row].group_id for row in rows if scores)
        table = score_columns([prompts[row] for row in rows], chosen, labels, within_words)
        measures = estimate(text_statistic(table, groups, len(names)), len(names), bootstrap)
        texts = {predictions[row].text for row in rows} if scores else set()
        distinct = len(texts) / len(rows) if scores and rows else float("nan")
        found[split] = {**measures, "distinct_answers": {"value": distinct, "interval": None}}
    return found


def score_columns(
    prompts: Sequence[Prompt], scores: Sequence[TextScores], labels: Sequence[str], within_words: int
) -> dict[str, Floats]:
    """A column `(rows,)` for each of `MEANS`, and `logprob` and `tokens` of the references; NaN where there is no such thing."""
    read = [(np.nan, np.nan)] * len(scores)
    if labels and scores:
        read = [
            (float(one.label == prompt.completion), float(one.label is None))
            for prompt, one in zip(prompts, scores, strict=True)
        ]
    rows = [
        (
            *labelled,
            float(one.exact_match),
            one.rouge_l,
            one.chrf,
            float(one.words),
            float(is_short(one.words, within_words)),
            one.reference_logprob,
            float(one.reference_tokens),
        )
        for labelled, one in zip(read, scores, strict=True)
    ]
    names = (*MEANS, "logprob", "tokens")
    table = np.asarray(rows, dtype=np.float64).reshape(-1, len(names))
    return dict(zip(names, table.T, strict=True))


def text_statistic(columns: dict[str, Floats], groups: Any, count: int) -> Statistic:
    """The statistic that the bootstrap draws: every measure of `BETTER` under group weights, each `(draws,)`."""
    rows = group_sums(np.ones(len(groups)), groups, count)
    sums = {name: group_sums(column, groups, count) for name, column in columns.items()}

    def statistic(weights: Floats) -> dict[str, Floats]:
        total = weights @ rows
        found = {name: ratio(weights @ sums[name], total) for name in MEANS}
        surprise = ratio(-(weights @ sums["logprob"]), weights @ sums["tokens"])
        return {**found, "reference_perplexity": np.asarray(np.exp(np.minimum(surprise, 700.0)))}

    return statistic
