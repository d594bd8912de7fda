"""A document whose rows lie deeper is one finding that says what to write for `records`, on one line and on several."""

import json

import pytest

ROWS = [["one text", "a"], ["another", "b"]]


@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize(
    ("document", "records"),
    [
        ({"version": 1, "rows": ROWS}, "rows"),
        ({"version": {"of": 1}, "data": {"rows": ROWS}}, "data.rows"),
        (
            {"oos_train": ROWS, "train": ROWS, "val": ROWS, "test": ROWS},
            "{train: train, validation: val, test: test}",
        ),
        ({"data": {"training": ROWS, "test": ROWS}}, "{train: data.training, test: data.test}"),
        ({"train": ROWS, "notes": []}, "train"),
    ],
)
def test_where_the_rows_of_a_document_lie_is_said(read, document, records, indent) -> None:
    found = read("text-label", json.dumps(document, indent=indent).encode(), "rows.jsonl")
    assert len(found.rejected) == 1 and f"set `records: {records}`." in found.rejected[0].reason
