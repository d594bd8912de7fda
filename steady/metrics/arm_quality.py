"""`metrics/ARM/evaluate.json`: task quality of one arm on validation and test; the same keys for every arm and model family."""

from collections.abc import Mapping, Sequence
from typing import Any

from steady.labels import LabelTask
from steady.metrics.answers import Answers, read_answers
from steady.metrics.label_sets import two_by_two
from steady.metrics.quality import Answered, confusion_matrix, quality_statistic
from steady.metrics.references import Reference
from steady.metrics.resampling import Bootstrap, estimate, one_blas_thread
from steady.records import Prediction, Prompt, Split

SPLITS: tuple[Split, ...] = ("test", "validation")
SCALARS = ("accuracy", "macro_f1", "weighted_f1", "log_loss", "expected_calibration_error", "unparsed")
OF_SETS = ("micro_f1", "hamming_loss")
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
    multi_label: bool = False,
    temperature: float | None = None,
) -> dict[str, Any]:
    """Everything of `evaluate.json`.

    Args:
        prompts: validation and test prompts; `predictions` in the same order.
        labels: the label list, empty for free text.
        references: answers to the inputs of the test prompts, in their order (`text_references`).
        multi_label: whether an answer may have several of the labels.
        temperature: of a model that generates, fitted on tokens; None fits it on the label probabilities of validation.

    Returns:
        `test`, `validation` (see `split_metrics`), `references` (name -> the same, on test), `labels`, `temperature` (fitted
        on validation, null without probabilities) and `trainable_percent`; `multi_label` only where it is true. Values are not
        rounded yet: `write_metrics`.
    """
    answers = read_answers(prompts, predictions, labels, multi_label)
    bootstrap = Bootstrap(draws, confidence, seed)
    test = _of_split(answers, "test")
    metrics: dict[str, Any] = {split: split_metrics(_of_split(answers, split), bootstrap) for split in SPLITS}
    metrics["references"] = {
        name: {**split_metrics(_referred(test, reference), bootstrap), "settings": reference.settings}
        for name, reference in (references or {}).items()
    }
    fitted = _of_split(answers, "validation").temperature() if temperature is None else temperature
    metrics |= {"labels": list(labels), "temperature": fitted}
    return metrics | {"trainable_percent": trainable_percent} | ({"multi_label": True} if multi_label else {})


def split_metrics(answers: Answers, bootstrap: Bootstrap) -> dict[str, Any]:
    """Quality on one split.

    Returns:
        Estimates (`value`, `interval`) of accuracy, macro and weighted F1, log loss (nats), expected calibration error and
        the share of answers that are no label; `rows`, `groups`, `not_finite`; `per_class` and `confusion`. Where a row may
        have several labels, accuracy is that of the whole set; micro F1 and Hamming loss are there too, and each label has its
        own counts in place of a confusion matrix.
    """
    data = answers.answered()
    found = estimate(quality_statistic(data), data.group_count, bootstrap)
    counts, confusion = _counts(answers, data)
    return {
        **{name: found[name] for name in (*SCALARS, *OF_SETS) if name in found},
        "rows": len(answers.prompts),
        "groups": data.group_count,
        "not_finite": int((~answers.finite).sum()),
        "per_class": {
            label: {**{name: found[name][place] for name in PER_CLASS}, **counts[place]}
            for place, label in enumerate(answers.labels)
        },
        **confusion,
    }


def _counts(answers: Answers, data: Answered) -> tuple[list[dict[str, int]], dict[str, Any]]:
    """The counts of each label, and the confusion matrix, which sets of labels have not."""
    if answers.sets is not None:
        gold, answer = data.indicators(data.gold) > 0, data.indicators(data.answer) > 0
        cells = two_by_two(gold, answer)
        return [{"support": int(gold[:, place].sum()), **cell} for place, cell in enumerate(cells)], {}
    counts = confusion_matrix(data.gold, data.answer, data.classes)
    names = {"actual": list(answers.labels), "predicted": [*answers.labels, NO_LABEL_COLUMN]}
    return [{"support": int(row.sum())} for row in counts], {"confusion": {**names, "counts": counts.tolist()}}


def confusion_rows(
    prompts: Sequence[Prompt], predictions: Sequence[Prediction], split: Split = "test", task: LabelTask | None = None
) -> list[dict[str, str]]:
    """`[{"actual", "predicted"}, …]` of one split, the shape that `dvc plots` draws as a confusion matrix.

    Open answers, which have neither labels nor their probabilities, are the reference or another answer. Where a row may have
    several labels (`task`), there is an entry for each label: that it is there, or `not` it.
    """
    return [
        row
        for prompt, prediction in zip(prompts, predictions, strict=True)
        if prompt.split == split
        for row in _confusion_rows(prompt, prediction, task)
    ]


def _confusion_rows(prompt: Prompt, prediction: Prediction, task: LabelTask | None) -> list[dict[str, str]]:
    if task is not None and task.multi_label:
        gold, said = task.read(prompt.completion) or (), task.read(prediction.parsed or "")
        return [{"actual": _sign(label, gold), "predicted": _sign(label, said)} for label in task.labels]
    if prediction.parsed is None and not prediction.label_logprobs:
        return [{"actual": REFERENCE, "predicted": REFERENCE if prediction.correct else ANOTHER_ANSWER}]
    return [{"actual": prompt.completion, "predicted": prediction.parsed or NO_LABEL_COLUMN}]


def _sign(label: str, named: Sequence[str] | None) -> str:
    return NO_LABEL_COLUMN if named is None else label if label in named else f"not {label}"


def _of_split(answers: Answers, split: Split) -> Answers:
    return answers.rows([row for row, prompt in enumerate(answers.prompts) if prompt.split == split])


def _referred(test: Answers, reference: Reference) -> Answers:
    """The test prompts with the answers of a reference in place of the arm's."""
    predictions = [
        Prediction(prompt_id=prompt.id, text=answer, parsed=answer, label_logprobs=logprobs.tolist())
        for prompt, answer, logprobs in zip(test.prompts, reference.answers, reference.logprobs, strict=True)
    ]
    return read_answers(test.prompts, predictions, test.labels, test.sets is not None)
