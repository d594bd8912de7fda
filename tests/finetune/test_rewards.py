"""The reward of a short answer that keeps what was to be said; every number by hand or from sacrebleu."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sacrebleu.metrics.chrf import CHRF

from steady.finetune.preference.sampling import best_and_worst, concise_reward, length_factor

REFERENCE = "Boil the egg six minutes."


@pytest.mark.parametrize("words, factor", [(0, 1), (10, 1), (11, 0.9), (15, 0.5), (20, 0), (99, 0)])
def test_length_costs_nothing_up_to_the_limit_and_everything_at_twice_of_it(words, factor):
    assert length_factor(words, 10) == pytest.approx(factor)


def test_the_reward_is_the_product_for_the_best_reference():
    answer = "six minutes " + "well " * 4  # 6 words
    expected = CHRF().sentence_score(answer, [REFERENCE]).score / 100
    assert 0 < expected < 1
    assert concise_reward(answer, [REFERENCE, "Canberra"], limit=4) == pytest.approx(expected * 0.5)
    assert concise_reward(REFERENCE, ["Canberra", REFERENCE], limit=5) == pytest.approx(1)


def test_an_empty_answer_is_worth_less_than_any_that_shares_a_letter_run():
    assert concise_reward("", [REFERENCE], limit=4) == 0 < concise_reward("boiled", [REFERENCE], limit=4)


@given(st.text(), st.lists(st.text(), max_size=3), st.integers(1, 50))
def test_a_reward_is_between_0_and_1_and_the_limit_only_takes(answer, references, limit):
    reward = concise_reward(answer, references, limit)
    assert 0 <= reward <= concise_reward(answer, references, 10**6) <= 1


def test_the_best_and_the_worst_sample_make_a_pair_and_equals_make_none():
    assert best_and_worst(["a", "b", "c", "d"], [0.5, 1.0, 0.0, 1.0]) == ("b", "c")
    assert best_and_worst(["a", "b"], [0.3, 0.3]) is None
