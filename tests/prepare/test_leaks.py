"""Given splits: kept as they are, and 100 planted leaks between them are all found."""

import random

WORDS = [f"{a}{b}" for a in "bcdfglmnprst" for b in ("ado", "ile", "omu", "ane", "uri", "ebo", "ixa")]


def text(number: int, words: int = 20) -> str:
    return " ".join(random.Random(f"leak:{number}").choices(WORDS, k=words))


def row(number: int, value: str | None = None, group: str | None = None) -> dict[str, str]:
    return {"instruction": value or text(number), "output": f"answer {number}", "group_id": group or f"g{number}"}


def changed(value: str, number: int) -> str:
    words = value.split()
    words[number % len(words)] = "changed"
    return " ".join(words)


def test_a_hundred_planted_leaks_are_found_and_none_is_left(write, run) -> None:
    test = [row(number) for number in range(100)]
    train = [row(number) for number in range(1000, 1200)]
    train += [row(2000 + n, test[n]["instruction"].upper() + " ", f"t{n}") for n in range(34)]
    train += [{"instruction": text(3000 + n), "output": test[n]["output"], "group_id": f"g{n}"} for n in range(34, 67)]
    train += [row(4000 + n, changed(test[n]["instruction"], n), f"n{n}") for n in range(67, 100)]
    source = {"format": "instruction-output-group"}
    sources = [
        source | {"path": write("train.jsonl", train), "split": "train"},
        source | {"path": write("test.jsonl", test), "split": "test"},
    ]
    prepared = run(sources, validation_rows=0)
    leaks = prepared.metrics["leaks"]
    assert leaks == {
        "found": {"same_text": 34, "same_group": 33, "near_duplicate": 33},
        "removed": 100,
        "left": 0,
    }
    assert prepared.metrics["left_out"] == {"leak": 100}
    assert len(prepared.splits["test"]) == 100, "the split that results are quoted for stays whole"
    assert {example.instruction for example in prepared.splits["train"]} == {
        item["instruction"] for item in train[:200]
    }


def test_without_leaks_given_splits_are_kept_as_they_are(write, run) -> None:
    sources = [
        {"format": "instruction-output-group", "path": write(f"{name}.jsonl", rows), "split": name}
        for name, rows in {
            "train": [row(n) for n in range(30)],
            "validation": [row(n) for n in range(30, 40)],
            "test": [row(n) for n in range(40, 60)],
        }.items()
    ]
    prepared = run(sources, train_rows=1.0, validation_rows=0, test_rows=0)
    assert {name: len(examples) for name, examples in prepared.splits.items()} == {
        "train": 30,
        "validation": 10,
        "test": 20,
    }
    assert all(example.source.endswith(f"/{name}.jsonl") for name, rows in prepared.splits.items() for example in rows)


def test_counts_take_so_many_rows_of_given_splits_in_the_shares_of_their_labels(write, run) -> None:
    parts = {
        name: [[f"{name} row {n} about {n * 7}", "ab"[n % 4 == 0]] for n in range(40)]
        for name in ("train", "dev", "test")
    }
    source = {"path": write("nested.json", [{"version": 1, "data": parts}]), "format": "text-label"}
    source |= {"records": {"train": "data.train", "validation": "data.dev", "test": "data.test"}}
    prepared = run([source | {"columns": {"text": 0, "label": 1}}], train_rows=20, validation_rows=8, test_rows=1.0)
    assert {name: len(rows) for name, rows in prepared.splits.items()} == {"train": 20, "validation": 8, "test": 40}
    assert [row.labels for row in prepared.splits["train"]].count(["b"]) == 5
    assert prepared.metrics["left_out"] == {"not_asked_for": 52}
    assert {row.input.split()[0] for row in prepared.splits["validation"]} == {"dev"}


def test_validation_is_taken_from_train_where_only_train_and_test_are_given(write, run) -> None:
    sources = [
        {"format": "instruction-output-group", "path": write(f"{name}.jsonl", rows), "split": name}
        for name, rows in {"train": [row(n) for n in range(50)], "test": [row(n) for n in range(50, 60)]}.items()
    ]
    prepared = run(sources, validation_rows=0.2)
    assert {name: len(examples) for name, examples in prepared.splits.items()} == {
        "train": 40,
        "validation": 10,
        "test": 10,
    }


def test_rows_without_a_given_split_follow_a_given_twin(write, run) -> None:
    given = [row(n) for n in range(5)]
    free = [row(n) for n in range(100, 130)] + [row(500 + n, changed(given[n]["instruction"], n)) for n in range(5)]
    sources = [
        {"format": "instruction-output-group", "path": write("test.jsonl", given), "split": "test"},
        {"format": "instruction-output-group", "path": write("free.jsonl", free)},
    ]
    prepared = run(sources)
    tests = {example.instruction for example in prepared.splits["test"]}
    assert {item["instruction"] for item in given} | {item["instruction"] for item in free[30:]} <= tests
    assert prepared.metrics["leaks"]["left"] == 0
    assert len(prepared.splits["train"]) == 15 and len(prepared.splits["validation"]) == 3


def test_a_copy_within_a_split_is_a_duplicate_and_not_a_leak(write, run) -> None:
    rows = [row(n) for n in range(10)]
    sources = [
        {"format": "instruction-output-group", "path": write("train.jsonl", [*rows, rows[0]]), "split": "train"},
        {"format": "instruction-output-group", "path": write("test.jsonl", [row(20), row(20)]), "split": "test"},
    ]
    prepared = run(sources, validation_rows=0)
    assert prepared.metrics["duplicates"]["exact"] == 2 and prepared.metrics["leaks"]["removed"] == 0
