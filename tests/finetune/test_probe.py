"""Logistic regression on features."""

import numpy as np
import pytest

from steady.errors import SteadyError
from steady.finetune.classifier.probe import fit_probe
from steady.labels import LabelTask


def one_of(*labels: str) -> LabelTask:
    return LabelTask(labels)


def some_of(*labels: str) -> LabelTask:
    return LabelTask(labels, multi_label=True)


FEATURES = np.array([[1, 0], [0.9, 0.1], [0, 1], [0.1, 0.9]], dtype=np.float32)


def test_two_classes_give_a_row_each_with_opposite_logits() -> None:
    gold = ["b", "b", "a", "a"]
    weight, bias, _ = fit_probe(FEATURES, gold, FEATURES, gold, one_of("a", "b"), [1.0])
    logits = FEATURES @ weight.T + bias
    assert np.allclose(logits[:, 0], -logits[:, 1])
    assert logits.argmax(1).tolist() == [1, 1, 0, 0]


def test_columns_follow_the_label_list_not_the_alphabet() -> None:
    features = np.eye(3, dtype=np.float32)
    weight, bias, _ = fit_probe(features, ["c", "a", "b"], features, ["c", "a", "b"], one_of("c", "b", "a"), [100.0])
    assert (features @ weight.T + bias).argmax(1).tolist() == [0, 2, 1]


def test_validation_chooses_the_strength() -> None:
    gold, flipped = ["b", "b", "a", "a"], ["a", "a", "b", "b"]
    assert fit_probe(FEATURES, gold, FEATURES, gold, one_of("a", "b"), [0.01, 100.0])[2] == 100.0
    assert fit_probe(FEATURES, gold, FEATURES, flipped, one_of("a", "b"), [0.01, 100.0])[2] == 0.01


def test_a_label_without_a_training_row_is_named() -> None:
    with pytest.raises(SteadyError, match="no training row has the label c"):
        fit_probe(FEATURES, ["b", "b", "a", "a"], FEATURES, ["b", "b", "a", "a"], one_of("a", "b", "c"), [1.0])


SETS = ["a", "none", "a, b", "b"]
CORNERS = np.array([[1, 0], [0, 0], [1, 1], [0, 1]], dtype=np.float32)


def test_where_a_row_may_have_several_labels_each_has_a_regression() -> None:
    weight, bias, strength = fit_probe(CORNERS, SETS, CORNERS, SETS, some_of("b", "a"), [1.0, 1000.0])
    logits = CORNERS @ weight.T + bias
    assert (logits > 0).tolist() == [[False, True], [False, False], [True, True], [True, False]]
    assert (weight.shape, strength) == ((2, 2), 1000.0)


def test_validation_chooses_the_strength_of_all_labels() -> None:
    flipped = ["b", "a, b", "none", "a"]
    assert fit_probe(CORNERS, SETS, CORNERS, flipped, some_of("a", "b"), [0.01, 1000.0])[2] == 0.01


@pytest.mark.parametrize(
    ("gold", "message"),
    [(["a", "a", "none", "a"], "no training row has the label b"), (["a, b", "a", "a", "a"], "every training row has")],
)
def test_a_label_that_all_rows_have_or_none_is_named(gold: list[str], message: str) -> None:
    with pytest.raises(SteadyError, match=message):
        fit_probe(CORNERS, gold, CORNERS, gold, some_of("a", "b"), [1.0])
