"""`alpaca`: the array of Stanford Alpaca and what is odd in it."""

import json

import pytest

ROWS = [
    {"instruction": "Give three tips.", "input": "", "output": "1. Sleep\n2. Move\n3. Eat"},
    {"instruction": "Use {braces}\nand two lines.", "input": "{x}", "output": "a\tb"},
    {"instruction": "Say café.", "input": "<noinput>", "output": "café"},
    {"instruction": "Nothing to say.", "input": "", "output": ""},
]


def test_an_indented_array_in_escaped_ascii_without_a_final_line_break(read) -> None:
    found = read("alpaca", json.dumps(ROWS, indent=4).encode(), "alpaca.json")
    assert [(draft.instruction, draft.input, draft.line) for draft in found.drafts] == [
        ("Give three tips.", "", 2),
        ("Use {braces}\nand two lines.", "{x}", 7),
        ("Say café.", "", 12),
    ]
    assert found.drafts[1].output == "a\tb"
    assert found.findings == [(17, "empty_output")]


def test_the_same_as_json_lines(read) -> None:
    assert [draft.line for draft in read("alpaca", ROWS, leave_out=["empty_output"]).drafts] == [1, 2, 3]


@pytest.mark.parametrize(
    "text",
    [
        "No input",
        "Noinput",
        "<no input>",
        "No Input",
        "noinput",
        "No input.",
        "<No input>",
        "<No Input>",
        '"<noinput>"',
        "NoInput",
    ],
)
def test_an_input_that_says_there_is_none(read, text: str) -> None:
    assert read("alpaca", [{"instruction": "a", "input": text, "output": "b"}]).drafts[0].input == ""


@pytest.mark.parametrize("text", ["No input device was found", "nothing", "Input: no", "no"])
def test_an_input_that_only_begins_so_is_kept(read, text: str) -> None:
    assert read("alpaca", [{"instruction": "a", "input": text, "output": "b"}]).drafts[0].input == text


def test_control_characters_other_than_nul_are_kept(read) -> None:
    rows = [
        {"instruction": "a", "input": "", "output": "x\x0b\x1fy"},
        {"instruction": "b", "input": "", "output": "x\x00y"},
    ]
    found = read("alpaca", rows)
    assert found.drafts[0].output == "x\x0b\x1fy" and found.findings == [(2, "nul_character")]


def test_dolly_3k_has_one_more_key(read) -> None:
    (draft,) = read("alpaca", [{"instruction": "a", "category": "open_qa", "input": "", "output": "b"}]).drafts
    assert draft.output == "b"


def test_real_alpaca(read_file, real) -> None:
    found = read_file(real("alpaca/alpaca_data.json"), "alpaca", leave_out=["empty_output"])
    assert len(found) == 52_002 and len(found.drafts) == 51_974 and found.left_out == {"empty_output": 28}
    raw = json.loads(real("alpaca/alpaca_data.json").read_bytes())
    says_none = sum(
        row["input"].strip("<>\"'. ").replace(" ", "").lower() == "noinput" and row["output"] != "" for row in raw
    )
    assert says_none > 450
    empty = sum(row["input"].strip() == "" and row["output"] != "" for row in raw)
    assert sum(draft.input == "" for draft in found.drafts) >= empty + says_none
    assert max(len(draft.output) for draft in found.drafts) <= 4181
    assert sum("{" in draft.instruction or "{" in draft.input for draft in found.drafts) == 116
    assert len({draft.instruction for draft in found.drafts}) == 51_974
    lines = real("alpaca/alpaca_data.json").read_bytes().split(b"\n")
    assert all(lines[draft.line - 1] == b"    {" for draft in found.drafts)


def test_real_dolly_3k(read_file, real) -> None:
    drafts = read_file(real("dolly/dolly_3k.json"), "alpaca").drafts
    assert len(drafts) == 2996 and sum(not draft.input for draft in drafts) == 2562
