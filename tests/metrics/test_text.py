"""Exact match, ROUGE-L, chrF and labels read from text, by hand."""

import pytest

from steady.metrics.text import chrf, exact_match, read_label, rouge_l, word_count

LABELS = ["billing", "Sci/Tech", "account"]


def test_exact_match_ignores_case_and_white_space_and_an_empty_text_matches_nothing():
    assert exact_match(" Henrik\n AALTO ", ["Tobias", "Henrik Aalto"])
    assert not exact_match("Henrik Aalto.", ["Henrik Aalto"])
    assert not exact_match("  ", [""])


def test_rouge_l_is_the_f1_of_the_longest_common_subsequence_of_the_best_reference():
    # "the cat sat" and "a cat sat down" share "cat sat": precision 2/3, recall 2/4
    assert rouge_l("The cat sat!", ["no", "a cat sat down"]) == pytest.approx(2 * (2 / 3) * (2 / 4) / (2 / 3 + 2 / 4))
    assert rouge_l("", ["a"]) == 0.0


def test_rouge_l_counts_words_of_any_script():
    assert rouge_l("größe ist fünf", ["Größe ist fünf"]) == 1.0


def test_chrf_is_one_for_equal_texts_and_the_best_reference_counts():
    assert chrf("hello world", ["something else", "hello world"]) == pytest.approx(1.0)
    # one character: only unigrams count. Precision 1, recall 1/2: F2 = 5 * 1 * .5 / (4 * 1 + .5)
    assert chrf("a", ["ab"]) == pytest.approx(5 * 0.5 / 4.5, abs=1e-9)


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("billing", "billing"),
        (" Billing.\n", "billing"),
        ('"sci/tech"', "Sci/Tech"),
        ("billing account", None),
        ("", None),
        ("bill", None),
    ],
)
def test_a_label_is_read_only_where_the_text_is_the_label(text, label):
    assert read_label(text, LABELS) == label


def test_words_stand_between_white_space():
    assert word_count(" one  two\nthree-four ") == 3
