"""Batches of texts, and what is made of their logits."""

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from steady.inference.classifier import in_batches
from steady.labels import LabelTask
from steady.records import Prompt
from steady.scoring.classifying import label_groups
from steady.scoring.predictions import classify, log_softmax


def prompt(text: str, completion: str) -> Prompt:
    return Prompt(id=text, group_id=text, example_id=text, wording="canonical", prompt=text, completion=completion)


def test_rows_come_back_in_order_and_equal_texts_are_scored_once() -> None:
    asked: list[str] = []

    def score(texts: list[str]) -> NDArray[np.float32]:
        asked.extend(texts)
        return np.array([[len(text)] for text in texts], dtype=np.float32)

    texts = ["bb", "a", "dddd", "a", "ccc"]
    assert in_batches(score, texts, batch_size=2).ravel().tolist() == [2, 1, 4, 1, 3]
    assert asked == ["dddd", "ccc", "bb", "a"]


def test_log_softmax_is_right_for_logits_that_would_overflow() -> None:
    values = log_softmax(np.array([[1000.0, 1000.0 + np.log(3.0)]]))
    assert np.allclose(np.exp(values), [[0.25, 0.75]])


def test_predictions_hold_the_label_its_log_probability_and_whether_it_is_right() -> None:
    def score(texts: list[str]) -> NDArray[np.float32]:
        return np.array([[0.0, np.log(3.0)]] * len(texts), dtype=np.float32)

    found = classify(score, [prompt("x", "no"), prompt("y", "yes")], ["yes", "no"], batch_size=8)
    assert [row.parsed for row in found] == ["no", "no"]
    assert [row.correct for row in found] == [True, False]
    assert found[0].label_logprobs == [round(float(np.log(0.25)), 6), round(float(np.log(0.75)), 6)]
    assert found[0].logprob == found[0].label_logprobs[1]


def test_several_labels_are_one_answer_with_the_probability_of_the_set() -> None:
    """Logits log 9, log 3 and -log 3: probabilities .9, .75 and .25, so {a, b} has .9 x .75 x .75."""

    def score(texts: list[str]) -> NDArray[np.float32]:
        return np.array([[np.log(9), np.log(3), -np.log(3)], [-40, -1, -1]], dtype=np.float32)[: len(texts)]

    some, none = classify(score, [prompt("xx", "a, b"), prompt("y", "a")], "abc", batch_size=8, multi_label=True)
    assert (some.parsed, some.correct) == ("a, b", True) and (none.parsed, none.correct) == ("none", False)
    assert np.exp(some.logprob or 0) == pytest.approx(0.9 * 0.75 * 0.75, abs=1e-6)
    assert np.exp(some.label_logprobs) == pytest.approx([0.9, 0.75, 0.25], abs=1e-6)
    assert none.label_logprobs[0] == -40.0


def test_the_matrix_of_a_group_of_sets_has_the_log_probability_of_each_answer_under_each_prompt() -> None:
    def score(texts: list[str]) -> NDArray[np.float32]:
        return np.array([[2.0, -1.0], [2.0, 1.0]], dtype=np.float32)

    asked = [msgspec.structs.replace(prompt(text, "a"), group_id="g") for text in ("xx", "y")]
    found = classify(score, asked, "ab", batch_size=8, multi_label=True)
    (group,) = label_groups(asked, found, LabelTask(("a", "b"), multi_label=True))
    p, q, r = (1 / (1 + np.exp(-logit)) for logit in (2.0, -1.0, 1.0))
    assert np.exp(group.matrix) == pytest.approx(np.array([[p * (1 - q), p * q], [p * (1 - r), p * r]]), abs=1e-6)
    assert [item.logprob for item in found] == pytest.approx(np.diagonal(group.matrix), abs=1e-6)
