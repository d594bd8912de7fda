"""Several sources: weights, caps, joins and counts."""

from collections import Counter
from typing import Any

import pytest


def rows(name: str, number: int) -> list[dict[str, str]]:
    return [
        {"instruction": f"{name} instruction {n}", "input": "", "output": f"{name} output {n}"} for n in range(number)
    ]


def source(path: str, **more: Any) -> dict[str, Any]:
    return {"path": path, "format": "instruction-input-output"} | more


def by_source(prepared) -> Counter[str]:
    return Counter(example.source.rsplit("/", 1)[1] for example in prepared.all())


def test_sources_are_interleaved_and_their_rows_counted(write, run) -> None:
    prepared = run(
        [source(write("a.jsonl", rows("a", 40))), source(write("b.jsonl", rows("b", 60)))],
        near_duplicate_threshold=None,
    )
    assert by_source(prepared) == {"a.jsonl": 40, "b.jsonl": 60}
    assert [(item["read"], item["accepted"]) for item in prepared.metrics["sources"]] == [(40, 40), (60, 60)]
    first = [example.source[-7] for example in prepared.splits["train"][:20]]
    assert 2 <= first.count("a") <= 18, "neither source comes first as a whole"
    assert all(
        abs(len([e for e in split if e.source.endswith("a.jsonl")]) - 0.4 * len(split)) <= 1
        for split in prepared.splits.values()
    )


def test_weights_give_the_largest_mixture_that_repeats_nothing(write, run) -> None:
    sources = [source(write("a.jsonl", rows("a", 40)), weight=3), source(write("b.jsonl", rows("b", 60)), weight=1)]
    prepared = run(sources, near_duplicate_threshold=None)
    assert by_source(prepared) == {"a.jsonl": 40, "b.jsonl": 13}
    assert prepared.metrics["left_out"] == {"weight": 47}


def test_caps_of_a_source_of_rows_and_of_groups(write, run) -> None:
    sources = [source(write("a.jsonl", rows("a", 40)), max_rows=10), source(write("b.jsonl", rows("b", 60)))]
    prepared = run(sources, near_duplicate_threshold=None, max_rows=50)
    assert sum(by_source(prepared).values()) == 50 and by_source(prepared)["a.jsonl"] <= 10
    assert prepared.metrics["left_out"] == {"max_rows_of_source": 30, "max_rows": 20}
    groups = [{"instruction": f"{n} {w}", "output": f"o{n}", "group_id": f"g{n}"} for n in range(20) for w in "abcd"]
    grouped = {"path": write("g.jsonl", groups), "format": "instruction-output-group"}
    prepared = run([grouped], near_duplicate_threshold=None, max_groups=10)
    assert Counter(Counter(example.group_id for example in prepared.all()).values()) == {4: 10}


def test_the_sample_depends_on_the_seed_alone(write, run) -> None:
    path, reverse = write("a.jsonl", rows("a", 40)), write("r.jsonl", rows("a", 40)[::-1])
    taken = [
        {example.id for example in run([source(item)], seed, max_rows=20, near_duplicate_threshold=None).all()}
        for item, seed in ((path, 0), (reverse, 0), (path, 1))
    ]
    assert taken[0] == taken[1] != taken[2]


def test_copies_in_two_sources_are_dropped_once_and_counted_where_they_lie(write, run) -> None:
    sources = [source(write("a.jsonl", rows("x", 30))), source(write("b.jsonl", rows("x", 40)))]
    prepared = run(sources, near_duplicate_threshold=None)
    assert len(prepared.all()) == 40 and prepared.metrics["duplicates"]["exact"] == 30
    assert sum(item["duplicates"] for item in prepared.metrics["sources"]) == 30


def test_groups_that_share_an_instruction_and_its_output_are_joined(write, run) -> None:
    groups = [
        {"instruction": f"{g} way {w}", "output": "out", "group_id": g} for g in ("g1", "g2", "g3") for w in range(5)
    ]
    groups += [
        {"instruction": "Shared WAY", "output": "Out ", "group_id": "g2"},
        {"instruction": "shared way", "output": "out", "group_id": "g1"},
    ]
    prepared = run(
        [{"path": write("g.jsonl", groups), "format": "instruction-output-group"}],
        near_duplicate_threshold=None, train_rows=0.6, validation_rows=0, test_rows=0.4,
    )  # fmt: skip
    assert Counter(example.group_id for example in prepared.all()) == {"g1": 11, "g3": 5}
    assert prepared.metrics["duplicates"]["exact"] == 1


def test_groups_of_two_sources_with_equal_names_are_not_one(write, run) -> None:
    groups = [{"instruction": f"{n}", "output": "x", "group_id": "g"} for n in range(4)]
    others = [{"instruction": f"other {n}", "output": "y", "group_id": "g"} for n in range(4)]
    sources = [
        {"path": write(f"{name}.jsonl", items), "format": "instruction-output-group"}
        for name, items in (("a", groups), ("b", others))
    ]
    prepared = run(sources, near_duplicate_threshold=None)
    assert len({example.group_id for example in prepared.all()}) == 2
    with pytest.raises(Exception, match="conflicting_outputs"):
        run([item | {"name": "same"} for item in sources], near_duplicate_threshold=None)


def test_rows_of_one_prompt_with_several_answers_stay_together(write, run) -> None:
    pairs = [{"instruction": f"question {n}", "output": f"answer {n} {a}"} for n in range(20) for a in range(3)]
    prepared = run([source(write("a.jsonl", pairs))], near_duplicate_threshold=None)
    homes = [{example.instruction for example in split} for split in prepared.splits.values()]
    assert sum(map(len, homes)) == 20 and len(prepared.all()) == 60


def test_languages_lengths_and_several_labels_are_counted(write, run) -> None:
    items = [
        {"text": f"text number {n}", "labels": ["a", "b"][: 1 + n % 2], "language": "de" if n % 3 else None}
        for n in range(12)
    ]
    prepared = run(
        [{"path": write("a.jsonl", items), "format": "text-label"}],
        near_duplicate_threshold=None, train_rows=1.0, validation_rows=0, test_rows=0,
        labels=["a", "b"], multi_label=True,
    )  # fmt: skip
    train = prepared.metrics["splits"]["train"]
    assert train["labels"] == {"a": 12, "b": 6} and prepared.metrics["labels"] == ["a", "b"]
    assert prepared.metrics["languages"] == train["languages"] == {"de": 8, "unknown": 4}
    assert train["characters_of_prompts"] == {"minimum": 13, "median": 13, "p95": 14, "maximum": 14}
    assert train["characters_of_outputs"] == {"minimum": 1, "median": 1, "p95": 4, "maximum": 4}
