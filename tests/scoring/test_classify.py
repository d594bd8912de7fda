"""Batches of texts, and what is made of their logits."""

import numpy as np
from numpy.typing import NDArray

from steady.records import Prompt
from steady.scoring.classify import in_batches
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
