"""Normal forms, MinHash candidates and disjoint sets."""

from copy import deepcopy

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from steady.prepare.duplicates import (
    Sets,
    band_hashes,
    bands,
    equal_runs,
    item_tokens,
    near_pairs,
    normal_form,
    similarity,
    text_hash,
)


def test_normal_form_ignores_case_space_and_compatible_characters() -> None:
    assert normal_form("  Straße\u00a0\tNo\ufb01 \uff21\n") == "strasse nofi a"
    assert normal_form("A  b") == normal_form("a\nB")


def test_a_hash_is_known() -> None:
    """Pinned: ids and splits rest on it."""
    assert text_hash("steady") == 8084009190768130082


def test_similarity_by_hand() -> None:
    assert similarity({"a", "b", "c"}, {"b", "c", "d"}) == 0.5
    assert similarity(set(), set()) == 0.0


def test_tokens_are_words_and_neighbours() -> None:
    assert item_tokens("", "a b c") == {"a", "b", "c", "a b", "b c"}
    assert item_tokens("do it", "") == {"do", "it", "do it"}


def test_a_short_input_counts_only_beside_the_same_instruction() -> None:
    same, other = item_tokens("name the capital of", "peru"), item_tokens("name the currency of", "peru")
    assert similarity(same, other) == 0.0 and similarity(same, item_tokens("name the capital of", "peru")) == 1.0
    long = "a text of more than eight words is an item by itself"
    assert similarity(item_tokens("sum up", long), item_tokens("translate", long)) == 1.0


def test_a_text_without_spaces_counts_by_characters() -> None:
    left, right = "今天天气很好我们一起去公园散步吧好不好", "今天天气很好我们一起去公园散步吧行不行"
    assert 0.5 < similarity(item_tokens("", left), item_tokens("", right)) < 1.0


def test_bands_find_a_pair_at_the_threshold_almost_surely() -> None:
    for threshold in (0.5, 0.7, 0.8, 0.9, 0.99, 1.0):
        count, rows = bands(threshold)
        assert count * rows <= 128 and 1 - (1 - threshold**rows) ** count >= 0.999
    assert bands(0.8) == (18, 5)


def near(texts: list[str], threshold: float = 0.8) -> tuple[set[tuple[int, int]], Sets]:
    documents, sets = [item_tokens("", text) for text in texts], Sets(len(texts))
    columns = band_hashes(documents, threshold).T
    return set(near_pairs(columns, np.arange(len(texts)), documents.__getitem__, threshold, sets)), sets


def test_near_duplicates_are_joined_and_others_are_not() -> None:
    words = [f"w{n}" for n in range(40)]
    texts = [" ".join(words), " ".join([*words[:-1], "other"]), " ".join(reversed(words)), "something else", "", ""]
    pairs, sets = near(texts)
    assert pairs == {(0, 1)} and sets.names().tolist() == [0, 0, 2, 3, 4, 5]


@settings(max_examples=30)
@given(st.integers(0, 1000), st.integers(30, 80))
def test_every_pair_found_reaches_the_threshold_and_a_changed_word_is_found(seed: int, length: int) -> None:
    draw = np.random.default_rng(seed)
    base = [[f"v{n}" for n in draw.integers(0, 5000, length)] for _ in range(8)]
    copies = [[*words[:5], "changed", *words[6:]] for words in base]
    pairs, _ = near([" ".join(words) for words in base + copies])
    assert pairs >= {(place, place + 8) for place in range(8)}


def test_equal_runs_by_hand() -> None:
    runs = [run.tolist() for run in equal_runs(np.array([5, 7, 5, 9, 7, 5], dtype=np.uint64))]
    assert runs == [[0, 2, 5], [1, 4]]
    assert not list(equal_runs(np.empty(0, dtype=np.uint64))) and not list(equal_runs(np.array([1], dtype=np.uint64)))


def test_sets_are_named_by_their_smallest_member() -> None:
    sets = Sets(6)
    for pair in ((4, 5), (5, 1), (1, 4)):
        sets.join(*pair)
    other = deepcopy(sets)
    other.join(0, 4)
    assert sets.names().tolist() == [0, 1, 2, 3, 1, 1] and other.names().tolist() == [0, 0, 2, 3, 0, 0]
