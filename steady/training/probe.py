"""The probe: logistic regression on frozen, L2-normalised, mean-pooled features of the base encoder."""

import numpy as np
from numpy.typing import NDArray

from steady.errors import SteadyError

Features = NDArray[np.float32]


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

    if missing := [label for label in labels if label not in gold]:
        raise SteadyError(f"data.labels: no training row has the label {', '.join(missing)}. Add rows, or take it out.")
    fitted = [LogisticRegression(C=strength, max_iter=2000).fit(features, gold) for strength in sorted(strengths)]
    losses = [
        log_loss(validation_gold, model.predict_proba(validation), labels=list(model.classes_)) for model in fitted
    ]
    best = int(np.argmin(losses))
    return *_dense(fitted[best], labels), sorted(strengths)[best]


def _dense(model: "LogisticRegression", labels: tuple[str, ...]) -> tuple[Features, Features]:  # type: ignore[name-defined]  # noqa: F821
    """Coefficients in label order; two classes, for which scikit-learn keeps one row, become two symmetric ones."""
    weight, bias = np.asarray(model.coef_), np.asarray(model.intercept_)
    if len(model.classes_) == 2:
        weight, bias = np.concatenate([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
    order = [list(model.classes_).index(label) for label in labels]
    return weight[order].astype(np.float32), bias[order].astype(np.float32)
