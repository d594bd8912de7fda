"""What needs no language model: the majority label, and TF-IDF with logistic regression."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from steady.labels import LabelTask
from steady.metrics.resampling import Floats, one_blas_thread

STRENGTHS = (0.1, 1.0, 10.0, 100.0)
MAX_ITERATIONS = 2000
NGRAMS = (1, 2)


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
    train: LabelledTexts,
    validation: LabelledTexts,
    texts: Sequence[str],
    labels: Sequence[str],
    seed: int,
    strengths: Sequence[float] = STRENGTHS,
    multi_label: bool = False,
) -> dict[str, Reference]:
    """Answers of `majority` and `tfidf` to `texts`, which are plain inputs without any prompt around them.

    Args:
        validation: chooses `C` of the regression: the highest accuracy, the smaller `C` on a tie.
        labels: the label list; the columns of the log-probabilities.
        multi_label: whether an answer may have several of the labels.
    """
    if multi_label:
        from steady.metrics.set_references import set_majority, set_tfidf

        task = LabelTask(tuple(labels), multi_label)
        return {
            "majority": set_majority(train, len(texts), task),
            "tfidf": set_tfidf(train, validation, texts, task, seed, strengths),
        }
    return {
        "majority": majority(train.labels, len(texts), labels),
        "tfidf": tfidf(train, validation, texts, labels, seed, strengths),
    }


def vectorizer() -> Any:
    """Word 1-2-gram TF-IDF, not fitted yet."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    return TfidfVectorizer(ngram_range=NGRAMS, sublinear_tf=True)


def majority(train_labels: Sequence[str], rows: int, labels: Sequence[str]) -> Reference:
    """The commonest training label (the first of the list on a tie), with the training shares as probabilities."""
    counts = Counter(train_labels)
    shares = np.asarray([counts[label] for label in labels], dtype=np.float64) / max(1, len(train_labels))
    logprobs = np.log(np.maximum(shares, np.finfo(np.float64).eps))
    return Reference([labels[int(shares.argmax())]] * rows, np.tile(logprobs, (rows, 1)), {})


def tfidf(
    train: LabelledTexts,
    validation: LabelledTexts,
    texts: Sequence[str],
    labels: Sequence[str],
    seed: int,
    strengths: Sequence[float] = STRENGTHS,
) -> Reference:
    """Word 1-2-gram TF-IDF and logistic regression; with one training label, or without words, it is the majority."""
    from sklearn.linear_model import LogisticRegression

    vectors = vectorizer()
    words = vectors.build_analyzer()
    if len(set(train.labels)) < 2 or not any(words(text) for text in train.texts):
        return majority(train.labels, len(texts), labels)
    seen, chosen_on = vectors.fit_transform(list(train.texts)), vectors.transform(list(validation.texts))
    best, best_accuracy, best_strength = None, -1.0, 0.0
    for strength in sorted(strengths):
        model = LogisticRegression(C=strength, max_iter=MAX_ITERATIONS, random_state=seed).fit(seen, list(train.labels))
        accuracy = float(np.mean(model.predict(chosen_on) == np.asarray(validation.labels)))
        if accuracy > best_accuracy:
            best, best_accuracy, best_strength = model, accuracy, strength
    assert best is not None
    logprobs = np.full((len(texts), len(labels)), np.log(np.finfo(np.float64).eps))
    if len(texts):
        columns = [list(labels).index(label) for label in best.classes_]
        logprobs[:, columns] = best.predict_log_proba(vectors.transform(list(texts)))
    answers = [labels[place] for place in logprobs.argmax(axis=1)]
    return Reference(answers, logprobs, {"C": best_strength, "validation_accuracy": best_accuracy})
