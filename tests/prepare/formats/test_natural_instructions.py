"""`natural-instructions`: tasks and their off-schema copies."""

import json
from pathlib import Path
from typing import Any

import pytest

HEAD: dict[str, Any] = {
    "Contributors": ["A"],
    "Reasoning": [],
    "Definition": ["Name the capital."],
    "Input_language": ["English"],
    "Output_language": ["English"],
    "Instruction_language": ["English"],
    "Positive Examples": [{"input": "Chile", "output": "Santiago", "explanation": "It is."}],
    "Negative Examples": [],
}


def task(*instances: dict[str, Any], **head: Any) -> bytes:
    return json.dumps(HEAD | head | {"Instances": list(instances), "Instance License": ["MIT"]}, indent=4).encode()


def instance(text: str, *outputs: str, number: int = 1) -> dict[str, Any]:
    return {"id": f"task1-{number}", "input": text, "output": list(outputs)}


def read_task(read, content: bytes, file: str = "task1_x.json", **settings: Any):
    return read("natural-instructions", content, file, **settings)


def test_an_instance_becomes_the_definition_its_input_and_all_its_outputs(read) -> None:
    content = task(instance("Peru", "Lima", "Lima", " Lima city "), instance("Cuba", "Havana", number=2))
    first, second = read_task(read, content).drafts
    assert (first.instruction, first.input, first.output) == ("Name the capital.", "Peru", "Lima")
    assert first.references == ["Lima", "Lima city"], "repeated outputs once, outer white space gone"
    assert first.meta == {"task": "task1_x", "id": "task1-1"} and first.language == "en"
    lines = content.decode().split("\n")
    assert [lines[draft.line - 1].strip() for draft in (first, second)] == ["{", "{"]
    assert '"task1-2"' in lines[second.line]


def test_an_empty_output_beside_another_is_no_reference_and_alone_it_is_named(read) -> None:
    found = read_task(read, task(instance("a", "", "x"), instance("b", "")))
    assert found.drafts[0].references == ["x"] and [code for _, code in found.findings] == ["empty_output"]


def test_an_instance_may_have_other_names_for_its_fields_as_the_rows_of_any_format(read) -> None:
    content = task({"id": "task1-1", "country": "Peru", "output": ["Lima"]})
    (draft,) = read_task(read, content, columns={"input": "country"}).drafts
    assert (draft.input, draft.output) == ("Peru", "Lima")


def test_a_blank_input_is_named(read) -> None:
    found = read_task(read, task(instance(" ", "no"), instance("b", "yes")), leave_out=["blank_input"])
    assert len(found.drafts) == 1 and found.left_out == {"blank_input": 1}


def test_two_definitions_are_neither_joined_nor_is_the_first_taken_for_all(read) -> None:
    content = task(
        *(instance(f"text {n}", "x", number=n) for n in range(20)), Definition=["Write a headline.", "Sum it up."]
    )
    used = [draft.instruction for draft in read_task(read, content).drafts]
    assert set(used) == {"Write a headline.", "Sum it up."}
    assert used == [draft.instruction for draft in read_task(read, content).drafts]


def test_the_whole_stem_names_the_task_since_its_number_is_not_unique(tmp_path: Path, read_file) -> None:
    for name in ("task861_asdiv", "task861_prost"):
        (tmp_path / f"{name}.json").write_bytes(task(instance("a", name)))
    tasks = tmp_path / "tasks.txt"
    tasks.write_text("task861_prost\ntask9_not_here")
    found = read_file(f"{tmp_path}/task*.json", "natural-instructions", tasks=str(tasks))
    assert [draft.output for draft in found.drafts] == ["task861_prost"] and found.left_out == {"task": 1}


def test_the_first_instances_of_each_task_are_the_evaluation_slice(read) -> None:
    found = read_task(read, task(*(instance(f"{n}", "x", number=n) for n in range(5))), instances=2)
    assert [draft.input for draft in found.drafts] == ["0", "1"] and found.left_out == {"instances": 3}


def test_several_licences_and_no_reasoning_type_are_fine(read) -> None:
    content = task(
        instance("a", "b"), **{"Reasoning": [], "Instance License": ["CC BY-SA", "GFDL", "MSR-LA", "Apache"]}
    )
    assert len(read_task(read, content).drafts) == 1


def test_a_missing_file_of_tasks_is_named(read) -> None:
    (fault,) = read_task(read, task(instance("a", "b")), tasks="nowhere.txt").unreadable
    assert (fault.code, fault.source) == ("missing_file", "nowhere.txt")


def test_nan_among_the_reasoning_types_harms_nobody(read) -> None:
    content = task(instance("a", "b"), Reasoning=[float("nan")])
    assert b"NaN" in content and len(read_task(read, content).drafts) == 1


def test_raw_and_escaped_characters_beside_each_other(read) -> None:
    content = b'{"Definition": ["D"], "Instances": [{"input": "caf\xc3\xa9 \\u00e9", "output": ["\\ud83d\\ude00"]}]}'
    (draft,) = read_task(read, content).drafts
    assert (draft.input, draft.output) == ("café é", "😀")


