"""What needs no language model."""

import numpy as np
import pytest

from steady.labels import LabelTask
from steady.metrics import references
from steady.metrics.references import LabelledTexts, majority, text_references, tfidf

TASK = LabelTask(("cat", "dog"))
TRAIN = LabelledTexts(
    ["it purrs softly", "a purr at night", "it barks loudly", "one bark only"], ["cat", "cat", "dog", "dog"]
)
VALIDATION = LabelledTexts(["purr", "bark"], ["cat", "dog"])


def test_the_majority_is_the_commonest_training_label_with_its_share():
    found = majority(LabelledTexts(["a", "b", "c"], ["dog", "cat", "dog"]), 2, TASK)
    assert found.answers == ["dog", "dog"]
    assert np.exp(found.logprobs) == pytest.approx(np.array([[1 / 3, 2 / 3]] * 2))


def test_a_tie_goes_to_the_first_label_of_the_list():
    assert majority(LabelledTexts(["a", "b"], ["dog", "cat"]), 1, TASK).answers == ["cat"]


def test_words_seen_in_training_decide():
    found = tfidf(TRAIN, VALIDATION, ["a bark", "it purrs"], TASK, seed=0)
    assert found.answers == ["dog", "cat"]
    assert np.exp(found.logprobs).sum(axis=1) == pytest.approx([1.0, 1.0])
    assert found.settings["validation_accuracy"] == 1.0


def test_the_smallest_strength_wins_a_tie_on_validation(monkeypatch):
    monkeypatch.setattr(references, "STRENGTHS", (10.0, 1.0))
    assert tfidf(TRAIN, VALIDATION, [], TASK, seed=0).settings["C"] == 1.0


def test_validation_chooses_the_strength(monkeypatch):
    monkeypatch.setattr(references, "STRENGTHS", (0.001, 100.0))
    # the common word points the wrong way; only a weakly regularised model trusts the rare one
    train = LabelledTexts(["pet"] * 9 + ["pet bone"] * 2, ["cat"] * 9 + ["dog"] * 2)
    found = tfidf(train, LabelledTexts(["pet bone"], ["dog"]), ["pet bone"], TASK, seed=0)
    assert (found.settings["C"], found.answers) == (100.0, ["dog"])


def test_one_training_label_gives_the_majority():
    found = text_references(LabelledTexts(["a", "b"], ["dog", "dog"]), VALIDATION, ["c"], TASK, seed=0)
    assert found["tfidf"].answers == found["majority"].answers == ["dog"]


def test_texts_without_words_give_the_majority():
    train = LabelledTexts(["?", "!", "!"], ["cat", "dog", "dog"])
    found = text_references(train, VALIDATION, ["?"], TASK, seed=0)["tfidf"]
    assert found.answers == ["dog"]


def test_a_label_without_training_rows_keeps_its_column():
    found = tfidf(TRAIN, VALIDATION, ["a bark"], LabelTask(("bird", "cat", "dog")), seed=0)
    assert found.logprobs.shape == (1, 3)
    assert found.answers == ["dog"]


SETS = LabelTask(("cat", "dog", "cow"), multi_label=True)


def several(*texts: str, answers: str) -> LabelledTexts:
    return LabelledTexts(list(texts), answers.split("; "))


def test_the_majority_of_sets_is_every_label_of_half_the_rows():
    train = several("a", "b", "c", "d", answers="cat, dog; cat; dog; cat")
    found = text_references(train, train, ["x", "y"], SETS, seed=0)["majority"]
    assert found.answers == ["cat, dog"] * 2
    assert np.exp(found.logprobs[0]) == pytest.approx([0.75, 0.5, 0.0], abs=1e-12)
    rarely = several("a", "b", "c", answers="cat; none; none")
    assert text_references(rarely, train, ["x"], SETS, seed=0)["majority"].answers == ["none"]


def test_each_label_has_a_regression_of_its_own():
    train = several("purr", "bark", "purr bark", "silence", answers="cat; dog; cat, dog; none")
    found = text_references(train, train, ["bark purr", "silence"], SETS, seed=0)["tfidf"]
    assert found.answers == ["cat, dog", "none"] and found.settings["validation_accuracy"] == 1.0
    assert np.isfinite(found.logprobs).all() and np.exp(found.logprobs[:, 2]) == pytest.approx([0.0, 0.0], abs=1e-12)


def test_texts_without_words_give_the_majority_of_sets():
    train = several("?", "!", answers="cat, dog; cat")
    found = text_references(train, train, ["?"], SETS, seed=0)
    assert found["tfidf"].answers == found["majority"].answers == ["cat, dog"]
