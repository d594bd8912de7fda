"""Which texts count as paraphrases, each reason by name, numbers by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from steady.paraphrase.judging import Draw, Filters, cleaned, judge, kept_spans, word_distance

ORIGINAL = "Name the capital of Peru."
LOOSE = Filters(min_similarity=-1, min_distance=0.2)


def alike(texts):
    return np.ones((len(texts), 1), np.float32)


def codes(original, texts, known=(), filters=LOOSE, embed=alike):
    return [item.code for item in judge(original, [Draw(text, True) for text in texts], known, filters, embed)]


def test_the_distance_counts_edits_of_words_over_the_longer_text():
    assert word_distance("Name the capital", "name the capital") == 0
    assert word_distance("a b c d", "a x c") == pytest.approx(2 / 4)
    assert word_distance("a b", "c d e") == 1 and word_distance("", "") == 0


@given(st.text(max_size=30), st.text(max_size=30))
def test_the_distance_is_symmetric_and_lies_between_0_and_1(one, other):
    assert word_distance(one, other) == word_distance(other, one)
    assert 0 <= word_distance(one, other) <= 1


def test_each_reason_to_reject_has_its_code_and_what_is_kept_has_its_figures():
    texts = ["", "Name a capital of Peru.", "NAME THE CAPITAL OF PERU.", "Peru's capital city: what is it?"]
    found = judge(ORIGINAL, [Draw(text, True) for text in texts], (), LOOSE, alike)
    assert [item.code for item in found] == ["empty", "too_close", "unchanged", None]
    assert found[3].similarity == 1.0 and found[3].distance == 0.9  # one of ten words and marks stays
    assert found[3].sample == 3


def test_a_text_far_in_meaning_is_rejected_with_its_similarity():
    def turned(texts):
        return np.asarray([[1.0, 0.0], *[[0.6, 0.8]] * (len(texts) - 1)], np.float32)

    (item,) = judge(ORIGINAL, [Draw("Bring me some cheese now", True)], (), Filters(0.7, 0.2), turned)
    assert item.code == "too_far" and item.similarity == 0.6 and "0.7" in item.reason
    assert codes(ORIGINAL, ["Bring me some cheese now"], filters=Filters(0.5, 0.2), embed=turned) == [None]


def test_a_text_that_is_not_a_number_in_meaning_is_never_kept():
    def broken(texts):
        return np.full((len(texts), 1), np.nan, np.float32)

    assert codes(ORIGINAL, ["Which city governs Peru?"], filters=Filters(-1, 0.2), embed=broken) == ["too_far"]


def test_a_repetition_of_a_wording_that_is_there_or_of_an_earlier_draw_is_a_duplicate():
    texts = ["Which city is Peru's capital?", "which city is Peru's CAPITAL", "Tell me Peru's capital"]
    assert codes(ORIGINAL, texts, known=[ORIGINAL, "Tell me Peru's capital."]) == [None, "duplicate", "duplicate"]


@pytest.mark.parametrize(
    ("original", "text"),
    [
        ("Name 3 cities of Peru.", "List four towns that lie in Peru."),
        ("Name 3 cities of Peru.", "List 3 or 4 towns that lie in Peru."),
        ('Translate "good day" into Quechua.', 'How would "good morning" sound in Quechua?'),
        ("Give {labels} for the ticket {input}.", "Pick one of {labels} for this text."),
        ("Run `make test` and report.", "Report on the tests after running them."),
        ("Write to a@b.org about it.", "Send them an e-mail on this matter."),
    ],
)
def test_numbers_quotations_slots_code_and_addresses_stay(original, text):
    assert codes(original, [text]) == ["span_changed"]


def test_spans_may_move_and_words_can_be_protected_by_name():
    assert codes("Put {input} into {labels}.", ["Of {labels}, which one fits this: {input}?"]) == [None]
    strict = Filters(-1, 0.2, ("billing",))
    assert codes("Is it billing or not?", ["Does it concern invoices at all?"], filters=strict) == ["span_changed"]
    assert codes("Is it billing or not?", ["Does this concern billing at all?"], filters=strict) == [None]
    assert kept_spans("it’s 5 o'clock, isn't it") == {"5": 1}


def test_what_a_model_puts_around_its_answer_is_taken_off():
    assert cleaned(' Rewritten instruction: "Which city?" \n\nInstruction: more', "Name it.") == "Which city?"
    assert cleaned("Paraphrase:\nTell me\nmore", "Name it.") == "Tell me"
    assert cleaned("One:\n\n{input}", "A:\n{input}") == "One:\n\n{input}"
    assert cleaned('"A" or "B"?', "x") == '"A" or "B"?'


def test_an_answer_cut_at_the_limit_counts_only_where_its_line_had_ended():
    draws = [Draw("Which city is the capital of", False), Draw("Which city governs Peru?\nInstruction: Na", False)]
    assert [item.code for item in judge(ORIGINAL, draws, (), LOOSE, alike)] == ["unfinished", None]
