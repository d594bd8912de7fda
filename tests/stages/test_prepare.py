"""The stage prepare, run as its users run it."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from stages.prepare import main
from steady.records import Example, Rejected, read_records

LABELS = ["billing", "shipping"]


def write_lines(path: Path, rows: list[Any]) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def ticket(number: int) -> dict[str, str]:
    words = " ".join(f"w{number * 7 + i}" for i in range(7))
    return {"text": f"ticket {words}", "label": LABELS[number % 2]}


def run(folder: Path, data: dict[str, Any], seed: int = 0) -> Result:
    params = folder / "params.yaml"
    params.write_text(json.dumps({"data": data | {"seed": seed}}))
    splits = [f"--{name}={folder / name}.jsonl" for name in ("train", "validation", "test", "rejected")]
    return CliRunner().invoke(main, [f"--params={params}", *splits, f"--metrics={folder / 'data.json'}"])


def settings(path: Path, train: float = 4, validation: float = 2, test: float = 4, **more: Any) -> dict[str, Any]:
    source = {"path": str(path), "format": more.pop("format", "text-label")}
    return {"sources": [source], "train_rows": train, "validation_rows": validation, "test_rows": test} | more


def prepared(folder: Path, name: str) -> list[Example]:
    return read_records(folder / f"{name}.jsonl", Example)


def test_sizes_are_exact_labels_are_balanced_and_the_records_are_complete(tmp_path: Path) -> None:
    raw = write_lines(tmp_path / "raw.jsonl", [ticket(number) for number in range(20)])
    result = run(tmp_path, settings(raw, 10, 2, 8))
    assert result.exit_code == 0, result.output
    sizes = {"train": 10, "validation": 2, "test": 8}
    for name, size in sizes.items():
        examples = prepared(tmp_path, name)
        assert len(examples) == size
        assert sum(example.output == "billing" for example in examples) == size / 2
    example = prepared(tmp_path, "train")[0]
    assert example.labels == example.references == [example.output]
    assert example.group_id == example.id and example.split == "train" and example.source == str(raw)
    row = json.loads(raw.read_text().splitlines()[example.line - 1])
    assert (example.input, example.output, example.instruction) == (row["text"], row["label"], "")


def test_every_row_read_is_accounted_for(tmp_path: Path) -> None:
    rows = [ticket(number) for number in range(12)]
    raw = write_lines(tmp_path / "raw.jsonl", [*rows, {"text": "", "label": "billing"}, rows[3], rows[4]])
    assert run(tmp_path, settings(raw, max_rejected=1)).exit_code == 0
    metrics = json.loads((tmp_path / "data.json").read_text())
    assert metrics["rows"] == {"read": 15, "accepted": 10, "rejected": 1, "duplicates": 2, "left_out": 2}
    assert metrics["rejected"] == {"empty_text": 1}
    assert metrics["labels"] == LABELS


def test_shares_use_every_row_and_whole_groups(tmp_path: Path) -> None:
    rows = [
        {"instruction": f"ask {n} way {w}", "output": f"o{n}", "group_id": f"g{n}"} for n in range(10) for w in range(4)
    ]
    raw = write_lines(tmp_path / "raw.jsonl", rows)
    result = run(
        tmp_path, settings(raw, 0.5, 0.1, 0.4, format="instruction-output-group", near_duplicate_threshold=None)
    )
    assert result.exit_code == 0, result.output
    groups = [{example.group_id for example in prepared(tmp_path, name)} for name in ("train", "validation", "test")]
    assert [len(names) for names in groups] == [5, 1, 4]
    assert set.union(*groups) == {f"g{n}" for n in range(10)}


def test_a_near_duplicate_stays_in_the_split_of_its_twin(tmp_path: Path) -> None:
    words = [f"word{i}" for i in range(40)]
    rows = [ticket(number) for number in range(38)]
    rows += [
        {"text": " ".join(words), "label": "billing"},
        {"text": " ".join([*words[:-1], "other"]), "label": "billing"},
    ]
    raw = write_lines(tmp_path / "raw.jsonl", rows)
    for seed in range(5):
        assert run(tmp_path, settings(raw, 20, 4, 16), seed).exit_code == 0
        homes = [
            name for name in ("train", "validation", "test") for e in prepared(tmp_path, name) if "word3" in e.input
        ]
        assert len(homes) == 2 and len(set(homes)) == 1
    assert json.loads((tmp_path / "data.json").read_text())["duplicates"] == {"exact": 0, "near": 1}


def test_a_copy_that_differs_in_case_and_spaces_is_dropped_and_one_with_another_label_is_rejected(
    tmp_path: Path,
) -> None:
    rows = [ticket(number) for number in range(12)]
    copy = {"text": rows[0]["text"].upper().replace(" ", "  "), "label": rows[0]["label"]}
    raw = write_lines(tmp_path / "raw.jsonl", [*rows, copy, {"text": rows[5]["text"], "label": LABELS[0]}])
    result = run(tmp_path, settings(raw))
    assert result.exit_code == 1
    assert f"{raw}:6: conflicting_labels: output 'shipping'" in result.output
    assert f"{raw}:14: conflicting_labels: output 'billing'" in result.output
    assert run(tmp_path, settings(raw, max_rejected=2)).exit_code == 0
    assert json.loads((tmp_path / "data.json").read_text())["rows"]["duplicates"] == 1


def test_a_group_with_two_outputs_is_rejected_whole(tmp_path: Path) -> None:
    rows = [{"instruction": f"ask {n}", "output": f"out {n}", "group_id": f"g{n // 2}"} for n in range(4)]
    raw = write_lines(tmp_path / "raw.jsonl", rows)
    result = run(tmp_path, settings(raw, format="instruction-output-group"))
    assert result.exit_code == 1
    assert result.output.count("conflicting_outputs: group 'g") == 4


def test_the_same_rows_in_another_order_give_the_same_ids_and_splits(tmp_path: Path) -> None:
    rows = [ticket(number) for number in range(30)]
    seen = []
    for number, ordered in enumerate((rows, rows[::-1])):
        folder = tmp_path / str(number)
        folder.mkdir()
        raw = write_lines(tmp_path / "raw.jsonl", ordered)
        assert run(folder, settings(raw, 0.5, 0.1, 0.4)).exit_code == 0
        seen.append([[(e.id, e.input) for e in prepared(folder, name)] for name in ("train", "validation", "test")])
    assert seen[0] == seen[1]


def test_another_seed_gives_another_split(tmp_path: Path) -> None:
    raw = write_lines(tmp_path / "raw.jsonl", [ticket(number) for number in range(30)])
    tests = []
    for seed in (0, 1):
        assert run(tmp_path, settings(raw), seed).exit_code == 0
        tests.append({example.id for example in prepared(tmp_path, "test")})
    assert tests[0] != tests[1]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"nope", ":2: not_json: Expecting value at column 1"),
        (b'["text"]', ":2: not_object: the line is ['text'] (a list)"),
        (b'{"label": "billing"}', ":2: missing_field: there is no `text`; the row has `label` (`columns` renames)."),
        (b'{"text": 3, "label": "billing"}', ":2: wrong_type: `text` is 3 (a number); it must be text."),
        (b'{"text": " ", "label": "billing"}', ":2: empty_text: `text` is ' '"),
        (
            b'{"text": "x", "label": "biling"}',
            ":2: unknown_label: label 'biling' is not in `data.labels`: billing, shipping.",
        ),
        (b'{"text": "caf\xe9", "label": "billing"}', ":2: bad_utf8: byte 0xe9 at column 14"),
    ],
)
def test_a_wrong_row_is_named_with_its_line_the_value_and_what_is_allowed(
    tmp_path: Path, line: bytes, expected: str
) -> None:
    raw = write_lines(tmp_path / "raw.jsonl", [ticket(number) for number in range(12)])
    lines = raw.read_bytes().splitlines()
    raw.write_bytes(b"\n".join([lines[0], line, *lines[1:]]) + b"\n")
    result = run(tmp_path, settings(raw, labels=LABELS))
    assert result.exit_code == 1
    assert f"{raw}{expected}" in result.output
    assert "1 of 13 rows are rejected and `data.max_rejected` allows 0" in result.output
    assert [(r.line, r.raw.encode()) for r in read_records(tmp_path / "rejected.jsonl", Rejected)] == [
        (2, line.decode("utf-8", "backslashreplace").encode() + b"\n")
    ]


def test_all_findings_are_listed_not_only_the_first(tmp_path: Path) -> None:
    raw = write_lines(tmp_path / "raw.jsonl", [{"text": "", "label": "x"}, {}, ticket(1)])
    result = run(tmp_path, settings(raw, labels=LABELS))
    found = [line.removeprefix("Error: ").removeprefix(str(raw)) for line in result.output.splitlines()[:-1]]
    assert [line.split(": ")[0:2] for line in found] == [
        [":1", "empty_text"],
        [":1", "unknown_label"],
        [":2", "other_form"],
    ]
    assert "2 of 3 rows are rejected" in result.output


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("", "raw.jsonl:1: empty_file: there is nothing in it"),
        (
            '{"text": "a", "label": "billing"}\n{"text": "b", "label": "billing"}\n',
            "all 2 rows have the label 'billing'",
        ),
    ],
)
def test_an_empty_and_a_single_class_file_are_refused(tmp_path: Path, content: str, expected: str) -> None:
    raw = tmp_path / "raw.jsonl"
    raw.write_text(content)
    result = run(tmp_path, settings(raw))
    assert result.exit_code == 1 and result.output.startswith("Error: ") and expected in result.output


def test_a_missing_file_and_too_few_rows_are_refused(tmp_path: Path) -> None:
    result = run(tmp_path, settings(tmp_path / "none.jsonl"))
    assert (
        result.exit_code == 1 and "none.jsonl:1: missing_file: no such file (named in `data.sources`)" in result.output
    )
    raw = write_lines(tmp_path / "raw.jsonl", [ticket(number) for number in range(6)])
    result = run(tmp_path, settings(raw))
    assert result.exit_code == 1 and "need 10 rows, at least one of them for train, and there are 6" in result.output


def test_no_temporary_file_is_left(tmp_path: Path) -> None:
    raw = write_lines(tmp_path / "raw.jsonl", [ticket(number) for number in range(12)])
    run(tmp_path, settings(raw))
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {f"{n}.jsonl" for n in ("raw", "train", "validation", "test", "rejected")} | {
        "data.json",
        "params.yaml",
    }
