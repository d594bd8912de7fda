"""POSIX: by hand, by its properties, and against the package that came with the paper."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from posix_package import posix_v001

from steady.metrics.posix import (
    Group,
    classifier_group,
    fit_temperature,
    group_fault,
    prompt_sensitivity,
    scaled_logprobs,
)

LOGPROB = st.floats(-50, 0)


@st.composite
def groups(draw, fewest=2, most=7):
    """A matrix, lengths and responses of one group."""
    size = draw(st.integers(fewest, most))
    matrix = draw(arrays(np.float64, (size, size), elements=LOGPROB))
    lengths = draw(arrays(np.float64, size, elements=st.integers(1, 30).map(float)))
    return Group(matrix, lengths, draw(st.lists(st.sampled_from("abc"), min_size=size, max_size=size)))


@st.composite
def label_logprobs(draw):
    shape = (draw(st.integers(2, 6)), draw(st.integers(2, 5)))
    return scaled_logprobs(draw(arrays(np.float64, shape, elements=st.floats(-8, 8))), 1.0)


def test_two_prompts_by_hand():
    # response 1 has 2 tokens, response 2 has 4: (|-3 - -1| / 2 + |-4 - -2| / 4) / (2 * 1)
    found = prompt_sensitivity([[-1, -4], [-3, -2]], [2, 4], ["a", "b"])
    assert found == pytest.approx((0.75, 0.0, 0.75))


def test_three_prompts_by_hand_split_by_equal_responses():
    matrix = [[-1, -1, -5], [-2, -2, -6], [-4, -4, -3]]
    # columns against their diagonal: (0, 1, 3) + (1, 0, 2) + (2, 3, 0); responses 1 and 2 are equal
    found = prompt_sensitivity(matrix, [1, 1, 1], ["x", "x", "y"])
    assert found == pytest.approx((12 / 6, 2 / 6, 10 / 6))


def test_equal_answers_with_different_confidence_are_sensitive_here_and_not_in_the_package():
    matrix = [[-0.1, -0.1], [-2.034, -2.034]]
    assert prompt_sensitivity(matrix, [2, 2], [[7, 1], [7, 1]]) == pytest.approx((0.967, 0.967, 0.0))
    assert posix_v001([matrix], 5) == 0.0


def test_the_package_formula_by_hand():
    # transposed: (|-4 - -1| + |-3 - -2|) / 5 / (2 * 1)
    assert posix_v001([[[-1, -4], [-3, -2]]], 5) == pytest.approx(0.4)


@given(st.lists(groups(), min_size=1, max_size=4), st.integers(1, 30))
def test_the_package_formula_equals_its_double_loop(many, max_new_tokens):
    values = []
    for group in many:
        matrix, size, total = group.matrix.tolist(), len(group.lengths), 0.0
        for i in range(size):
            for j in range(size):
                total += abs(matrix[j][i] - matrix[j][j]) / max_new_tokens
        values.append(total / (size * (size - 1)))
    assert posix_v001([group.matrix for group in many], max_new_tokens) == pytest.approx(np.mean(values), abs=1e-9)


@given(groups())
def test_psi_is_the_sum_of_its_parts_and_never_negative(group):
    found = prompt_sensitivity(*group)
    assert found.psi == pytest.approx(found.same + found.different)
    assert min(found) >= 0


@given(groups(), st.randoms(use_true_random=False))
def test_psi_ignores_the_order_of_the_prompts(group, random):
    order = random.sample(range(len(group.lengths)), len(group.lengths))
    shuffled = Group(group.matrix[np.ix_(order, order)], group.lengths[order], [group.responses[n] for n in order])
    assert prompt_sensitivity(*shuffled) == pytest.approx(prompt_sensitivity(*group))


@given(groups())
def test_a_model_blind_to_its_prompt_has_psi_zero(group):
    blind = np.tile(group.matrix[0], (len(group.lengths), 1))
    assert prompt_sensitivity(blind, group.lengths, group.responses) == (0.0, 0.0, 0.0)


@given(groups(), st.data())
def test_scoring_each_unique_response_once_changes_nothing(group, data):
    picks = data.draw(st.lists(st.integers(0, len(group.lengths) - 1), min_size=2, max_size=8))
    unique = sorted(set(picks))
    narrow = group.matrix[np.ix_(picks, unique)]  # prompts by unique responses
    expanded = narrow[:, [unique.index(pick) for pick in picks]]
    full = group.matrix[np.ix_(picks, picks)]
    lengths, responses = group.lengths[picks], [str(pick) for pick in picks]
    expected = prompt_sensitivity(full, lengths, responses)
    assert prompt_sensitivity(expanded, lengths, responses) == pytest.approx(expected)


@given(groups(), st.floats(1.5, 4))
def test_longer_responses_count_less(group, factor):
    assert prompt_sensitivity(group.matrix, group.lengths * factor, group.responses).psi == pytest.approx(
        prompt_sensitivity(*group).psi / factor
    )


def test_a_group_that_cannot_be_scored_is_refused_with_its_reason():
    with pytest.raises(ValueError, match="one_prompt"):
        prompt_sensitivity([[-1.0]], [1], ["a"])
    with pytest.raises(ValueError, match="as many responses"):
        prompt_sensitivity([[-1.0, -1.0], [-1.0, -1.0]], [1, 1], ["a"])
    with pytest.raises(ValueError, match="matrix"):
        group_fault(np.zeros((2, 3)), [1, 1])


def test_a_classifier_is_the_case_of_one_token_responses():
    logprobs = np.log([[0.7, 0.3], [0.4, 0.6]])
    group = classifier_group(logprobs)
    assert group.matrix == pytest.approx(np.log([[0.7, 0.3], [0.4, 0.6]]))
    assert list(group.responses) == [0, 1]
    by_hand = (abs(np.log(0.4) - np.log(0.7)) + abs(np.log(0.3) - np.log(0.6))) / 2
    assert prompt_sensitivity(*group).psi == pytest.approx(by_hand)


@given(label_logprobs(), st.integers(2, 5))
def test_a_classifier_that_ignores_the_wording_has_psi_zero(logprobs, prompts):
    assert prompt_sensitivity(*classifier_group(np.tile(logprobs[0], (prompts, 1)))).psi == 0


@given(label_logprobs())
def test_temperature_one_changes_nothing(logprobs):
    assert scaled_logprobs(logprobs, 1.0) == pytest.approx(logprobs, abs=1e-9)


@given(label_logprobs(), st.floats(0.2, 5))
def test_scaling_keeps_probabilities_and_answers(logprobs, temperature):
    scaled = scaled_logprobs(logprobs, temperature)
    assert np.exp(scaled).sum(axis=1) == pytest.approx(1.0)
    best = logprobs.max(axis=1)
    assert logprobs[np.arange(len(scaled)), scaled.argmax(axis=1)] == pytest.approx(best)


def test_a_higher_temperature_lowers_posix_with_the_same_answers():
    logprobs = scaled_logprobs(np.random.default_rng(0).normal(size=(6, 4)) * 3, 1.0)
    values = [prompt_sensitivity(*classifier_group(scaled_logprobs(logprobs, t))).psi for t in (1, 2, 4)]
    assert values == sorted(values, reverse=True)


def test_the_fitted_temperature_undoes_overconfidence():
    generator = np.random.default_rng(0)
    true = scaled_logprobs(generator.normal(size=(20_000, 4)) * 1.5, 1.0)
    gold = np.array([generator.choice(4, p=np.exp(row)) for row in true])
    assert fit_temperature(scaled_logprobs(true, 0.5), gold) == pytest.approx(2.0, rel=0.05)
    assert fit_temperature(true, gold) == pytest.approx(1.0, rel=0.05)


def test_the_temperature_of_a_faultless_model_stops_at_the_bound():
    logprobs = scaled_logprobs(np.eye(3)[[0, 1, 2, 0]], 1.0)
    assert fit_temperature(logprobs, [0, 1, 2, 0]) == pytest.approx(0.05, rel=1e-3)


def test_a_temperature_needs_finite_rows():
    with pytest.raises(ValueError, match="finite"):
        fit_temperature([[np.nan, 0.0]], [0])
    with pytest.raises(ValueError, match="finite"):
        fit_temperature(np.zeros((0, 2)), [])
