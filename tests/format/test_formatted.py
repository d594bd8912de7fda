import hashlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from steady.errors import SteadyError
from steady.format.figures import format_figures
from steady.format.formatted import Formatted, make_formatted, read_splits, write_formatted
from steady.format.lengths import Encode
from steady.format.preview import preview, typical_examples
from steady.prompts.families.paraphrase import with_paraphrases
from steady.prompts.params import FormatStage
from steady.records import Example, Prompt, ScheduleRow, Split, Wording, read_records, write_records

Params = Callable[..., FormatStage]
Splits = dict[Split, list[Example]]
TRAINING = ("schedule/canonical.jsonl", "schedule/canonical.phrasebook.json", "schedule/variants.jsonl")
TRAINING += ("schedule/variants.phrasebook.json", "validation.jsonl")


def hashes(folder: Path, names: tuple[str, ...] = ()) -> dict[str, str]:
    files = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names or files}


@pytest.fixture(scope="module")
def result(stage_params: Params, splits: Splits, encode: Encode) -> Formatted:
    return make_formatted(stage_params(), splits, encode)


def test_the_files_agree_with_one_another(result: Formatted, tmp_path: Path) -> None:
    rows = write_formatted(tmp_path, result)
    wordings = {wording.id: wording for wording in read_records(tmp_path / "wordings.jsonl", Wording)}
    schedule = read_records(tmp_path / "schedule/variants.jsonl", ScheduleRow)
    prompts = {
        name: read_records(tmp_path / f"{name}.jsonl", Prompt) for name in ("validation", "evaluation", "sensitivity")
    }
    assert rows["wordings"] == len(wordings) and rows["schedule/variants"] == len(schedule) == 12
    assert {name: len(found) for name, found in prompts.items()} == {name: rows[name] for name in prompts}
    assert all(wordings[name].trained for row in schedule for name in row.wordings)
    assert {prompt.split for prompt in prompts["validation"]} == {"validation"}
    assert [prompt.split for prompt in prompts["evaluation"]] == ["validation"] * 4 + ["test"] * 9
    seen = [wordings[p.wording] for p in prompts["sensitivity"] if p.split == "train"]
    unseen = [wordings[p.wording] for p in prompts["sensitivity"] if p.split == "test"]
    assert all(wording.trained for wording in seen)
    assert {wording.id for wording in unseen if wording.trained} == {"canonical"}
    assert len(seen) == 3 * (1 + 3 * 3) and len(unseen) == 5 * (1 + 4 * 3)


def test_wordings_that_the_tokenizer_cannot_tell_apart_are_left_out(result: Formatted) -> None:
    assert {"surface/lower-all", "surface/airy-lines"} <= set(result.alike)
    assert not set(result.alike) & {wording.id for wording in result.wordings}


def test_the_same_input_gives_the_same_bytes(
    stage_params: Params, splits: Splits, encode: Encode, tmp_path: Path
) -> None:
    for name in ("one", "two"):
        write_formatted(tmp_path / name, make_formatted(stage_params(), splits, encode))
    assert hashes(tmp_path / "one") == hashes(tmp_path / "two")


@pytest.mark.parametrize(
    ("changes", "moves_training"),
    [
        ({"sensitivity": {"wordings_per_family": 2}}, False),
        ({"sensitivity": {"seed": 7}}, False),
        ({"sensitivity": {"families": ["spelling"], "test_groups": 2, "train_groups": 0}}, False),
        ({"spelling_strengths": [2, 3]}, False),
        ({"orders": 2}, False),
        ({"max_length": 32}, False),
        ({"seed": 1}, True),
        ({"formats": 12}, True),
        ({"trained_families": ["paraphrase", "spelling"]}, True),
    ],
)
def test_only_what_is_trained_on_moves_the_files_of_training(
    result: Formatted,
    stage_params: Params,
    splits: Splits,
    encode: Encode,
    tmp_path: Path,
    changes: dict[str, Any],
    moves_training: bool,
) -> None:
    write_formatted(tmp_path / "one", result)
    write_formatted(tmp_path / "two", make_formatted(stage_params(**changes), splits, encode))
    assert (hashes(tmp_path / "one", TRAINING) != hashes(tmp_path / "two", TRAINING)) == moves_training
    assert hashes(tmp_path / "one", TRAINING[:2]) == hashes(tmp_path / "two", TRAINING[:2]), (
        "the control sees none of it"
    )


