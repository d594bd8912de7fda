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

    Returns:
        The inverse regularisation strength `C` that was best on the validation prompts.
    """
    data, progress = run.data, run.params.runtime.progress and rank() == 0
    features = mean_pooled(model.encoder, tokenizer, run.params.format.max_length)
    texts = [data.prompts.prompt(index, 0) for index in range(len(data.prompts))]
    weight, bias, strength = (fit_label_probes if data.multi_label else fit_probe)(
        in_batches(features, texts, BATCH, progress),
        [example.output for example in data.prompts.examples],
        in_batches(features, [prompt.prompt for prompt in run.validation], BATCH, progress),
        [prompt.completion for prompt in run.validation],
        data.labels,
        strengths,
    )
    model.head = linear_head(weight, bias).to(model.device)
    return strength


def fit_probe(
    features: Features,
    gold: list[str],
    validation: Features,
    validation_gold: list[str],
    labels: tuple[str, ...],
    strengths: Sequence[float],
) -> tuple[Features, Features, float]:
    """Fit one regression for each `C` and keep the one with the lowest validation log loss (the smaller `C` on a tie).

    Args:
        features: `(rows, hidden)`; `validation` likewise.
        gold: a label for each row; every label of `labels` must occur.

    Returns:
        Weight `(labels, hidden)`, bias `(labels,)` and the chosen `C`.

    Raises:
        SteadyError: a label has no training row.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import log_loss

    # A class without a row would have no column, and its logit would be taken for that of another one.
    _check_occurs([label for label in labels if label not in gold])
    fitted = [LogisticRegression(C=strength, max_iter=2000).fit(features, gold) for strength in sorted(strengths)]
    losses = [
        log_loss(validation_gold, model.predict_proba(validation), labels=list(model.classes_)) for model in fitted
    ]
    best = int(np.argmin(losses))
    return *_dense(fitted[best], labels), sorted(strengths)[best]


def fit_label_probes(
    features: Features,
    gold: list[str],
    validation: Features,
    validation_gold: list[str],
    labels: tuple[str, ...],
    strengths: Sequence[float],
) -> tuple[Features, Features, float]:
    """The same where a row may have several labels: one regression for each label, and one `C` for all of them.

    Raises:
        SteadyError: a label has no training row, or all of them have it.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.multiclass import OneVsRestClassifier

    task = LabelTask(labels, multi_label=True)
    targets, wanted = (np.asarray([task.target(answer) for answer in rows]) for rows in (gold, validation_gold))
    shares = targets.mean(axis=0)
    _check_occurs([label for label, share in zip(labels, shares, strict=True) if share == 0])
    if everywhere := [label for label, share in zip(labels, shares, strict=True) if share == 1]:
        raise SteadyError(f"data.labels: every training row has the label {', '.join(everywhere)}. Take it out.")
    fitted = [
        OneVsRestClassifier(LogisticRegression(C=strength, max_iter=2000)).fit(features, targets.astype(int))
        for strength in sorted(strengths)
    ]
    heads = [[np.concatenate([getattr(one, part) for one in model.estimators_]) for part in PARTS] for model in fitted]
    # Binary cross-entropy from logits: log(1 + exp(-z)) for a label that applies and log(1 + exp(z)) for one that does not.
    losses = [np.logaddexp(0, (1 - 2 * wanted) * (validation @ weight.T + bias)).mean() for weight, bias in heads]
    weight, bias = heads[int(np.argmin(losses))]
    return weight.astype(np.float32), bias.astype(np.float32), sorted(strengths)[int(np.argmin(losses))]


def _check_occurs(missing: list[str]) -> None:
    if missing:
        raise SteadyError(f"data.labels: no training row has the label {', '.join(missing)}. Add rows, or take it out.")


def _dense(model: Any, labels: tuple[str, ...]) -> tuple[Features, Features]:
    """Coefficients in label order; two classes, for which scikit-learn keeps one row, become two symmetric ones."""
    weight, bias = np.asarray(model.coef_), np.asarray(model.intercept_)
    # Halved, so that the difference of the two logits is the logit of the one row.
    if len(model.classes_) == 2:
        weight, bias = np.concatenate([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
    order = [list(model.classes_).index(label) for label in labels]
    return weight[order].astype(np.float32), bias[order].astype(np.float32)
