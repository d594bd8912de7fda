"""`evaluate.json`: task quality of one arm on validation and test; the same keys for every arm and model family."""

from collections.abc import Mapping, Sequence

from steady.labels import Floats, LabelTask
from steady.metrics.answers import Answers, read_answers
from steady.metrics.label_sets import two_by_two
from steady.metrics.measures import QUALITY, QualityMeasure
from steady.metrics.quality import Answered, class_scores, confusion_matrix, weighted_counts
from steady.metrics.references import Reference
from steady.metrics.resampling import Bootstrap, Statistic, estimate, estimate_columns, one_blas_thread
from steady.metrics.results import ClassQuality, Confusion, EvaluateResults, SplitQuality
from steady.records import Prediction, Prompt, Split

NO_LABEL_COLUMN = "(no label)"
REFERENCE, ANOTHER_ANSWER = "a reference", "another answer"


@one_blas_thread()
def evaluate_metrics(
    answers: Answers,
    bootstrap: Bootstrap,
    *,
    references: Mapping[str, Reference] | None = None,
    trainable_percent: float | None = None,
    temperature: float | None = None,
) -> EvaluateResults:
    """Task quality of an arm, without what it generates.

    Args:
        answers: to the validation and test prompts.
        references: answers to the inputs of the test prompts, in their order (`text_references`).
        temperature: of a model that generates, fitted on tokens; None fits it on the label probabilities of validation.
    """
    test, validation = _of_split(answers, "test"), _of_split(answers, "validation")
    found = {}
    for name, reference in (references or {}).items():
        predictions = [
            Prediction(prompt_id=prompt.id, text=answer, parsed=answer, label_logprobs=logprobs.tolist())
            for prompt, answer, logprobs in zip(test.prompts, reference.answers, reference.logprobs, strict=True)
        ]
        # Through the code that reads an arm's answers, so that both are measured alike.
        referred = read_answers(test.prompts, predictions, test.labels, test.sets is not None)
        found[name] = split_metrics(referred, bootstrap, reference.settings)
    return EvaluateResults(
        test=split_metrics(test, bootstrap),
        validation=split_metrics(validation, bootstrap),
        references=found,
        labels=list(answers.labels),
        temperature=validation.temperature() if temperature is None else temperature,
        trainable_percent=trainable_percent,
        multi_label=answers.sets is not None,
    )


def quality_measures(data: Answered) -> list[QualityMeasure]:
    """The measures that these rows have: some are of sets of labels alone."""
    return [measure for measure in QUALITY if data.members is not None or not measure.of_sets]


def quality_statistic(data: Answered) -> Statistic:
    """The statistic that the bootstrap draws: every measure of task quality under group weights, each `(draws,)`."""
    measures, counted = quality_measures(data), weighted_counts(data)

    def statistic(weights: Floats) -> dict[str, Floats]:
        counts = counted(weights)
        return {measure.name: measure.value(counts) for measure in measures}

    return statistic


def class_statistic(data: Answered) -> Statistic:
    """Precision, recall and F1 under group weights, each `(draws, classes)`."""
    counted = weighted_counts(data)

    def statistic(weights: Floats) -> dict[str, Floats]:
        counts = counted(weights)
        scores = class_scores(counts.hits, counts.answered, counts.support)
        return dict(zip(("precision", "recall", "f1"), scores, strict=True))

    return statistic


def split_metrics(answers: Answers, bootstrap: Bootstrap, settings: dict[str, float] | None = None) -> SplitQuality:
    """Quality on one split; sets of labels have counts for each label in place of a confusion matrix.

    `settings` are of a reference, to be written beside its figures.
    """
    data = answers.answered()
    columns = estimate_columns(class_statistic(data), data.group_count, bootstrap)
    gold, answer = data.indicators(data.gold) > 0, data.indicators(data.answer) > 0
    # where a row has one label the confusion matrix says the same
    counts: list[dict[str, int]] = [{}] * data.classes if answers.sets is None else two_by_two(gold, answer)
    per_class = {
        label: ClassQuality(
            precision=columns["precision"][place],
            recall=columns["recall"][place],
            f1=columns["f1"][place],
            support=int(gold[:, place].sum()),
            **counts[place],
        )
        for place, label in enumerate(answers.labels)
    }
    found = SplitQuality(
        measures=estimate(quality_statistic(data), data.group_count, bootstrap),
        rows=len(answers.prompts),
        groups=data.group_count,
        not_finite=int((~answers.finite).sum()),
        per_class=per_class,
    )
    if answers.sets is None:
        names = list(answers.labels)
        table = confusion_matrix(data.gold, data.answer, data.classes).tolist()
        found.confusion = Confusion(names, [*names, NO_LABEL_COLUMN], table)
    # an arm has no such key: null would read as a setting of it
    if settings is not None:
        found.settings = settings
    return found


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
        gold, answer = task.read(prompt.completion) or (), task.read(prediction.parsed or "")
        return [{"actual": _sign(label, gold), "predicted": _sign(label, answer)} for label in task.labels]
    if prediction.parsed is None and not prediction.label_logprobs:
        return [{"actual": REFERENCE, "predicted": REFERENCE if prediction.correct else ANOTHER_ANSWER}]
    return [{"actual": prompt.completion, "predicted": prediction.parsed or NO_LABEL_COLUMN}]


def _sign(label: str, named: Sequence[str] | None) -> str:
    return NO_LABEL_COLUMN if named is None else label if label in named else f"not {label}"


def _of_split(answers: Answers, split: Split) -> Answers:
    return answers.rows([row for row, prompt in enumerate(answers.prompts) if prompt.split == split])
