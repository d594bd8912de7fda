import random
import re
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prompt_fixtures import protected_spans

from steady.prompts.families.spelling import NEIGHBOURS, OPERATORS, insert, keyboard, misspell, omit, transpose
from steady.prompts.parts import Part

WORDS = st.text("abcdefghijklmnopqrstuvwxyzABCDEÄéß", min_size=3, max_size=12)
PROTECTED = st.sampled_from(
    ["42", "3.14", "A320", "x@y.example", "https://u.example/p", "`some code`", "{slot}", "<name>"]
)
TEXTS = st.lists(st.one_of(WORDS, PROTECTED), min_size=1, max_size=14).map(" ".join)
SEEDS = st.integers(0, 10_000)


@given(WORDS, SEEDS)
def test_insert_adds_one_letter(word: str, seed: int) -> None:
    result = insert(word, random.Random(seed))
    assert len(result) == len(word) + 1
    assert word in {result[:place] + result[place + 1 :] for place in range(len(result))}


@given(WORDS, SEEDS)
def test_omit_drops_one_letter(word: str, seed: int) -> None:
    assert omit(word, random.Random(seed)) in {word[:place] + word[place + 1 :] for place in range(len(word))}


@given(WORDS, SEEDS)
def test_transpose_swaps_two_neighbours(word: str, seed: int) -> None:
    result = transpose(word, random.Random(seed))
    if len(set(word)) == 1:
        assert result == word[1:]
        return
    places = [place for place in range(len(word)) if word[place] != result[place]]
    assert Counter(result) == Counter(word)
    assert len(places) == 2 and places[1] == places[0] + 1


@given(WORDS, SEEDS)
def test_keyboard_replaces_one_letter_by_a_neighbour_and_keeps_its_case(word: str, seed: int) -> None:
    result = keyboard(word, random.Random(seed))
    if not set(word.lower()) & set(NEIGHBOURS):
        return
    [place] = [place for place in range(len(word)) if word[place] != result[place]]
    assert result[place].lower() in NEIGHBOURS[word[place].lower()]
    assert result[place].isupper() == word[place].isupper()


def test_a_word_in_another_script_has_two_letters_swapped_by_the_keyboard() -> None:
    assert sorted(keyboard("собака", random.Random(1))) == sorted("собака")
    assert keyboard("собака", random.Random(1)) != "собака"


def test_neighbours_are_those_of_a_qwerty_keyboard() -> None:
    assert {key: set(NEIGHBOURS[key]) for key in "qspm"} == {
        "q": set("wa"),
        "s": set("weadzx"),
        "p": set("ol"),
        "m": set("njk"),
    }
    assert {(b, a) for a, near in NEIGHBOURS.items() for b in near} == {
        (a, b) for a, near in NEIGHBOURS.items() for b in near
    }


@given(TEXTS, st.sampled_from(sorted(OPERATORS)), st.integers(1, 9), SEEDS)
def test_exactly_so_many_words_change_and_protected_spans_do_not(
    text: str, operator: str, strength: int, seed: int
) -> None:
    result = misspell([Part("input", text)], operator, strength, random.Random(seed))
    before, after = text.split(" "), result.split(" ")
    eligible = len(re.findall(r"(?<![^ ])[^\W\d_]{3,}(?![^ ])", text))
    assert sum(a != b for a, b in zip(before, after, strict=True)) == min(strength, eligible)
    assert protected_spans(result) == protected_spans(text)


@given(TEXTS, SEEDS)
def test_the_label_list_is_never_misspelt(text: str, seed: int) -> None:
    parts = [Part("text", "Choose "), Part("labels", "billing or other"), Part("text", ". "), Part("input", text)]
    assert " billing or other. " in misspell(parts, "mixed", 99, random.Random(seed))


def test_a_prompt_without_words_stays_as_it_is() -> None:
    assert misspell([Part("input", "42 of 3.14, ok?")], "omit", 4, random.Random(0)) == "42 of 3.14, ok?"


@pytest.mark.parametrize("operator", sorted(OPERATORS))
def test_the_same_seed_makes_the_same_mistakes(operator: str) -> None:
    parts = [Part("input", "several quite ordinary words in a row")]
    once, again, other = (misspell(parts, operator, 2, random.Random(seed)) for seed in ("s", "s", "t"))
    assert once == again != other
