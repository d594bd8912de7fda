"""The probe: logistic regression on frozen, L2-normalised, mean-pooled features of the base encoder."""

import numpy as np
from numpy.typing import NDArray

from steady.errors import SteadyError
from steady.labels import LabelTask

Features = NDArray[np.float32]
PARTS = ("coef_", "intercept_")


def fit_probe(
    features: Features,
    gold: list[str],
    validation: Features,
    validation_gold: list[str],
    labels: tuple[str, ...],
    strengths: list[float],
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
    strengths: list[float],
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
    losses = [np.logaddexp(0, (1 - 2 * wanted) * (validation @ weight.T + bias)).mean() for weight, bias in heads]
    weight, bias = heads[int(np.argmin(losses))]
    return weight.astype(np.float32), bias.astype(np.float32), sorted(strengths)[int(np.argmin(losses))]


def _check_occurs(missing: list[str]) -> None:
    if missing:
        raise SteadyError(f"data.labels: no training row has the label {', '.join(missing)}. Add rows, or take it out.")


def _dense(model: "LogisticRegression", labels: tuple[str, ...]) -> tuple[Features, Features]:  # type: ignore[name-defined]  # noqa: F821
    """Coefficients in label order; two classes, for which scikit-learn keeps one row, become two symmetric ones."""
    weight, bias = np.asarray(model.coef_), np.asarray(model.intercept_)
    if len(model.classes_) == 2:
        weight, bias = np.concatenate([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
    order = [list(model.classes_).index(label) for label in labels]
    return weight[order].astype(np.float32), bias[order].astype(np.float32)
