"""`question-answer`: a label task with `data.labels`, free text without."""

import json


def test_with_labels_the_answer_is_a_label(read) -> None:
    (draft,) = read("question-answer", [{"question": "q", "answer": "Business"}], labels=("World", "Business")).drafts
    assert (draft.input, draft.output, draft.labels) == ("q", "Business", ["Business"])


def test_without_labels_the_answer_is_free_text(read) -> None:
    (draft,) = read("question-answer", [{"question": "q", "answer": "Forty two"}]).drafts
    assert (draft.input, draft.output, draft.labels, draft.references) == ("q", "Forty two", [], ["Forty two"])


def test_what_is_missing_is_named(read) -> None:
    assert read("question-answer", [{"question": " "}]).findings == [(1, "empty_text"), (1, "missing_field")]


INDUCTION = {"records": "examples", "columns": {"question": "input", "answer": "output"}}


def test_instruction_induction_keeps_its_examples_in_an_object(read) -> None:
    examples = {
        "1": {"input": "cat", "output": "c", "possible_outputs": ["c", "C"]},
        "2": {"input": "dog", "output": "d"},
    }
    content = json.dumps({"metadata": {"num_examples": 2}, "examples": examples}, indent=2).encode()
    assert [draft.input for draft in read("question-answer", content, "x.json", **INDUCTION).drafts] == ["cat", "dog"]


def test_instruction_induction_names_fields_otherwise_in_two_tasks(read) -> None:
    content = json.dumps({"examples": {"1": {"cause": "It rained.", "effect": "The road is wet."}}}).encode()
    assert read("question-answer", content, "x.json", **INDUCTION).findings == [(1, "missing_field")] * 2
    columns = {"question": ["cause", "effect"], "answer": "cause"}
    (draft,) = read("question-answer", content, "x.json", records="examples", columns=columns, join=" / ").drafts
    assert (draft.input, draft.output) == ("It rained. / The road is wet.", "It rained.")


def test_real_instruction_induction(read_file, real) -> None:
    folder = real("prompt_variants/instruction_induction/data/raw/execute")
    assert len(list(folder.iterdir())) == 24
    for path in sorted(folder.iterdir()):
        size = json.loads(path.read_text())["metadata"]["num_examples"]
        columns = {
            "cause_and_effect.json": {"question": ["cause", "effect"], "answer": "cause"},
            "common_concept.json": {"question": "items", "answer": "concept"},
        }.get(path.name, INDUCTION["columns"])
        found = read_file(path, "question-answer", records="examples", columns=columns)
        if path.name == "common_concept.json":
            assert [code for _, code in found.findings] == ["wrong_type"] * size, "a list is no text, and says so"
        else:
            assert len(found.drafts) == size, path.name
