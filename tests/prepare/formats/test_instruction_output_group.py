"""`instruction-output-group`."""


def test_a_row_names_its_group(read) -> None:
    rows = [
        {"instruction": "a", "output": "x", "group_id": "g1"},
        {"instruction": "b", "input": "i", "output": "x", "group_id": "g1"},
    ]
    drafts = read("instruction-output-group", rows).drafts
    assert [(draft.instruction, draft.input, draft.output, draft.group) for draft in drafts] == [
        ("a", "", "x", "g1"),
        ("b", "i", "x", "g1"),
    ]


def test_a_row_without_group_is_rejected(read) -> None:
    assert read("instruction-output-group", [{"instruction": "a", "output": "x"}]).findings == [(1, "missing_field")]


def test_a_group_may_be_a_number(read) -> None:
    assert read("instruction-output-group", [{"instruction": "a", "output": "x", "group_id": 7}]).drafts[0].group == "7"
