"""The probe: logistic regression on frozen, L2-normalised, mean-pooled features of the base encoder."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steady.errors import SteadyError
from steady.finetune.run import TrainingRun
from steady.inference.classifier import in_batches, mean_pooled
from steady.labels import LabelTask
from steady.models.pooled import PooledClassifier, linear_head
from steady.models.ranks import rank

Features = NDArray[np.float32]
PARTS = ("coef_", "intercept_")
HEAD_STRENGTHS = (0.01, 0.1, 1.0, 10.0, 100.0)  # values of `C` tried for the head from which an encoder is fine-tuned
BATCH = 64


def fit_head(model: PooledClassifier, tokenizer: Any, run: TrainingRun, strengths: Sequence[float]) -> float:
    """Put a probe, fitted on the wordings that the schedule gives the first epoch, in place of the model's head.
    Returns the inverse regularisation strength `C` that was best on the validation prompts.
    """
    data, progress = run.data, run.params.runtime.progress and rank() == 0
    features = mean_pooled(model.encoder, tokenizer, run.params.format.max_length)
    texts = [data.prompts.prompt(index, 0) for index in range(len(data.prompts))]
    weight, bias, strength = fit_probe(
        in_batches(features, texts, BATCH, progress),
        [example.output for example in data.prompts.examples],
        in_batches(features, [prompt.prompt for prompt in run.validation], BATCH, progress),
        [prompt.completion for prompt in run.validation],
        data.task,
        strengths,
    )
    model.head = linear_head(weight, bias).to(model.device)
    return strength


def fit_probe(
    features: Features,
    gold: list[str],
    validation: Features,
    validation_gold: list[str],
    task: LabelTask,
    strengths: Sequence[float],
) -> tuple[Features, Features, float]:
    """Fit a regression for each `C` and keep the one with the lowest validation loss (the smaller `C` on a tie): weight
    `(labels, hidden)`, bias `(labels,)` and the chosen `C`. Features are `(rows, hidden)`, `gold` the answers of the rows.

    Where a row may have several labels there is a regression for each label, and one `C` for all of them. SteadyError where a label
    has no training row or, where a row may have several, all of them.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import log_loss
    from sklearn.multiclass import OneVsRestClassifier

    _check_labels(gold, task)
    tried = []
    for strength in sorted(strengths):
        model: Any = LogisticRegression(C=strength, max_iter=2000)
        if task.multi_label:
            targets, wanted = (np.asarray([task.target(one) for one in rows]) for rows in (gold, validation_gold))
            model = OneVsRestClassifier(model).fit(features, targets.astype(int))
            weight, bias = (np.concatenate([getattr(one, part) for one in model.estimators_]) for part in PARTS)
            # Binary cross-entropy from logits: log(1 + exp(-z)) for a label that applies, log(1 + exp(z)) for one that does not.
            loss = np.logaddexp(0, (1 - 2 * wanted) * (validation @ weight.T + bias)).mean()
        else:
            model.fit(features, gold)
            weight, bias = (np.asarray(getattr(model, part)) for part in PARTS)
            # Of two classes scikit-learn has one row. Halved, so that the difference of the two logits is the logit of that row.
            if len(model.classes_) == 2:
                weight, bias = np.concatenate([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
            order = [list(model.classes_).index(label) for label in task.labels]
            weight, bias = weight[order], bias[order]
            loss = log_loss(validation_gold, model.predict_proba(validation), labels=list(model.classes_))
        tried.append((loss, strength, weight, bias))
    _, strength, weight, bias = min(tried, key=lambda one: one[0])
    return weight.astype(np.float32), bias.astype(np.float32), strength


def _check_labels(gold: Sequence[str], task: LabelTask) -> None:
    # A class without a row would have no column, and its logit would be taken for that of another one.
    named = [task.read(answer) or () for answer in gold]
    if missing := [label for label in task.labels if not any(label in labels for labels in named)]:
        raise SteadyError(f"data.labels: no training row has the label {', '.join(missing)}. Add rows, or take it out.")
    if everywhere := [label for label in task.labels if all(label in labels for labels in named)]:
        raise SteadyError(f"data.labels: every training row has the label {', '.join(everywhere)}. Take it out.")