@pytest.mark.parametrize(
    ("old", "new", "moves"), [("Clue: {input}", "Hint: {input}", False), ("{input} Which", "{input} What", True)]
)
def test_a_changed_held_out_template_reruns_no_training(
    result: Formatted,
    stage_params: Params,
    splits: Splits,
    encode: Encode,
    bank_file: Path,
    tmp_path: Path,
    old: str,
    new: str,
    moves: bool,
) -> None:
    changed = tmp_path / "changed.yaml"
    assert old in bank_file.read_text()
    changed.write_text(bank_file.read_text().replace(old, new))
    write_formatted(tmp_path / "one", result)
    write_formatted(tmp_path / "two", make_formatted(stage_params(wordings=changed), splits, encode))
    assert (hashes(tmp_path / "one", TRAINING) != hashes(tmp_path / "two", TRAINING)) == moves
    assert hashes(tmp_path / "one") != hashes(tmp_path / "two")


def test_where_several_labels_may_apply_the_canonical_wording_lists_them(
    stage_params: Params, bank_file: Path, splits: Splits, encode: Encode, tmp_path: Path
) -> None:
    bare = tmp_path / "bare.yaml"
    bare.write_text(bank_file.read_text().replace("canonical: plain", "canonical: bare"))
    params = stage_params(wordings=bare)
    several = params.model_copy(update={"data": params.data.model_copy(update={"multi_label": True})})
    with pytest.raises(SteadyError, match=r"canonical wording 'bare' has no slot \{labels\}.*data\.multi_label"):
        make_formatted(several, splits, encode)


def test_every_fault_is_reported_at_once(stage_params: Params, splits: Splits, encode: Encode) -> None:
    params = stage_params(
        labels=["cat", "dog", "cow"],
        sensitivity={
            "wordings_per_family": 30,
            "families": ["paraphrase", "order"],
            "test_groups": 10,
            "train_groups": 13,
        },
        validation_wordings=500,
    )
    with pytest.raises(SteadyError) as caught:
        make_formatted(params, {**splits, "validation": []}, encode)
    message = str(caught.value)
    expected = [
        "its labels ['cat', 'dog', 'bird'] are not those of `data.labels` ['cat', 'dog', 'cow']",
        "validation.jsonl of the prepared data has no examples. Raise `data.validation_rows`.",
        "format.validation_wordings is 500, there are",
        "sensitivity.wordings_per_family is 30; 3 paraphrase wordings are held out. Lower sensitivity.wordings_per_family",
        "sensitivity.wordings_per_family is 30; 3 paraphrase wordings are trained on",
        "sensitivity.wordings_per_family is 30; 4 order wordings are held out",
        "sensitivity.train_groups is 13, the train split has 12 groups",
        "sensitivity.test_groups is 10, the test split has 9 groups",
    ]
    assert [fault for fault in expected if fault not in message] == []
    assert len(message.splitlines()) == len(expected)


def test_a_shortage_names_the_wordings_lost_to_the_tokenizer(
    stage_params: Params, splits: Splits, encode: Encode
) -> None:
    params = stage_params(sensitivity={"wordings_per_family": 12, "families": ["surface"], "train_groups": 0})
    with pytest.raises(SteadyError, match=r"12; 11 surface wordings are held out \(8 more read the same as others"):
        make_formatted(params, splits, encode)


def test_a_family_without_wordings_is_named(
    stage_params: Params, example: Callable[..., Example], encode: Encode
) -> None:
    sizes: dict[Split, int] = {"train": 9, "validation": 2, "test": 9}
    splits = {
        s: [example("", instruction=f"Do {s} task {n}.", split=s) for n in range(size)] for s, size in sizes.items()
    }
    params = stage_params(labels=None, wordings=None, sensitivity={"families": ["paraphrase", "order"]})
    with pytest.raises(SteadyError) as caught:
        make_formatted(params, splits, encode)
    message = str(caught.value)
    assert "format.trained_families: 'paraphrase' has no trained wordings here. Leave it out." in message
    assert "sensitivity.families: 'paraphrase' has no held-out wordings here. Leave it out." in message
    assert "sensitivity.families: 'order' has no held-out wordings here. Leave it out." in message


def test_an_example_with_no_text_is_named(
    stage_params: Params, splits: Splits, example: Callable[..., Example], encode: Encode
) -> None:
    with pytest.raises(
        SteadyError, match=r"pets\.jsonl:1: neither instruction nor input.*1 such examples in the test split"
    ):
        make_formatted(stage_params(), {**splits, "test": [*splits["test"], example("", split="test")]}, encode)


def test_splits_are_read_with_the_paraphrases_of_their_groups(example: Callable[..., Example], tmp_path: Path) -> None:
    pair = [example("x", instruction=text, group="g") for text in ("Go.", "Run.")]
    for split in ("train", "validation", "test"):
        write_records(tmp_path / f"{split}.jsonl", pair if split == "train" else [])
    assert [row.meta["prompts"] for row in read_splits(tmp_path)["train"]] == [["Run.\n\nx"], ["Go.\n\nx"]]


def test_paraphrases_that_a_row_brings_reword_its_instruction_or_else_its_question(
    example: Callable[..., Example],
) -> None:
    meta = {"paraphrases": ["Go!"]}
    rows = [example("x", instruction="Run.", group="a", meta=meta), example("Who?", group="b", meta=meta)]
    assert [row.meta["prompts"] for row in with_paraphrases(rows)] == [["Go!\n\nx"], ["Go!"]]


