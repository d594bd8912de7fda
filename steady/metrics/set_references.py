"""The references of a task whose rows have several labels: each label by its majority, and TF-IDF with one regression a label."""

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from steady.labels import LabelTask
from steady.metrics.references import MAX_ITERATIONS, STRENGTHS, LabelledTexts, Reference, vectorizer
from steady.metrics.resampling import Floats

LOWEST = float(np.finfo(np.float64).eps)


def set_majority(train: LabelledTexts, rows: int, task: LabelTask) -> Reference:
    """Every label that at least half of the training rows have, with the training shares as probabilities."""
    shares = _targets(train, task).mean(axis=0) if len(train.labels) else np.zeros(len(task.labels))
    return _reference(np.tile(shares, (rows, 1)), task, {})


def set_tfidf(
    train: LabelledTexts,
    validation: LabelledTexts,
    texts: Sequence[str],
    task: LabelTask,
    seed: int,
    strengths: Sequence[float] = STRENGTHS,
) -> Reference:
    """Word 1-2-gram TF-IDF and one logistic regression for each label; without words it is the majority.

    Validation chooses one `C` for all labels: the most sets right, the smaller `C` on a tie. A label that all training rows
    have, or none, has that as its probability.
    """
    vectors = vectorizer()
    words = vectors.build_analyzer()
    if not any(words(text) for text in train.texts):
        return set_majority(train, len(texts), task)
    seen, chosen_on = vectors.fit_transform(list(train.texts)), vectors.transform(list(validation.texts))
    right = _targets(validation, task) > 0.5
    best, best_accuracy, best_strength = None, -1.0, 0.0
    for strength in sorted(strengths):
        model = _fit(seen, _targets(train, task), strength, seed)
        accuracy = float(((model.predict_proba(chosen_on) >= 0.5) == right).all(axis=1).mean())
        if accuracy > best_accuracy:
            best, best_accuracy, best_strength = model, accuracy, strength
    assert best is not None
    found = best.predict_proba(vectors.transform(list(texts))) if len(texts) else np.zeros((0, len(task.labels)))
    return _reference(found, task, {"C": best_strength, "validation_accuracy": best_accuracy})


def _targets(rows: LabelledTexts, task: LabelTask) -> Floats:
    return np.asarray([task.target(answer) for answer in rows.labels], dtype=np.float64)


def _fit(features: Any, targets: Floats, strength: float, seed: int) -> Any:
    from sklearn.linear_model import LogisticRegression
    from sklearn.multiclass import OneVsRestClassifier

    one = LogisticRegression(C=strength, max_iter=MAX_ITERATIONS, random_state=seed)
    with warnings.catch_warnings():  # it says that a label is constant, which is what we want of it
        warnings.filterwarnings("ignore", message="Label .* is present in", category=UserWarning)
        return OneVsRestClassifier(one).fit(features, targets.astype(int))


def _reference(probabilities: Floats, task: LabelTask, settings: dict[str, float]) -> Reference:
    logprobs = np.log(np.clip(probabilities, LOWEST, 1 - LOWEST))
    return Reference([task.answer(row)[0] for row in logprobs], logprobs, settings)
