import random
from collections import Counter
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import pytest
from msgspec.structs import replace

from steady.errors import SteadyError
from steady.prompts.bank import Bank
from steady.prompts.levels import CANONICAL_WORDING, available_wordings
from steady.prompts.params import FormatParams
from steady.prompts.phrasebook import phrasebook, write_phrasebook
from steady.prompts.render import render
from steady.prompts.schedule import TrainingPrompts, canonical_schedule, take_turns, variant_schedule
from steady.records import Example, ScheduleRow, Wording, write_records

Make = Callable[..., Example]


@pytest.fixture(scope="module")
def params(format_params: Callable[..., FormatParams]) -> FormatParams:
    return format_params(formats=4)


@pytest.fixture(scope="module")
def wordings(bank: Bank, params: FormatParams) -> list[Wording]:
    return available_wordings(bank, params)


@pytest.fixture(scope="module")
def examples(example: Make) -> list[Example]:
    return [example(f"Story number {number}.") for number in range(200)]


@pytest.fixture(scope="module")
def rows(examples: list[Example], wordings: list[Wording], bank: Bank, params: FormatParams) -> list[ScheduleRow]:
    return list(variant_schedule(examples, wordings, bank, params))


def test_the_control_sees_the_canonical_wording_alone(examples: list[Example], bank: Bank) -> None:
    alike = [replace(row, group_id="one story", output="cat") for row in examples]
    rows = canonical_schedule(alike, bank)
    assert {tuple(row.wordings) for row in rows} == {("canonical",)}
    assert [row.example_id for row in rows] == [row.id for row in examples]


def test_where_the_data_bring_the_wordings_the_control_sees_one_of_each_intent_as_often_as_there_are_rows() -> None:
    asked = [("capital", "Lima"), ("sum", "4"), ("capital", "Lima"), ("sum", "5"), ("capital", "Lima")]
    rows = [
        Example(id=f"e{place}", group_id=group, instruction=f"Wording {place}.", output=output)
        for place, (group, output) in enumerate(asked)
    ]
    # another output of a group is another intent
    assert [row.example_id for row in canonical_schedule(rows, None)] == ["e0", "e1", "e0", "e3", "e0"]
    prompts = TrainingPrompts(rows, canonical_schedule(rows, None), phrasebook([CANONICAL_WORDING], None))
    assert [prompts.prompt(place, 0) for place in range(len(prompts))] == [f"Wording {n}." for n in (0, 1, 0, 3, 0)]


def test_only_trained_wordings_are_scheduled(rows: list[ScheduleRow], wordings: list[Wording]) -> None:
    trained = {wording.id for wording in wordings if wording.trained}
    assert {name for row in rows for name in row.wordings} == trained


def test_each_example_has_its_number_of_wordings_and_one_in_eight_is_canonical(rows: list[ScheduleRow]) -> None:
    assert {len(row.wordings) for row in rows} == {16}
    assert {row.wordings.count("canonical") for row in rows} == {2}
    first_places = Counter(row.wordings.index("canonical") for row in rows)
    assert set(first_places) == set(range(8)) and max(first_places.values()) < 50


def test_families_take_turns_and_wordings_are_balanced_within_them(rows: list[ScheduleRow]) -> None:
    for row in rows:
        families = Counter(name.split("/")[0] for name in row.wordings if name != "canonical")
        assert sorted(families.values()) == [4, 5, 5]
    counts = Counter(name for row in rows for name in row.wordings)
    for family in ("paraphrase/", "format/", "surface/"):
        shown = [count for name, count in counts.items() if name.startswith(family)]
        assert max(shown) < 1.35 * min(shown), shown


def test_no_wording_comes_again_before_all_of_its_family_have_come() -> None:
    turns = take_turns([["a", "b", "c"], ["x"]], random.Random(0))
    shown = list(islice(turns, 12))
    assert [name for name in shown if name == "x"] == ["x"] * 6
    letters = [name for name in shown if name != "x"]
    assert sorted(letters[:3]) == sorted(letters[3:]) == ["a", "b", "c"]


def test_a_row_depends_on_its_example_alone(
    examples: list[Example], rows: list[ScheduleRow], wordings: list[Wording], bank: Bank, params: FormatParams
) -> None:
    some = list(variant_schedule(examples[50:40:-1], wordings, bank, params))
    assert some == rows[50:40:-1]


def test_held_out_wordings_do_not_move_the_schedule(
    examples: list[Example], rows: list[ScheduleRow], wordings: list[Wording], bank: Bank, params: FormatParams
) -> None:
    trained = [wording for wording in wordings if wording.trained]
    assert list(variant_schedule(examples, trained, bank, params)) == rows


def test_another_seed_gives_another_schedule(
    examples: list[Example],
    rows: list[ScheduleRow],
    wordings: list[Wording],
    bank: Bank,
    format_params: Callable[..., FormatParams],
) -> None:
    assert list(variant_schedule(examples, wordings, bank, format_params(formats=4, seed=1))) != rows


def test_an_example_without_paraphrases_gets_the_other_families(
    example: Make, format_params: Callable[..., FormatParams]
) -> None:
    params = format_params(trained_families=["paraphrase", "surface"])
    wordings = available_wordings(None, params, item_paraphrases=2)
    alone, paired = example("x"), example("y", meta={"prompts": ["y!"]})
    first, second = variant_schedule([alone, paired], wordings, None, params)
    assert {name.split("/")[0] for name in first.wordings} == {"canonical", "surface"}
    assert "paraphrase/item-1" in second.wordings and "paraphrase/item-2" not in second.wordings


def test_training_prompts_go_round_the_wordings_of_an_example(
    examples: list[Example], rows: list[ScheduleRow], wordings: list[Wording], bank: Bank, tmp_path: Path
) -> None:
    write_records(tmp_path / "train.jsonl", examples)
    write_records(tmp_path / "rows.jsonl", rows[::-1])
    write_phrasebook(tmp_path / "book.json", phrasebook([w for w in wordings if w.trained], bank))
    prompts = TrainingPrompts.read(tmp_path / "train.jsonl", tmp_path / "rows.jsonl", tmp_path / "book.json")
    by_id = {wording.id: wording for wording in wordings}
    assert len(prompts) == 200
    assert prompts.examples[0] == examples[-1]
    assert prompts.prompt(0, 3) == render(examples[-1], by_id[rows[-1].wordings[3]], bank)
    assert prompts.prompt(0, 3 + 16) == prompts.prompt(0, 3)


def test_training_prompts_find_the_paraphrases_of_the_group(example: Make) -> None:
    pair = [example("x", instruction=text, group="g") for text in ("Go.", "Please go.")]
    item = Wording(id="paraphrase/item-1", family="paraphrase", operator="item", seed=1, trained=True)
    rows = [ScheduleRow(example_id=pair[0].id, wordings=[item.id])]
    assert TrainingPrompts(pair, rows, phrasebook([item], None)).prompt(0, 0) == "Please go.\n\nx"


def test_a_schedule_of_another_run_is_refused(examples: list[Example], bank: Bank) -> None:
    rows = [ScheduleRow(example_id="gone", wordings=["canonical", "surface/hello"])]
    with pytest.raises(SteadyError, match=r"1 examples \['gone'\].*1 wordings \['surface/hello'\]"):
        TrainingPrompts(examples, rows, phrasebook([CANONICAL_WORDING], bank))