def test_figures_count_wordings_and_tokens(result: Formatted, encode: Encode) -> None:
    figures = format_figures(result, encode)
    assert figures.wordings["paraphrase"] == {
        "trained": 3,
        "held_out_L1": 3,
        "held_out_L2": 0,
        "drawn_L0": 3,
        "drawn_L1_L2": 3,
        "alike": 0,
    }
    assert figures.wordings["spelling"]["held_out_L2"] == 40
    assert figures.wordings["surface"]["alike"] == 8
    assert figures.scheduled["canonical"] == 24 and sum(figures.scheduled.values()) == 12 * 16
    assert {split: found["all"]["prompts"] for split, found in figures.tokens.items()} == {
        "train": 12 * 16,
        "validation": 8,
        "test": 9 + 5 * 4 * 3,
    }
    # Say which pet this is : cat , dog or bird . Story : In test story 0 it purred twice . Pet :
    assert figures.tokens["test"]["canonical"] == {
        "prompts": 9,
        "mean": 24.0,
        "p50": 24.0,
        "p95": 24.0,
        "max": 24,
        "truncated": 0,
    }


def test_figures_count_what_is_cut(
    stage_params: Params, splits: Splits, encode: Encode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("steady.format.formatted.LEAST_ROOM", 0)
    figures = format_figures(make_formatted(stage_params(max_length=22), splits, encode), encode)
    assert figures.tokens["validation"]["canonical"]["truncated"] == 4


def test_a_label_list_that_leaves_no_room_for_the_text_is_refused_with_its_tokens(
    stage_params: Params, splits: Splits, encode: Encode
) -> None:
    with pytest.raises(
        SteadyError, match=r"takes 16 of them, the longest one \d+, with a list of 3 labels; at least 8"
    ):
        make_formatted(stage_params(max_length=23), splits, encode)


def test_a_family_without_room_for_the_text_is_refused_where_the_canonical_wording_has_it(
    stage_params: Params, splits: Splits, encode: Encode, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lengths(wordings: list[Wording], *_: object) -> dict[str, int]:
        return {wording.id: 60 if wording.family == "paraphrase" else 20 for wording in wordings}

    monkeypatch.setattr("steady.format.formatted.frame_lengths", lengths)
    with pytest.raises(SteadyError, match=r"Wordings without that room: paraphrase \d+\. Raise it to 68 or more"):
        make_formatted(stage_params(max_length=64), splits, encode)
    used = {"trained_families": ("format",), "sensitivity": {"families": ["spelling", "format"]}}
    make_formatted(stage_params(max_length=64, **used), splits, encode)


def test_long_schedules_are_counted_in_part(result: Formatted, encode: Encode, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("steady.format.figures.TRAIN_PROMPTS_COUNTED", 50)
    train = format_figures(result, encode).tokens["train"]
    assert 40 <= train["all"]["prompts"] <= 50
    assert set(train) == {"canonical", "format", "paraphrase", "surface", "all"}


def test_the_preview_shows_each_family_trained_and_held_out_on_the_same_examples(
    result: Formatted, encode: Encode
) -> None:
    page = preview(result, encode)
    headings = [line for line in page.splitlines() if line.startswith("## ")]
    assert [heading.split(" ")[1] for heading in headings] == [
        "Canonical",
        "Spelling",
        "Format",
        "Paraphrase",
        "Surface",
        "Order",
    ]
    kinds = Counter(line.rpartition("`: ")[2] for line in page.splitlines() if line.startswith("### `format/"))
    assert kinds == {"trained, L1": 2, "held out, L1": 1, "held out, L2": 1}
    assert page.count("Example 1, ") == page.count("Example 2, ") == page.count("### ")
    assert "Example 1, 24 tokens:\n\n```text\nSay which pet this is: cat, dog or bird.\n\nStory: In train" in page


def test_the_preview_fences_prompts_that_have_fences(
    stage_params: Params, example: Callable[..., Example], encode: Encode
) -> None:
    code = [example(f"```\ncode {n}\n```", output="cat" if n % 2 else "dog") for n in range(6)]
    splits: Splits = {"train": code, "validation": code, "test": code}
    page = preview(make_formatted(stage_params(), splits, encode), encode)
    assert "````text\nSay which pet" in page


def test_typical_examples_are_of_median_length_with_different_targets(example: Callable[..., Example]) -> None:
    rows = [example("x" * size, output="a" if size < 5 else "b") for size in range(1, 8)]
    assert [row.input for row in typical_examples(rows)] == ["xxxx", "xxxxx"]
    assert len(typical_examples(rows[:1])) == 1
    assert len(typical_examples(rows[:3])) == 2
