"""Alpaca, Self-Instruct, Natural Instructions and a file to the schema of Unnatural Instructions join into one set."""

import json
import os
import random
from pathlib import Path
from typing import Any

import pytest

ROWS = 5000


def unnatural(path: Path) -> dict[str, int]:
    """Write 5,000 rows: a third without reformulations, a third with null, a third with one to three; returns what is in them."""
    draw, counts = random.Random("unnatural"), {"instances": 0, "reformulations": 0}
    with path.open("w", encoding="utf-8") as file:
        for number in range(ROWS):
            words = " ".join(f"{draw.choice('bdfgklm')}{draw.randrange(10_000)}" for _ in range(14))
            text = f"Text {number}: {words[::-1]}"
            row: dict[str, Any] = {"instruction": f"Task {number} about {words}."}
            instance = {"instruction_with_input": f"{row['instruction']} {text}", "input": text, "constraints": "None."}
            row["instances"] = [instance | {"output": f"output {number}"}]
            counts["instances"] += 1
            if number % 3 == 1:
                row["reformulations"] = None
            elif number % 3 == 2:
                row["reformulations"] = [
                    {"instruction": f"Way {way} of {words}: {{INPUT}}", "input": text, "output": f"output {number}"}
                    for way in range(1 + number % 2)
                ]
                counts["reformulations"] += len(row["reformulations"])
            file.write(json.dumps(row) + "\n")
    return counts


def real_data() -> Path:
    """Where the real data lie."""
    folder = Path(os.environ.get("STEADY_REAL_DATA", "absent"))
    if not (folder / "super_ni").is_dir():
        pytest.skip("the real data are absent: set STEADY_REAL_DATA to the folder that holds super_ni")
    return folder


def collections(tmp_path: Path, tasks: str) -> tuple[list[dict[str, Any]], dict[str, int]]:
    """The four sources, that of Natural Instructions with the tasks of a pattern."""
    folder, counts = real_data(), unnatural(tmp_path / "unnatural.jsonl")
    return [
        {"path": str(folder / "alpaca/alpaca_data.json"), "format": "alpaca", "leave_out": ["empty_output"]},
        {"path": str(folder / "self_instruct/data/seed_tasks.jsonl"), "format": "self-instruct"},
        {
            "path": str(folder / "super_ni/tasks" / tasks),
            "format": "natural-instructions",
            "leave_out": ["empty_output", "blank_input"],
        },
        {"path": str(tmp_path / "unnatural.jsonl"), "format": "unnatural-instructions"},
    ], counts


def check(prepared, counts: dict[str, int], instances: int, left_out: int) -> None:
    read = [source["read"] for source in prepared.metrics["sources"]]
    assert read == [52_002, 175, instances, sum(counts.values())]
    assert [source["left_out"] for source in prepared.metrics["sources"]] == [28, 0, left_out, 0]
    rows = prepared.metrics["rows"]
    assert (
        rows["read"] == rows["accepted"] + rows["rejected"] + rows["duplicates"] + rows["left_out"]
        and rows["rejected"] == 0
    )
    assert prepared.metrics["leaks"]["left"] == 0
    groups: dict[str, set[str]] = {}
    for name, split in prepared.splits.items():
        for example in split:
            groups.setdefault(example.group_id, set()).add(name)
            assert example.output == example.references[0]
    assert all(len(names) == 1 for names in groups.values())
    several = [
        len(example.references)
        for example in prepared.all()
        if example.source.endswith("task048_multirc_question_generation.json")
    ]
    assert max(several) == 61
    variants = sum(
        example.group_id.endswith(example.group_id[-16:]) and "unnatural-" in example.group_id
        for example in prepared.all()
    )
    assert variants == sum(counts.values())


def test_the_collections_join_into_one_set(tmp_path: Path, run) -> None:
    """With four of the tasks; the slow test has all of them."""
    sources, counts = collections(tmp_path, "task0*.json")
    prepared = run(sources, train_rows=0.8, validation_rows=0.1, test_rows=0.1, near_duplicate_threshold=None)
    check(prepared, counts, 3108, 1)


@pytest.mark.slow
def test_the_collections_join_with_near_duplicates_in_one_split(tmp_path: Path, run) -> None:
    sources, counts = collections(tmp_path, "*.json")
    prepared = run(sources, train_rows=0.8, validation_rows=0.1, test_rows=0.1)
    check(prepared, counts, 129_467, 4)
    assert prepared.metrics["duplicates"]["near"] > 5000
