"""The reward of a short answer that keeps what was to be said; every number by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steady.training.rewards import best_and_worst, concise_reward, content_words, kept, length_factor, word_count


def test_content_words_are_distinct_lower_case_and_without_function_words():
    assert content_words("The kettle, the KETTLE and a 2nd cup!") == {"kettle", "2nd", "cup"}
    assert content_words("It is.") == {"it", "is"}, "where nothing else is left, all words count"
    assert content_words("…!") == frozenset()


def test_what_is_kept_is_the_share_of_the_best_references_content():
    reference = "Boil the egg six minutes."  # boil, egg, six, minutes
    assert kept("Six minutes, then cold water", [reference]) == 0.5
    assert kept("BOIL an egg for six minutes", [reference]) == 1.0
    assert kept("Canberra", [reference, "Canberra."]) == 1.0
    assert kept("", [reference]) == 0.0
    assert (kept("?!", ["?!"]), kept("no", ["?!"]), kept("anything", [])) == (1.0, 0.0, 0.0)


@pytest.mark.parametrize("words, factor", [(0, 1), (10, 1), (11, 0.9), (15, 0.5), (20, 0), (99, 0)])
def test_length_costs_nothing_up_to_the_limit_and_everything_at_twice_of_it(words, factor):
    assert length_factor(words, 10) == pytest.approx(factor)


def test_the_reward_is_the_product():
    answer = "six minutes " + "well " * 4  # 6 words, 2 of 4 content words
    assert concise_reward(answer, ["Boil the egg six minutes."], limit=4) == pytest.approx(0.5 * 0.5)
    assert concise_reward("", ["Boil the egg six minutes."], limit=4) == 0


@given(st.text(), st.lists(st.text(), max_size=3), st.integers(1, 50))
def test_a_reward_is_between_0_and_1_and_a_repeated_answer_is_worth_no_more(answer, references, limit):
    reward = concise_reward(answer, references, limit)
    assert 0 <= reward <= 1
    assert concise_reward(f"{answer} {answer}", references, limit) <= max(
        reward, *[kept(f"{answer} {answer}", references), 0]
    )
    assert word_count(f"{answer} {answer}") == 2 * word_count(answer)


def test_the_best_and_the_worst_sample_make_a_pair_and_equals_make_none():
    assert best_and_worst(["a", "b", "c", "d"], [0.5, 1.0, 0.0, 1.0]) == ("b", "c")
    assert best_and_worst(["a", "b"], [0.3, 0.3]) is None
