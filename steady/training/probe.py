"""The probe: logistic regression on frozen, L2-normalised, mean-pooled features of the base encoder."""

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from steady.errors import SteadyError
from steady.records import write_json
from steady.scoring.classify import Logits

Features = NDArray[np.float32]
CONFIG = "probe.json"
WEIGHTS = "probe.safetensors"


def fit_probe(
    features: Features,
    gold: list[str],
    validation: Features,
    validation_gold: list[str],
    labels: tuple[str, ...],
    strengths: list[float],
) -> tuple[NDArray[np.float32], NDArray[np.float32], float]:
    """Fit one regression for each `C` and keep the one with the lowest validation log loss (the smaller `C` on a tie).

    Args:
        features: `(rows, hidden)`; `validation` likewise.

    Returns:
        Weight `(labels, hidden)`, bias `(labels,)` and the chosen `C`.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import log_loss

    best: tuple[float, LogisticRegression, float] | None = None
    for strength in sorted(strengths):
        model = LogisticRegression(C=strength, max_iter=2000).fit(features, gold)
        loss = float(log_loss(validation_gold, model.predict_proba(validation), labels=list(model.classes_)))
        if best is None or loss < best[0]:
            best = (loss, model, strength)
    assert best is not None
    return *_dense(best[1], labels), best[2]


def _dense(model: "LogisticRegression", labels: tuple[str, ...]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:  # type: ignore[name-defined]  # noqa: F821
    """Coefficients in label order; two classes, for which scikit-learn keeps one row, become two symmetric ones."""
    weight, bias = np.asarray(model.coef_), np.asarray(model.intercept_)
    if len(model.classes_) == 2:
        weight, bias = np.concatenate([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
    order = [list(model.classes_).index(label) for label in labels]
    return weight[order].astype(np.float32), bias[order].astype(np.float32)


def save_probe(
    folder: Path, weight: Features, bias: Features, labels: tuple[str, ...], strength: float, base: str
) -> None:
    """Write `probe.json` and `probe.safetensors`."""
    from safetensors.numpy import save_file

    folder.mkdir(parents=True, exist_ok=True)
    save_file({"weight": np.ascontiguousarray(weight), "bias": np.ascontiguousarray(bias)}, folder / WEIGHTS)
    write_json(folder / CONFIG, {"base_model_name_or_path": base, "C": strength, "labels": list(labels)})


def load_probe(folder: Path, features: Logits, labels: tuple[str, ...], public_id: str) -> Logits:
    """Logits of the probe in `folder` on the features that `features` computes.

    Raises:
        SteadyError: there is no probe, or it was fitted for other labels or another base.
    """
    from safetensors.numpy import load_file

    if not (folder / CONFIG).is_file():
        raise SteadyError(
            f"{folder}: no probe ({CONFIG} is missing). Run `dvc repro` to fit it or `dvc pull` to fetch it."
        )
    config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    if (got := (tuple(config["labels"]), config["base_model_name_or_path"])) != (labels, public_id):
        raise SteadyError(
            f"{folder}: the probe was fitted for {got}, but the settings say {(labels, public_id)}. Fit it again."
        )
    tensors = load_file(folder / WEIGHTS)
    weight, bias = tensors["weight"], tensors["bias"]

    def score(prompts: list[str]) -> NDArray[np.float32]:
        logits: NDArray[np.float32] = features(prompts) @ weight.T + bias
        return logits

    return score
