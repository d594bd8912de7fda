"""`generated` of `evaluate.json`: what a model writes when nothing constrains it; the same keys for every model."""

from collections.abc import Sequence

import numpy as np

from steady.labels import Floats, LabelTask
from steady.metrics.answers import numbered
from steady.metrics.measures import TEXT
from steady.metrics.quality import Codes, group_sums
from steady.metrics.resampling import Bootstrap, Estimate, Pooled, Statistic, estimate, one_blas_thread, ratio
from steady.metrics.results import GeneratedQuality
from steady.metrics.text import ScoredText, chrf, exact_match, read_answer, rouge_l, word_count
from steady.records import Prediction, Prompt, Split, TextScores

SPLITS: tuple[Split, ...] = ("test", "validation")
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
    answers: Sequence[tuple[Prompt, Prediction]],
    scores: Sequence[TextScores],
    labelled: bool,
    within_words: int,
    bootstrap: Bootstrap,
) -> GeneratedQuality:
    """For each split the measures of generated text and `distinct_answers`; null where nothing is generated.

    `distinct_answers` is the number of different texts divided by the rows.

    Args:
        scores: in the order of the answers; empty for a classifier.
        labelled: whether there are labels that a text may say.
        within_words: the most words of a short answer (`is_short`).
    """
    found = {}
    for split in SPLITS:
        # A classifier has answers and no scores: it then has no rows.
        chosen = [(*answer, score) for answer, score in zip(answers, scores, strict=False) if answer[0].split == split]
        rows = [ScoredText(prompt, score, labelled, within_words) for prompt, _, score in chosen]
        groups, names = numbered(row.prompt.group_id for row in rows)
        measures = estimate(text_statistic(rows, groups, len(names)), len(names), bootstrap)
        # drawing rows again would repeat their texts, so there is no interval
        distinct = len({prediction.text for _, prediction, _ in chosen}) / len(rows) if rows else float("nan")
        found[split] = {**measures, "distinct_answers": Estimate(distinct, None)}
    limit = within_words if scores else None
    return GeneratedQuality(None, None, limit, found["test"], found["validation"])


def text_sums(rows: Sequence[ScoredText], groups: Codes, count: int) -> Pooled:
    """Totals and counts of every measure of text, summed over the rows of each group, both `(groups, measures)`."""
    table = np.asarray([[measure.of_row(row) for measure in TEXT] for row in rows], dtype=np.float64)
    sums = group_sums(table.reshape(-1, len(TEXT), 2), groups, count)
    return Pooled(sums[..., 0], sums[..., 1])


def text_statistic(rows: Sequence[ScoredText], groups: Codes, count: int) -> Statistic:
    """The statistic that the bootstrap draws: every measure of generated text under group weights, each `(draws,)`."""
    totals, counts = text_sums(rows, groups, count)

    def statistic(weights: Floats) -> dict[str, Floats]:
        pooled = ratio(weights @ totals, weights @ counts)
        return {measure.name: measure.transform(pooled[:, place]) for place, measure in enumerate(TEXT)}

    return statistic
