"""A generated text read as the answer to a label task."""

import pytest

from steady.labels import LabelTask
from steady.metrics.text import read_answer

LABELS = ("Ads", "bug", "cost")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("bug, ads.", "Ads, bug"),
        ("BUG", "bug"),
        (" None. ", "none"),
        ("bug and ads", None),
        ("bug, dog", None),
        ("none, bug", None),
        ("bug,", None),
        ("", None),
    ],
)
def test_several_labels_are_read_between_commas_and_written_in_their_order(text: str, expected: str | None) -> None:
    assert read_answer(text, LabelTask(LABELS, multi_label=True)) == expected


def test_one_label_is_read_alone() -> None:
    assert read_answer("Bug.", LabelTask(LABELS)) == "bug" and read_answer("bug, ads", LabelTask(LABELS)) is None
