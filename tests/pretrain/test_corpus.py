"""The licence filter, the two ways in, the held-out part."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from pretrain.corpus import (
    CheckoutLimits,
    CorpusError,
    Row,
    clean_rows,
    find_labels,
    is_held_out,
    is_permissive,
    read_checkout,
    read_corpus_file,
    read_rows,
    read_tasks,
)

LIMITS = CheckoutLimits(max_file_bytes=100_000, max_characters=60, max_task_rows=3, seed=0)


def write_task(folder: Path, name: str, **changes: object) -> None:
    document = {
        "Definition": ["Say yes."],
        "Categories": ["Misc."],
        "Instance License": ["MIT"],
        "Input_language": ["English"],
        "Output_language": ["English"],
        "Instruction_language": ["English"],
        "Instances": [{"id": f"{name}-{i}", "input": f"Number {i}", "output": ["yes", "no"]} for i in range(5)],
    }
    (folder / "tasks").mkdir(parents=True, exist_ok=True)
    (folder / "tasks" / f"{name}.json").write_text(json.dumps(document | changes), encoding="utf-8")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    (tmp_path / "splits/default").mkdir(parents=True)
    (tmp_path / "splits/default/test_tasks.txt").write_text("task9_held_back\n", encoding="utf-8")
    write_task(tmp_path, "task1_good")
    write_task(tmp_path, "task9_held_back")
    write_task(tmp_path, "task2_unknown", **{"Instance License": ["Unknown"]})
    write_task(tmp_path, "task3_mixed", **{"Instance License": ["MIT", "CC BY-NC 4.0"]})
    write_task(tmp_path, "task4_none", **{"Instance License": []})
    write_task(tmp_path, "task5_french", Output_language=["French"])
    write_task(tmp_path, "task6_long", Instances=[{"id": "1", "input": "x" * 60, "output": ["yes"]}])
    return tmp_path


def test_only_a_permissive_english_task_outside_the_test_split_is_read(checkout: Path) -> None:
    facts, rows = read_checkout(checkout, LIMITS)
    assert list(facts) == ["task1_good"]
    assert len(rows) == 3 and {row.output for row in rows} == {"yes"}
    assert facts["task1_good"] == {"definition": "Say yes.", "category": "Misc.", "license": "MIT"}


def test_the_draw_is_the_same_every_time(checkout: Path) -> None:
    assert read_checkout(checkout, LIMITS) == read_checkout(checkout, LIMITS)


def test_a_checkout_without_the_test_split_is_refused(checkout: Path) -> None:
    (checkout / "splits/default/test_tasks.txt").unlink()
    with pytest.raises(CorpusError, match="test tasks cannot be kept out"):
        read_checkout(checkout, LIMITS)


@pytest.mark.parametrize("name", ["CC BY-SA 4.0", "CC BY-NC 4.0", "Unknown", "GPL", "mit"])
def test_a_license_that_is_not_on_the_list_is_not_permissive(name: str) -> None:
    assert not is_permissive([name])


def test_a_missing_corpus_file_is_named_with_what_to_set(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"no\.gz is missing.*corpus\.checkout"):
        read_corpus_file(tmp_path / "no.gz", tmp_path / "no.json")


def test_a_corpus_file_with_a_foreign_license_is_refused(tmp_path: Path) -> None:
    (tmp_path / "rows.gz").write_bytes(b"")
    entry = {"definition": ["d"], "categories": ["c"], "license": "CC BY-NC 4.0"}
    (tmp_path / "tasks.json").write_text(json.dumps({"task1": entry}), encoding="utf-8")
    with pytest.raises(CorpusError, match="CC BY-NC"):
        read_corpus_file(tmp_path / "rows.gz", tmp_path / "tasks.json")


def test_the_held_out_part_goes_by_the_text_whatever_its_white_space() -> None:
    texts = [f"text number {i}" for i in range(5000)]
    held_out = [text for text in texts if is_held_out(text, 2.0)]
    assert 60 < len(held_out) < 140
    assert all(is_held_out(text.replace(" ", "\n  "), 2.0) for text in held_out)


def test_no_held_out_input_is_in_a_training_row_of_any_task(prepared: Path) -> None:
    train = {" ".join(row.input.split()) for row in read_rows(prepared / "prepared/train.jsonl")}
    held_out = read_rows(prepared / "prepared/held_out.jsonl")
    assert held_out
    assert not [row for row in held_out if " ".join(row.input.split()) in train]


def test_repeats_and_empty_outputs_are_dropped() -> None:
    rows = [Row("t", " a ", "b"), Row("t", "a", "b "), Row("t", "c", " ")]
    assert list(clean_rows(rows)) == [Row("t", "a", "b")]


def test_labels_are_found_where_answers_are_few_and_frequent(prepared: Path) -> None:
    assert find_labels(["no"] * 11 + ["yes"] * 9, 20, 10) == ("no", "yes")
    assert find_labels(["no"] * 11 + ["yes"] * 8, 20, 10) == ()
    assert find_labels(["yes"] * 40, 20, 10) == ()
    tasks = read_tasks(prepared / "prepared/tasks.json")
    assert tasks["task002_fox"].labels == ("no", "yes")
    assert not tasks["task003_rewrite"].is_classification


@pytest.fixture(scope="module")
def real_rows(real_data: Path) -> tuple[dict[str, dict[str, str]], list[Row]]:
    folder = real_data.parent / "corpus"
    return read_corpus_file(
        folder / "natural_instructions_permissive.jsonl.gz", folder / "natural_instructions_tasks.json"
    )


def test_the_real_corpus_passes_the_filter(real_rows: tuple[dict[str, dict[str, str]], list[Row]]) -> None:
    facts, rows = real_rows
    assert (len(facts), len(rows)) == (317, 295_340)


def test_tasks_of_a_checkout_give_the_rows_of_the_corpus_file(
    real_data: Path, real_rows: tuple[dict[str, dict[str, str]], list[Row]]
) -> None:
    """Tasks below the bound of rows give the same rows in the same order, the others a superset."""
    folder = real_data / "super_ni"
    if not (folder / "tasks").is_dir():
        pytest.skip("no task files in the real data")
    limits = CheckoutLimits(max_file_bytes=4 << 20, max_characters=1500, max_task_rows=10**9, seed=0)
    facts, rows = read_checkout(folder, limits)
    known_facts, known = real_rows
    shared = set(facts) & set(known_facts)
    assert shared == set(facts)
    assert all(facts[name] == known_facts[name] for name in shared)
    given = set(rows)
    assert not [row for row in known if row.task in shared and row not in given]
    sizes = Counter(row.task for row in rows)
    whole = {name for name in shared if sizes[name] <= 1500}
    assert len(whole) > 10
    assert [row for row in rows if row.task in whole] == [row for row in known if row.task in whole]
