"""`unnatural-instructions`: a hand-written file to the schema of its README."""

import pytest

INSTANCE = {"instruction_with_input": "Sort it. b a", "input": "b a", "constraints": "None.", "output": "a b"}


def test_constraints_belong_to_the_instruction_and_sep_is_a_line_break(read) -> None:
    row = {"instruction": "Sort it.", "instances": [INSTANCE | {"constraints": "Use commas.", "output": "a<sep>b"}]}
    (draft,) = read("unnatural-instructions", [row]).drafts
    assert (draft.instruction, draft.input, draft.output) == ("Sort it.\nUse commas.", "b a", "a\nb")


@pytest.mark.parametrize("more", [{}, {"reformulations": None}, {"reformulations": []}])
def test_reformulations_may_be_missing_null_or_empty(read, more) -> None:
    (draft,) = read("unnatural-instructions", [{"instruction": "Sort it.", "instances": [INSTANCE]} | more]).drafts
    assert draft.instruction == "Sort it." and draft.group.startswith("unnatural-")


def test_reformulations_are_variants_in_the_group_of_their_instance(read) -> None:
    reworded = {
        "instruction": "Order {INPUT} {please}.",
        "instruction_with_input": "x",
        "input": "b a",
        "output": "a b",
    }
    other = INSTANCE | {"input": "d c", "output": "c d"}
    row = {"instruction": "Sort it.", "instances": [INSTANCE, other], "reformulations": [reworded]}
    first, second, variant = read("unnatural-instructions", [row]).drafts
    assert variant.group == first.group != second.group
    assert (variant.instruction, variant.input, variant.output) == ("Order b a {please}.", "", "a b")


def test_faults_of_instances_and_reformulations_are_all_listed(read) -> None:
    row = {
        "instruction": "",
        "instances": [{"input": "a", "output": ""}],
        "reformulations": [3, {"instruction": 4, "output": "x"}],
    }
    codes = [code for _, code in read("unnatural-instructions", [row]).findings]
    assert codes == ["empty_text", "empty_output", "wrong_type", "wrong_type"]
