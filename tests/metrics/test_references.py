"""What needs no language model."""

import numpy as np
import pytest

from steady.metrics.references import LabelledTexts, majority, text_references, tfidf

LABELS = ("cat", "dog")
TRAIN = LabelledTexts(
    ["it purrs softly", "a purr at night", "it barks loudly", "one bark only"], ["cat", "cat", "dog", "dog"]
)
VALIDATION = LabelledTexts(["purr", "bark"], ["cat", "dog"])


def test_the_majority_is_the_commonest_training_label_with_its_share():
    found = majority(["dog", "cat", "dog"], 2, LABELS)
    assert found.answers == ["dog", "dog"]
    assert np.exp(found.logprobs) == pytest.approx(np.array([[1 / 3, 2 / 3]] * 2))


def test_a_tie_goes_to_the_first_label_of_the_list():
    assert majority(["dog", "cat"], 1, LABELS).answers == ["cat"]


def test_words_seen_in_training_decide():
    found = tfidf(TRAIN, VALIDATION, ["a bark", "it purrs"], LABELS, seed=0)
    assert found.answers == ["dog", "cat"]
    assert np.exp(found.logprobs).sum(axis=1) == pytest.approx([1.0, 1.0])
    assert found.settings["validation_accuracy"] == 1.0


def test_the_smallest_strength_wins_a_tie_on_validation():
    assert tfidf(TRAIN, VALIDATION, [], LABELS, seed=0, strengths=(10.0, 1.0)).settings["C"] == 1.0


def test_validation_chooses_the_strength():
    # the common word points the wrong way; only a weakly regularised model trusts the rare one
    train = LabelledTexts(["pet"] * 9 + ["pet bone"] * 2, ["cat"] * 9 + ["dog"] * 2)
    found = tfidf(train, LabelledTexts(["pet bone"], ["dog"]), ["pet bone"], LABELS, seed=0, strengths=(0.001, 100.0))
    assert (found.settings["C"], found.answers) == (100.0, ["dog"])


def test_one_training_label_gives_the_majority():
    found = text_references(LabelledTexts(["a", "b"], ["dog", "dog"]), VALIDATION, ["c"], LABELS, seed=0)
    assert found["tfidf"].answers == found["majority"].answers == ["dog"]


def test_texts_without_words_give_the_majority():
    found = tfidf(LabelledTexts(["?", "!", "!"], ["cat", "dog", "dog"]), VALIDATION, ["?"], LABELS, seed=0)
    assert found.answers == ["dog"]


def test_a_label_without_training_rows_keeps_its_column():
    found = tfidf(TRAIN, VALIDATION, ["a bark"], ("bird", *LABELS), seed=0)
    assert found.logprobs.shape == (1, 3)
    assert found.answers == ["dog"]


SEVERAL = ("cat", "dog", "cow")


def several(*texts: str, answers: str) -> LabelledTexts:
    return LabelledTexts(list(texts), answers.split("; "))


def test_the_majority_of_sets_is_every_label_of_half_the_rows():
    train = several("a", "b", "c", "d", answers="cat, dog; cat; dog; cat")
    found = text_references(train, train, ["x", "y"], SEVERAL, seed=0, multi_label=True)["majority"]
    assert found.answers == ["cat, dog"] * 2
    assert np.exp(found.logprobs[0]) == pytest.approx([0.75, 0.5, 0.0], abs=1e-12)
    assert text_references(several("a", "b", "c", answers="cat; none; none"), train, ["x"], SEVERAL, seed=0,
                           multi_label=True)["majority"].answers == ["none"]  # fmt: skip


def test_each_label_has_a_regression_of_its_own():
    train = several("purr", "bark", "purr bark", "silence", answers="cat; dog; cat, dog; none")
    found = text_references(train, train, ["bark purr", "silence"], SEVERAL, seed=0, multi_label=True)["tfidf"]
    assert found.answers == ["cat, dog", "none"] and found.settings["validation_accuracy"] == 1.0
    assert np.isfinite(found.logprobs).all() and np.exp(found.logprobs[:, 2]) == pytest.approx([0.0, 0.0], abs=1e-12)


def test_texts_without_words_give_the_majority_of_sets():
    train = several("?", "!", answers="cat, dog; cat")
    found = text_references(train, train, ["?"], SEVERAL, seed=0, multi_label=True)
    assert found["tfidf"].answers == found["majority"].answers == ["cat, dog"]
