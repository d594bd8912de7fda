"""How hard a labelled file is: for a rule of key words, and for TF-IDF with logistic regression."""

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

# The words that someone would list who has read none of the tickets. A ticket gets the label with most hits,
# the first of them on a tie, and `other` without a hit.
KEY_WORDS = {
    "billing": ("bill", "invoice", "charge", "refund", "payment", "paid", "price", "card", "subscription"),
    "technical": ("error", "crash", "bug", "app", "screen", "update", "install", "freeze", "not working"),
    "account": ("account", "password", "login", "log in", "sign in", "username", "email", "e-mail", "profile"),
    "shipping": ("delivery", "deliver", "parcel", "package", "courier", "shipping", "shipped", "tracking", "arrived"),
}
NO_HIT = "other"
FOLDS = 5
LONGEST_NGRAMS = (1, 2)  # words alone, and words with pairs of words
STRENGTHS = (1.0, 10.0)  # inverse regularisation strength C; the best of the four models counts


def key_word_label(text: str) -> str:
    """The label that the key-word rule gives to a ticket; a key word counts where a word begins with it."""
    hits = {
        label: sum(len(re.findall(rf"\b{re.escape(word)}", text.lower())) for word in words)
        for label, words in KEY_WORDS.items()
    }
    best = max(hits, key=lambda label: hits[label])
    return best if hits[best] else NO_HIT


def key_word_errors(texts: Sequence[str], labels: Sequence[str]) -> int:
    """The number of tickets that the key-word rule gets wrong."""
    return sum(key_word_label(text) != label for text, label in zip(texts, labels, strict=True))


def majority_accuracy(labels: Sequence[str]) -> float:
    """The share of the most frequent label."""
    return Counter(labels).most_common(1)[0][1] / len(labels)


def tfidf_accuracy(texts: Sequence[str], labels: Sequence[str]) -> float:
    """Accuracy of TF-IDF + logistic regression in stratified 5-fold cross-validation: the best of four settings."""
    from sklearn.model_selection import StratifiedKFold, cross_val_score
    from threadpoolctl import threadpool_limits

    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
    # Threads of BLAS get in each other's way on problems this small: 50 s on two busy cores against 6 s.
    with threadpool_limits(limits=1):
        return max(
            float(np.mean(cross_val_score(_tfidf_model(longest, strength), list(texts), list(labels), cv=folds)))
            for longest in LONGEST_NGRAMS
            for strength in STRENGTHS
        )


def _tfidf_model(longest: int, strength: float) -> Any:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    features = TfidfVectorizer(ngram_range=(1, longest), sublinear_tf=True)
    return make_pipeline(features, LogisticRegression(C=strength, max_iter=1000, tol=1e-3))
