"""`instruction-input-output`: Dolly and the predictions of Self-Instruct."""


def test_an_input_may_be_missing_null_or_blank(read) -> None:
    rows = [
        {"instruction": " Do it. ", "output": " done\n"},
        {"instruction": "Do it.", "input": None, "output": "done"},
        {"instruction": "Do it.", "input": " ", "output": "done"},
    ]
    drafts = read("instruction-input-output", rows).drafts
    assert {(draft.instruction, draft.input, draft.output) for draft in drafts} == {("Do it.", "", "done")}


def test_an_empty_output_is_named_and_may_be_left_out(read) -> None:
    rows = [{"instruction": "a", "output": ""}, {"instruction": "b", "output": "x"}]
    assert read("instruction-input-output", rows).findings == [(1, "empty_output")]
    found = read("instruction-input-output", rows, leave_out=["empty_output"])
    assert found.left_out == {"empty_output": 1} and len(found.drafts) == 1 and not found.findings


def test_a_row_with_another_fault_beside_one_to_leave_out_is_rejected(read) -> None:
    found = read("instruction-input-output", [{"instruction": 3, "output": ""}], leave_out=["empty_output"])
    assert found.findings == [(1, "empty_output"), (1, "wrong_type")]


DOLLY = {"columns": {"input": "context", "output": "response"}}


def test_dolly_names_fields_otherwise_and_its_category_may_be_null(read) -> None:
    row = {"instruction": "When?", "context": "It began in 2000 [3].", "response": "2000", "category": None}
    (draft,) = read("instruction-input-output", [row], **DOLLY).drafts
    assert (draft.input, draft.output) == ("It began in 2000 [3].", "2000")


def test_real_dolly(read_file, real) -> None:
    drafts = read_file(
        real("dolly/DERIVED_dolly_15k_v1_rebuilt_from_docx.jsonl"), "instruction-input-output", **DOLLY
    ).drafts
    assert len(drafts) == 15_015 and sum(not draft.input for draft in drafts) == 10_417
    assert len(drafts) - len({draft.instruction for draft in drafts}) >= 234


def test_self_instruct_predictions_end_their_instruction_with_a_line_break(read) -> None:
    row = {"prompt": "p", "instruction": "Rewrite.\n", "input": "x", "response": " r", "target": "t"}
    (draft,) = read("instruction-input-output", [row], columns={"output": "target"}).drafts
    assert (draft.instruction, draft.output) == ("Rewrite.", "t")


def test_real_self_instruct_predictions(read_file, real) -> None:
    folder = real("self_instruct/human_eval/predictions")
    for path in sorted(folder.iterdir()):
        assert len(read_file(path, "instruction-input-output", columns={"output": "target"}).drafts) == 252
