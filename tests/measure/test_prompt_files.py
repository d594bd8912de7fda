"""A user's file of groups: what is read, and every fault with its line."""

import json

import pytest

from steady.errors import SteadyError
from steady.measure.prompt_files import fitting, read_prompt_file
from steady.scoring.groups import prompt_groups

GOOD = [
    {"group_id": "fruit", "prompt": "Name a fruit.", "output": "apple", "wording": "plain"},
    {"group_id": "fruit", "instruction": "Name one", "input": "fruit", "extra": 1},
    {"group_id": 7, "prompt": "2+2="},
    {"group_id": 7, "prompt": "2+2="},
]


def written(tmp_path, *rows):
    path = tmp_path / "prompts.jsonl"
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return path


def test_rows_become_prompts_in_groups(tmp_path):
    file = read_prompt_file(written(tmp_path, *GOOD))
    assert [group.id for group in prompt_groups(file.prompts)] == ["fruit", "7"]
    assert prompt_groups(file.prompts)[0].prompts == ("Name a fruit.", "Name one\n\nfruit")
    assert [(prompt.completion, prompt.wording) for prompt in file.prompts[:2]] == [("apple", "plain"), ("", "")]
    assert len({prompt.id for prompt in file.prompts}) == 4
    assert list(file.lines.values()) == [1, 2, 3, 4]


def test_ids_do_not_depend_on_the_order_of_rows(tmp_path):
    ids = {prompt.id for prompt in read_prompt_file(written(tmp_path, *GOOD)).prompts}
    assert {prompt.id for prompt in read_prompt_file(written(tmp_path, *reversed(GOOD))).prompts} == ids


def test_every_fault_is_named_with_its_line(tmp_path):
    path = written(
        tmp_path,
        GOOD[0],
        "{broken",
        {"prompt": "no group"},
        {"group_id": "a", "prompt": "  "},
        {"group_id": "a", "prompt": 3},
        "[]",
    )
    with pytest.raises(SteadyError) as raised:
        read_prompt_file(path)
    message = str(raised.value)
    for line, word in ((2, "not_json"), (3, "group_id"), (4, "blank"), (5, "must be a text"), (6, "object")):
        assert any(part.startswith(f"{path}:{line}: ") and word in part for part in message.splitlines()), (
            line,
            message,
        )


def test_a_file_without_variants_is_refused(tmp_path):
    with pytest.raises(SteadyError, match="no variants"):
        read_prompt_file(written(tmp_path, *({"group_id": n, "prompt": "x"} for n in range(3))))


def test_a_missing_file_shows_a_row(tmp_path):
    with pytest.raises(SteadyError, match="group_id"):
        read_prompt_file(tmp_path / "none.jsonl")


def test_prompts_that_do_not_fit_and_groups_of_one_are_left_out_by_name(tmp_path):
    rows = [
        *GOOD,
        {"group_id": "one", "prompt": "alone"},
        {"group_id": "pair", "prompt": "long"},
        {"group_id": "pair", "prompt": "short"},
    ]
    file = read_prompt_file(written(tmp_path, *rows))
    lengths = {prompt.id: 5 for prompt in file.prompts}
    lengths[file.prompts[1].id], lengths[file.prompts[5].id] = 0, 8
    groups, skipped = fitting(file, lengths, context=12, room=5)
    assert [group.id for group in groups] == ["7"]
    assert [(item.line, item.code) for item in skipped] == [
        (2, "empty_prompt"),
        (6, "too_long"),
        (1, "one_prompt"),
        (5, "one_prompt"),
        (7, "one_prompt"),
    ]
    assert "8 tokens and 5 for the response; the model has 12 positions" in skipped[1].reason
    assert fitting(file, lengths, None, 5)[0] != groups
