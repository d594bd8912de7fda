"""`text`: prompt and answer in one text."""


def test_the_last_separator_parts_prompt_and_answer(read) -> None:
    rows = [{"text": "Instruct: a?\nOutput: b\nInstruct: c?\nOutput:  d "}]
    (draft,) = read("text", rows, separator="\nOutput:", prompt_prefix="Instruct: ").drafts
    assert (draft.instruction, draft.output, draft.references) == ("a?\nOutput: b\nInstruct: c?", "d", ["d"])


def test_the_separator_may_stay_as_the_cue_of_the_prompt(read) -> None:
    (draft,) = read("text", [{"text": "Instruct: a?\nOutput: b"}], separator="\nOutput: ", keep_separator=True).drafts
    assert (draft.instruction, draft.output) == ("Instruct: a?\nOutput:", "b")


def test_a_text_without_the_separator_or_without_an_answer_is_rejected(read) -> None:
    rows = [{"text": "no answer here"}, {"text": "q\nOutput: "}, {"text": "\nOutput: a"}, {"text": ""}]
    found = read("text", rows, separator="\nOutput:")
    assert found.findings == [(1, "missing_separator"), (2, "empty_output"), (3, "empty_text"), (4, "empty_text")]
    assert "there is no '\\nOutput:' in 'no answer here'" in found.rejected[0].reason


def test_without_a_separator_all_of_it_is_the_answer(read) -> None:
    (draft,) = read("text", [{"text": "Once upon a time."}]).drafts
    assert (draft.instruction, draft.output) == ("", "Once upon a time.")


def test_oasst_text_exports_hold_a_json_string_a_line(read) -> None:
    assert [draft.output for draft in read("text", b'"How are you?"\n"And \\u00e9?"\n').drafts] == [
        "How are you?",
        "And é?",
    ]


def test_real_oasst_texts(read_file, real) -> None:
    folder = real("oasst1/open_assistant_export")
    assert len(read_file(folder / "en_100_text.jsonl", "text").drafts) == 100
    assert len(read_file(folder / "prompt_lottery_en_250_text.jsonl", "text").drafts) == 250


def test_real_instruction_induction_annotations(read_file, real) -> None:
    path = real("prompt_variants/instruction_induction/data/annotations")
    found = read_file(path / "*.json", "text", records="annotations")
    assert len(found.drafts) == 186 and len({draft.source for draft in found.drafts}) == 24


def test_real_benchmark_tasks_of_state_of_what_art(read_file, real) -> None:
    path = real("prompt_variants/state_of_what_art/code/benchmarks")
    columns = {"text": "word"}
    assert (
        len(read_file(path / "LMentry/*/ends_with_word.json", "text", records="examples", columns=columns).drafts)
        == 1000
    )
