"""`metrics/ARM/evaluate.json`: task quality of one arm on validation and test; the same keys for every arm and model family."""

from collections.abc import Mapping, Sequence
from typing import Any

from steady.metrics.answers import Answers, read_answers
from steady.metrics.posix import fit_temperature
from steady.metrics.quality import confusion_matrix, quality_statistic
from steady.metrics.references import Reference
from steady.metrics.resampling import Bootstrap, estimate, one_blas_thread
from steady.records import Prediction, Prompt, Split

SPLITS: tuple[Split, ...] = ("test", "validation")
SCALARS = ("accuracy", "macro_f1", "weighted_f1", "log_loss", "expected_calibration_error", "unparsed")
PER_CLASS = ("precision", "recall", "f1")
NO_LABEL_COLUMN = "(no label)"
REFERENCE, ANOTHER_ANSWER = "a reference", "another answer"


@one_blas_thread()
def evaluate_metrics(
    prompts: Sequence[Prompt],
    predictions: Sequence[Prediction],
    labels: Sequence[str],
    *,
    draws: int,
    confidence: float,
    seed: int,
    references: Mapping[str, Reference] | None = None,
    trainable_percent: float | None = None,
) -> dict[str, Any]:
    """Everything of `evaluate.json`.

    Args:
        prompts: validation and test prompts; `predictions` in the same order.
        labels: the label list, empty for free text.
        references: answers to the inputs of the test prompts, in their order (`text_references`).

    Returns:
        `test`, `validation` (see `split_metrics`), `references` (name -> the same, on test), `labels`, `temperature` (fitted
        on validation, null without probabilities) and `trainable_percent`. Values are not rounded yet: `write_metrics`.
    """
    answers = read_answers(prompts, predictions, labels)
    bootstrap = Bootstrap(draws, confidence, seed)
    test = _of_split(answers, "test")
    metrics: dict[str, Any] = {split: split_metrics(_of_split(answers, split), bootstrap) for split in SPLITS}
    metrics["references"] = {
        name: {**split_metrics(_referred(test, reference), bootstrap), "settings": reference.settings}
        for name, reference in (references or {}).items()
    }
    metrics |= {"labels": list(labels), "temperature": validation_temperature(prompts, predictions, labels)}
    return metrics | {"trainable_percent": trainable_percent}


def split_metrics(answers: Answers, bootstrap: Bootstrap) -> dict[str, Any]:
    """Quality on one split.

    Returns:
        Estimates (`value`, `interval`) of accuracy, macro and weighted F1, log loss (nats), expected calibration error and
        the share of answers that are no label; `rows`, `groups`, `not_finite`; `per_class` and `confusion`.
    """
    data = answers.answered()
    found = estimate(quality_statistic(data), data.group_count, bootstrap)
    counts = confusion_matrix(data.gold, data.answer, data.classes)
    return {
        **{name: found[name] for name in SCALARS},
        "rows": len(answers.prompts),
        "groups": data.group_count,
        "not_finite": int((~answers.finite).sum()),
        "per_class": {
            label: {**{name: found[name][place] for name in PER_CLASS}, "support": int(counts[place].sum())}
            for place, label in enumerate(answers.labels)
        },
        "confusion": {
            "actual": list(answers.labels),
            "predicted": [*answers.labels, NO_LABEL_COLUMN],
            "counts": counts.tolist(),
        },
    }


def validation_temperature(
    prompts: Sequence[Prompt], predictions: Sequence[Prediction], labels: Sequence[str]
) -> float | None:
    """The temperature fitted on the validation prompts; None where the model gives no label probabilities."""
    answers = _of_split(read_answers(prompts, predictions, labels), "validation")
    if answers.logprobs is None or not answers.finite.any():
        return None
    return fit_temperature(answers.logprobs[answers.finite], answers.gold[answers.finite])


def confusion_rows(
    prompts: Sequence[Prompt], predictions: Sequence[Prediction], split: Split = "test"
) -> list[dict[str, str]]:
    """`[{"actual", "predicted"}, …]` of one split, the shape that `dvc plots` draws as a confusion matrix.

    Open answers, which have neither labels nor their probabilities, are the reference or another answer.
    """
    return [
        _confusion_row(prompt, prediction)
        for prompt, prediction in zip(prompts, predictions, strict=True)
        if prompt.split == split
    ]


def _confusion_row(prompt: Prompt, prediction: Prediction) -> dict[str, str]:
    if prediction.parsed is None and not prediction.label_logprobs:
        return {"actual": REFERENCE, "predicted": REFERENCE if prediction.correct else ANOTHER_ANSWER}
    return {"actual": prompt.completion, "predicted": prediction.parsed or NO_LABEL_COLUMN}


def _of_split(answers: Answers, split: Split) -> Answers:
    return answers.rows([row for row, prompt in enumerate(answers.prompts) if prompt.split == split])


def _referred(test: Answers, reference: Reference) -> Answers:
    """The test prompts with the answers of a reference in place of the arm's."""
    predictions = [
        Prediction(prompt_id=prompt.id, text=answer, parsed=answer, label_logprobs=logprobs.tolist())
        for prompt, answer, logprobs in zip(test.prompts, reference.answers, reference.logprobs, strict=True)
    ]
    return read_answers(test.prompts, predictions, test.labels)
