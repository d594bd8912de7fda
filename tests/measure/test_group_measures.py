"""The measures of a user's groups, by hand."""

import numpy as np
import pytest

from steady.measure.group_measures import KEYS, ROWS, judge
from steady.measure.group_measures import measured as measures_of
from steady.measure.matching import find_matcher
from steady.measure.prompt_files import AskedPrompt
from steady.metrics.matrices import ScoredGroup
from steady.metrics.measures import SENSITIVITY
from steady.metrics.resampling import Bootstrap
from steady.records import Prediction

BOOTSTRAP = Bootstrap(200, 0.95, 0)


def prompt(name: str, group: str, output: str = "", wording: str = "") -> AskedPrompt:
    return AskedPrompt(id=name, group_id=group, example_id=group, wording=wording, prompt=name, completion=output)


def answered(group: str, texts: list[str], matrix, outputs: list[str], wordings: list[str] | None = None):
    names = [f"{group}{n}" for n in range(len(texts))]
    prompts = {
        name: prompt(name, group, output, wording)
        for name, output, wording in zip(names, outputs, wordings or [""] * len(texts), strict=True)
    }
    predictions = tuple(
        Prediction(prompt_id=name, text=text, token_ids=list(text.encode()) or [0], logprob=-1.0)
        for name, text in zip(names, texts, strict=True)
    )
    return ScoredGroup(group, np.asarray(matrix, dtype=float), np.full(len(texts), 2.0), predictions), prompts


A, PROMPTS_A = answered("a", ["up", "UP"], [[-1, -5], [-3, -2]], ["up", "down"], ["w1", "w2"])
B, PROMPTS_B = answered("b", ["", "no"], [[-1, -1], [-1, -1]], ["no", "no"], ["w1", "w2"])


def measured(*groups, prompts=None, labels=()):
    judged = judge(groups, prompts or PROMPTS_A | PROMPTS_B, find_matcher("normalized"), labels)
    return measures_of(judged, BOOTSTRAP)


def test_two_groups_by_hand():
    found = measured(A, B)
    values = {name: item.value for name, item in found.measures.items()}
    psi = (abs(-3 + 1) / 2 + abs(-5 + 2) / 2) / 2
    assert values["posix"] == pytest.approx(psi / 2)
    assert values["agreement"] == 0.5
    assert values["consistent_groups"] == 0.5
    assert values["answer_entropy"] == 0.5
    assert values["accuracy"] == pytest.approx((0.5 + 0.5) / 2)
    assert values["worst_prompt_accuracy"] == 0
    assert values["unique_responses"] == 2
    assert values["spread"] == 0
    assert values["format_loss"] == 1 / 4
    assert (found.answers.right, found.answers.wrong, found.answers.unread, found.answers.empty) == (2, 1, 1, 1)
    assert [item.id for item in found.by_group] == ["a", "b"]


def test_every_measure_of_the_table_that_has_a_value_is_there():
    absent = {"pdr", "agreement_with_canonical", "posix_scaled"}  # they need a canonical wording, a temperature
    wanted = {KEYS.get(row.name, row.name) for row in SENSITIVITY} - absent
    assert set(measured(A, B).measures) == wanted | {"unique_responses"} <= set(ROWS)


def test_without_outputs_there_is_no_accuracy():
    group, prompts = answered("a", ["x", "y"], [[-1, -1], [-1, -1]], ["", ""])
    found = measured(group, prompts=prompts)
    assert found.by_group[0].accuracy is None
    assert not {"accuracy", "spread"} & set(found.measures)


def test_a_group_that_is_not_finite_is_counted_and_not_scored():
    group, prompts = answered("a", ["x", "y"], [[-1, np.nan], [-1, -1]], ["", ""])
    found = measured(group, B, prompts=prompts | PROMPTS_B)
    assert found.not_scored == {"not_finite": 1}
    assert found.measures["posix"].value == 0
    assert found.by_group[-1].fault == "not_finite"


def test_a_constant_model_is_flagged_and_a_right_one_is_not():
    groups = [answered(name, ["yes", "yes"], [[-1, -1]] * 2, [name, name]) for name in "abc"]
    prompts = {key: value for _, found in groups for key, value in found.items()}
    assert measured(*[group for group, _ in groups], prompts=prompts).degeneracy.degenerate
    assert not measured(A, B).degeneracy.degenerate