def test_languages_are_filtered_by_input_output_and_instruction(read) -> None:
    translation = task(instance("a", "b"), Output_language=["Hindi"])
    assert read_task(read, translation).drafts[0].language == "hi"
    assert read_task(read, translation, languages=["en"]).left_out == {"language": 1}
    assert len(read_task(read, translation, languages=["en", "hi"]).drafts) == 1
    several = task(instance("a", "b"), Input_language=["English", "Japanese"])
    assert read_task(read, several, languages=["en"]).left_out == {"language": 1}


def test_a_task_of_2021_has_a_text_as_definition_and_no_ids_and_no_languages(read) -> None:
    content = json.dumps(
        {"Definition": "Select one.", "Instances": [{"input": "a", "output": ["b"]}]}, indent=4
    ).encode()
    (draft,) = read_task(read, content).drafts
    assert (draft.instruction, draft.language, draft.meta) == ("Select one.", None, {"task": "task1_x"})
    assert read_task(read, content, languages=["en"]).left_out == {"language_unknown": 1}


def test_sapt_has_texts_for_lists_and_its_definition_behind_the_instances(read) -> None:
    rows = [{"id": "1", "input": "a", "output": "b"}]
    content = json.dumps({"Categories": "Sentiment", "Instances": rows, "Definition": ["Late."]}).encode()
    (draft,) = read_task(read, content).drafts
    assert (draft.instruction, draft.references) == ("Late.", ["b"])


def test_examples_without_explanation_are_fine(read) -> None:
    assert (
        len(read_task(read, task(instance("a", "b"), **{"Positive Examples": [{"input": "x", "output": "y"}]})).drafts)
        == 1
    )


def test_a_wrong_language_field_is_believed(read) -> None:
    content = task(instance("Afganistan", "Afganistanin afgaani"), Definition=["Sinulle annetaan maan nimi."])
    assert read_task(read, content, languages=["en"]).drafts[0].language == "en"


@pytest.mark.parametrize("definition", [None, [], [""], 3, [3]])
def test_a_task_without_a_definition_is_one_finding(read, definition: Any) -> None:
    assert len(read_task(read, task(instance("a", "b"), instance("c", "d"), Definition=definition)).findings) == 1


def test_faults_of_instances_are_all_listed(read) -> None:
    rows = [{"input": 3, "output": ["x"]}, {"output": []}, {"input": "a", "output": [None]}, {"input": "a"}, "text"]
    codes = [code for _, code in read_task(read, task(*rows)).findings]  # type: ignore[arg-type]
    assert codes == [
        "wrong_type",
        "empty_output",
        "missing_field",
        "wrong_type",
        "missing_field",
        "missing_field",
        "missing_field",
    ]


def test_real_tasks(read_file, real) -> None:
    folder = real("super_ni/tasks")
    found = read_file(folder, "natural-instructions", leave_out=["empty_output", "blank_input"])
    assert len(found) == 129_467 and found.left_out == {"empty_output": 2, "blank_input": 2} and not found.findings
    assert len({draft.meta["task"] for draft in found.drafts}) == 87
    assert all(draft.output and draft.output == draft.references[0] for draft in found.drafts)
    by_task: dict[str, list[Any]] = {}
    for draft in found.drafts:
        by_task.setdefault(draft.meta["task"].split("_")[0], []).append(draft)
    assert max(len(draft.references) for draft in by_task["task048"]) == 61
    assert max(len(draft.references) for draft in by_task["task820"]) == 54
    assert len({draft.instruction for draft in by_task["task288"]}) == 2
    assert len(by_task["task861"]) == 846 + 97 and len(by_task["task868"]) == 398 + 958
    assert {draft.output for draft in by_task["task1541"]} == {"0", "1", "2", "3"}


def test_real_default_split(read_file, real) -> None:
    sizes = {}
    for split in ("train", "test", "excluded"):
        tasks = str(real(f"super_ni/splits/default/{split}_tasks.txt"))
        found = read_file(f"{real('super_ni/tasks')}/task11*.json", "natural-instructions", tasks=tasks)
        sizes[split] = len({draft.meta["task"] for draft in found.drafts})
        assert sizes[split] + found.left_out["task"] == 8
    assert sizes == {"train": 6, "test": 2, "excluded": 0}
    names = {path.stem for path in real("super_ni/tasks").iterdir()}
    lists = {name: set(real(f"super_ni/splits/default/{name}_tasks.txt").read_text().split()) for name in sizes}
    assert {name: len(names & tasks) for name, tasks in lists.items()} == {"train": 59, "test": 23, "excluded": 5}
    assert {name: len(tasks) for name, tasks in lists.items()} == {"train": 756, "test": 119, "excluded": 738}


def test_real_tasks_in_other_languages(read_file, real) -> None:
    folder = real("super_ni/tasks_non_english")
    drafts = read_file(folder, "natural-instructions").drafts
    assert len(drafts) == 102 + 102 + 148 and sum(draft.language == "hi" for draft in drafts) == 148
    assert read_file(folder, "natural-instructions", languages=["en"]).left_out == {"language": 352}


def test_real_off_schema_copies(read_file, real) -> None:
    drafts = read_file(real("super_ni/schema_variants"), "natural-instructions").drafts
    assert len(drafts) == 232 + 2771 + 390 + 228 + 112 + 250 + 250 + 100 + 100 + 20
