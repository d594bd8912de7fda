"""The checks of the sample data pass on the committed data and fail on each kind of damage."""

import json
from pathlib import Path

import pytest

from checks import data, difficulty, rows, text, variety, wordings
from checks.rows import Bounds, Row

ROOT = Path(__file__).resolve().parent.parent


def as_rows(*texts: str) -> list[Row]:
    return [Row(line, {"text": value}) for line, value in enumerate(texts, start=1)]


def codes(findings) -> list[str]:
    return [finding.code for finding in findings]


@pytest.mark.parametrize("file", data.FILES, ids=lambda file: file.name)
def test_committed_sample_data_have_no_findings(file):
    assert data.check_file(ROOT / "data/raw", file) == []


@pytest.mark.parametrize("name, labels", [("tickets", data.TICKET_LABELS), ("news", data.NEWS_LABELS)])
def test_committed_wordings_have_no_findings(name, labels):
    assert list(wordings.check_bank(ROOT / f"data/raw/wordings/{name}.yaml", labels)) == []


def test_tickets_defeat_the_key_word_rule_often_enough():
    lines = (ROOT / "data/raw/tickets.jsonl").read_text(encoding="utf-8").splitlines()
    tickets = [json.loads(line) for line in lines]
    errors = difficulty.key_word_errors([row["text"] for row in tickets], [row["label"] for row in tickets])
    assert errors >= data.LEAST_KEY_WORD_ERRORS


@pytest.mark.parametrize(
    "raw, code",
    [
        (b'{"text": "caf\xe9", "label": "other"}', "encoding"),
        (b'{"text": "half', "json"),
        (b'{"label": "other", "text": "keys in another order"}', "keys"),
        (b'{"text": "one key only"}', "keys"),
        (b'{"text": "   ", "label": "other"}', "value"),
        (b'{"text": 3, "label": "other"}', "value"),
        (b"[1, 2]", "keys"),
    ],
)
def test_a_damaged_row_is_found_at_its_line(tmp_path, raw, code):
    path = tmp_path / "tickets.jsonl"
    path.write_bytes(b'{"text": "good", "label": "other"}\n' + raw + b"\n")
    found, findings = rows.read_rows(path, ("text", "label"))
    assert [(finding.line, finding.code) for finding in findings] == [(2, code)]
    assert [row.line for row in found] == [1]


def test_a_missing_file_and_an_empty_one_are_findings(tmp_path):
    assert codes(data.check_file(tmp_path, data.FILES[0])) == ["missing"]
    (tmp_path / "tickets.jsonl").write_bytes(b"")
    assert codes(data.check_file(tmp_path, data.FILES[0])) == ["empty"]


def test_an_unknown_label_and_a_missing_one_are_findings():
    found = [Row(1, {"label": "billing"}), Row(2, {"label": "bililng"})]
    assert codes(rows.balance("f", found, "label", ("billing", "other"), 1)) == ["label", "count"]


def test_lengths_are_counted_in_words_between_white_space():
    assert codes(rows.lengths("f", as_rows("one two three", "don't stop it now"), "text", Bounds(4, 90))) == ["length"]


def test_groups_of_three_and_groups_with_two_outputs_are_findings():
    three = [Row(line, {"group_id": "a", "output": "x"}) for line in (1, 2, 3)]
    four = [Row(line, {"group_id": "b", "output": "x" if line < 7 else "y"}) for line in (4, 5, 6, 7)]
    assert codes(rows.groups("f", three + four, Bounds(4, 8))) == ["group-size", "group-output"]


@pytest.mark.parametrize(
    "value, good",
    [
        ("Instruct: Hello?\nOutput: Hi.", True),
        ("Instruct: Hello?\n\nOutput: Hi.", True),
        ("Instruct: Hello? Output: Hi.", False),
        ("Instruct: \nOutput: Hi.", False),
        ("Instruct: Hello?\nOutput: Hi.\nInstruct: And you?\nOutput: Fine.", False),
    ],
)
def test_a_conversation_is_one_request_and_one_answer(value, good):
    assert (list(rows.conversations("f", as_rows(value))) == []) is good


