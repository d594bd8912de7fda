"""What needs no language model: the majority label, and TF-IDF with logistic regression."""

import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from steady.labels import Floats, LabelTask
from steady.metrics.resampling import one_blas_thread

STRENGTHS = (0.1, 1.0, 10.0, 100.0)
MAX_ITERATIONS = 2000
NGRAMS = (1, 2)
LOWEST = float(np.finfo(np.float64).eps)


class Reference(NamedTuple):
    """Answers of a reference to some texts: labels, natural-log probabilities `(texts, labels)`, and its chosen setting."""

    answers: list[str]
    logprobs: Floats
    settings: dict[str, float]


class LabelledTexts(NamedTuple):
    """Texts with an answer each: a label, or several as one text."""

    texts: Sequence[str]
    labels: Sequence[str]


@one_blas_thread()
def text_references(
    train: LabelledTexts, validation: LabelledTexts, texts: Sequence[str], task: LabelTask, seed: int
) -> dict[str, Reference]:
    """Answers of `majority` and `tfidf` to `texts`, which are plain inputs without any prompt around them.

    `validation` chooses `C` of the regression: the highest accuracy (of whole sets, where a row may have several labels), the
    smaller `C` on a tie.
    """
    commonest = majority(train, len(texts), task)
    fitted = tfidf(train, validation, texts, task, seed)
    return {"majority": commonest, "tfidf": commonest if fitted is None else fitted}


def majority(train: LabelledTexts, rows: int, task: LabelTask) -> Reference:
    """The commonest training label (the first on a tie), or all that at least half of the rows have, with the shares of the rows."""
    named = [task.read(answer) or () for answer in train.labels]
    shares = np.asarray([sum(label in labels for labels in named) for label in task.labels]) / max(1, len(named))
    return _answered(np.tile(shares, (rows, 1)), task, {})


def tfidf(
    train: LabelledTexts, validation: LabelledTexts, texts: Sequence[str], task: LabelTask, seed: int
) -> Reference | None:
    """Word 1-2-gram TF-IDF and logistic regression, one for each label where a row may have several.

    None where there is nothing to learn from: no words in the training texts, or one label alone.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectors = TfidfVectorizer(ngram_range=NGRAMS, sublinear_tf=True)
    # The vectorizer raises where no text has a word.
    words = vectors.build_analyzer()
    if not any(words(text) for text in train.texts) or (not task.multi_label and len(set(train.labels)) < 2):
        return None
    seen, chosen_on = vectors.fit_transform(list(train.texts)), vectors.transform(list(validation.texts))
    fitted = [(strength, _fit(seen, train, task, strength, seed)) for strength in STRENGTHS]
    # models themselves are not ordered: accuracy decides, then the smaller C
    scored = [(_accuracy(model, chosen_on, validation, task), -strength, model) for strength, model in fitted]
    accuracy, negative, best = max(scored, key=lambda entry: entry[:2])
    # a label without training rows keeps its column, at the lowest probability
    found = np.zeros((len(texts), len(task.labels)))
    if len(texts):
        columns = slice(None) if task.multi_label else [task.labels.index(label) for label in best.classes_]
        found[:, columns] = best.predict_proba(vectors.transform(list(texts)))
    return _answered(found, task, {"C": -negative, "validation_accuracy": accuracy})


def _fit(features: Any, train: LabelledTexts, task: LabelTask, strength: float, seed: int) -> Any:
    from sklearn.linear_model import LogisticRegression
    from sklearn.multiclass import OneVsRestClassifier

    model = LogisticRegression(C=strength, max_iter=MAX_ITERATIONS, random_state=seed)
    if not task.multi_label:
        return model.fit(features, list(train.labels))
    with warnings.catch_warnings():  # it warns of a label that all rows have, or none: that is its probability then
        warnings.filterwarnings("ignore", message="Label .* is present in", category=UserWarning)
        return OneVsRestClassifier(model).fit(features, _targets(train, task).astype(int))


def _accuracy(model: Any, features: Any, validation: LabelledTexts, task: LabelTask) -> float:
    if task.multi_label:
        right = _targets(validation, task) > 0.5
        return float(((model.predict_proba(features) >= 0.5) == right).all(axis=1).mean())
    return float(np.mean(model.predict(features) == np.asarray(validation.labels)))


def _targets(rows: LabelledTexts, task: LabelTask) -> Floats:
    return np.asarray([task.target(answer) for answer in rows.labels], dtype=np.float64)


def _answered(probabilities: Floats, task: LabelTask, settings: dict[str, float]) -> Reference:
    # of one of several labels 1 is clipped too: its absence has the probability 1 - p, and a logarithm as well
    logprobs = np.log(np.clip(probabilities, LOWEST, 1 - LOWEST if task.multi_label else 1.0))
    return Reference([task.answer(row)[0] for row in logprobs], logprobs, settings)
