"""From records to arrays."""

import numpy as np
import pytest

from steady.errors import SteadyError
from steady.metrics.answers import normalised, numbered, read_answers
from steady.metrics.quality import NO_LABEL
from steady.records import Prediction


def test_values_are_numbered_in_order_of_appearance():
    codes, distinct = numbered(["b", "a", "b"])
    assert (codes.tolist(), distinct) == ([0, 1, 0], ["b", "a"])


def test_raw_text_is_compared_without_case_width_or_white_space():
    assert normalised("  Ｎot\n SURE ") == "not sure"


def test_answers_gold_and_correctness(prompt, prediction, labels):
    asked = [prompt("g1", "canonical", "cat"), prompt("g2", "canonical", "dog"), prompt("g2", "surface/a", "dog")]
    found = read_answers(
        asked, [prediction(asked[0], "cat"), prediction(asked[1], "bird"), prediction(asked[2], None)], labels
    )
    assert found.gold.tolist() == [0, 1, 1]
    assert found.answer.tolist() == [0, 2, NO_LABEL]
    assert found.correct.tolist() == [1.0, 0.0, 0.0]
    assert found.failed.tolist() == [False, False, True]
    assert found.texts == ("cat", "bird", "i am not sure")
    assert found.answered().groups.tolist() == [0, 1, 1]


def test_a_parsed_text_that_is_no_label_is_a_failure(prompt, prediction, labels):
    asked = [prompt("g1", "canonical", "cat")]
    answer = prediction(asked[0], "cat")
    odd = Prediction(prompt_id=answer.prompt_id, text="Fish", parsed="fish", label_logprobs=answer.label_logprobs)
    found = read_answers(asked, [odd], labels)
    assert (found.failed.tolist(), found.correct.tolist()) == ([True], [0.0])


def test_rows_that_are_not_finite_are_failures_whatever_they_say(prompt, prediction, labels):
    asked = [prompt("g1", "canonical", "cat")]
    broken = Prediction(
        prompt_id=asked[0].id, text="cat", parsed="cat", label_logprobs=[float("nan")] * 3, correct=True
    )
    found = read_answers(asked, [broken], labels)
    assert (found.finite.tolist(), found.failed.tolist(), found.correct.tolist()) == ([False], [True], [0.0])


def test_free_text_keeps_the_judgement_of_the_prediction_and_fails_only_when_empty(prompt):
    asked = [prompt("g1", "canonical", "42"), prompt("g1", "surface/a", "42"), prompt("g1", "surface/b", "42")]
    given = [("It is 42.", True), ("", None), ("it  is 42.", False)]
    answers = [
        Prediction(prompt_id=p.id, text=text, correct=right) for p, (text, right) in zip(asked, given, strict=True)
    ]
    found = read_answers(asked, answers, [])
    assert found.correct.tolist() == [1.0, 0.0, 0.0]
    assert found.failed.tolist() == [False, True, False]
    assert found.codes.tolist() == [0, 1, 0]
    assert found.logprobs is None


def test_some_rows_keep_their_order(prompt, prediction, labels):
    asked = [prompt(f"g{n}", "canonical", label) for n, label in enumerate(labels)]
    found = read_answers(asked, [prediction(p, "cat") for p in asked], labels).rows([2, 0])
    assert [p.group_id for p in found.prompts] == ["g2", "g0"]
    assert found.gold.tolist() == [2, 0]
    assert np.allclose(np.exp(found.logprobs).sum(axis=1), 1)


def test_predictions_of_other_prompts_are_refused(prompt, prediction, labels):
    asked = [prompt("g1", "canonical", "cat"), prompt("g2", "canonical", "dog")]
    answers = [prediction(p, "cat") for p in asked]
    with pytest.raises(SteadyError, match="1 predictions for 2 prompts"):
        read_answers(asked, answers[:1], labels)
    with pytest.raises(SteadyError, match="line 1: the prediction is for prompt g2"):
        read_answers(asked, answers[::-1], labels)


def test_a_gold_label_outside_the_list_and_a_wrong_number_of_probabilities_are_named(prompt, prediction, labels):
    asked = [prompt("g1", "canonical", "fish")]
    with pytest.raises(SteadyError, match="gold label 'fish' is not one of cat, dog, bird"):
        read_answers(asked, [prediction(asked[0], "cat")], labels)
    asked = [prompt("g1", "canonical", "cat")]
    with pytest.raises(SteadyError, match="2 label log-probabilities for 3 labels"):
        read_answers(asked, [prediction(asked[0], "cat", labels=["cat", "dog"])], labels)