def test_a_losing_answer_must_be_long_winded():
    pairs = [
        Row(1, {"chosen": "one two", "rejected": "one two three"}),
        Row(2, {"chosen": "a b", "rejected": "a b c d"}),
    ]
    assert [finding.line for finding in rows.longer("f", pairs, 2.0)] == [1]


def test_texts_that_differ_in_case_and_punctuation_are_duplicates():
    assert codes(variety.duplicates("f", as_rows("Where is it?", "where is it", "Where was it?"), "text")) == [
        "duplicate"
    ]


def test_a_near_duplicate_is_found_unless_it_is_in_the_same_group():
    first = "The parcel that I ordered on Monday has still not come to my house in the lane"
    second = "The parcel that I ordered on Tuesday has still not come to my house in the lane"
    found = [Row(1, {"text": first, "group_id": "a"}), Row(2, {"text": second, "group_id": "a"})]
    assert codes(variety.near_duplicates("f", found, "text")) == ["near-duplicate"]
    assert list(variety.near_duplicates("f", found, "text", "group_id")) == []


def test_a_run_of_six_words_may_be_in_three_rows_and_not_in_four():
    texts = [f"{name} would like to know where it is" for name in ("Ann", "Bob", "Cleo", "Dov")]
    assert list(variety.tics("f", as_rows(*texts[:3]), "text")) == []
    assert "phrase" in codes(variety.tics("f", as_rows(*texts), "text"))


def test_diversity_by_hand():
    # "a b c d e" has the runs abcd, bcde; "a b c d" has abcd: 2 distinct of 3.
    assert text.distinct_share(["a b c d e", "a b c d"]) == pytest.approx(2 / 3)
    assert text.compression_ratio(["word " * 1000]) > 50


def test_text_that_repeats_itself_is_out_of_bounds():
    same = ["please tell me where my parcel is today"] * 200
    findings = variety.diversity("f", same, Bounds(0.977, 1.0), Bounds(1.94, 2.44))
    assert codes(findings) == ["diversity", "diversity"]


@pytest.mark.parametrize("number, sizes", [(150, [150]), (200, [200]), (450, [200, 200, 200])])
def test_every_row_is_in_some_block(number, sizes):
    blocks = variety.blocks([str(index) for index in range(number)])
    assert [len(block) for block in blocks] == sizes
    assert {text for block in blocks for text in block} == {str(index) for index in range(number)}


BANK = """
task: t
labels: [yes-label, no-label]
canonical: a
instruction: "Say which: {labels}"
input_name: Letter
answer_name: Label
wordings:
  - {id: a, kind: terse, split: trained, template: "Read the customer letter carefully tonight: {input}"}
  - {id: b, kind: chatty, split: held_out, template: "%s {input}"}
"""


@pytest.mark.parametrize(
    "held_out, overlap",
    [
        ("Kindly read each customer letter carefully", False),
        ("Now read the customer's letter carefully", False),
        ("Do read that customer letter, carefully, for me", True),
    ],
)
def test_four_content_words_in_a_row_may_not_be_shared_with_training(tmp_path, held_out, overlap):
    path = tmp_path / "bank.yaml"
    path.write_text(BANK % held_out, encoding="utf-8")
    found = codes(wordings.check_bank(path, ("yes-label", "no-label")))
    assert ("overlap" in found) is overlap
    assert {"count", "kinds"} <= set(found)


def test_key_words_by_hand():
    assert (
        difficulty.key_word_label("Your invoice lists a refund, but the app crashed") == "billing"
    )  # a tie: the first
    assert difficulty.key_word_label("The parcel has an error") == "technical"
    assert difficulty.key_word_label("Do you sell gift wrap?") == "other"


def test_majority_by_hand():
    assert difficulty.majority_accuracy(["a", "a", "b", "c"]) == 0.5


def test_word_counts_learn_easy_labels_and_not_random_ones():
    easy = [f"{'sun' if index % 2 else 'rain'} number {index}" for index in range(60)]
    labels = ["dry" if index % 2 else "wet" for index in range(60)]
    assert difficulty.tfidf_accuracy(easy, labels) > 0.95
    assert difficulty.tfidf_accuracy([f"number {index}" for index in range(60)], labels) < 0.8
