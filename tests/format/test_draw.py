from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from steady.format.draw import (
    balanced_choice,
    draw_groups,
    evaluation_prompts,
    seen_wordings,
    sensitivity_prompts,
    shares,
    unseen_wordings,
    validation_prompts,
)
from steady.prompts.bank import Bank
from steady.prompts.families.paraphrase import with_paraphrases
from steady.prompts.levels import available_wordings
from steady.prompts.params import FormatParams, SensitivityDraw
from steady.records import Example, Wording

Make = Callable[..., Example]


def draw(**changes: Any) -> SensitivityDraw:
    values = {
        "families": ["spelling", "format", "paraphrase"],
        "split": "test",
        "test_groups": 2,
        "train_groups": 2,
        "wordings_per_family": 3,
        "wordings_per_group": None,
    }
    return SensitivityDraw.model_validate(values | {"seed": 0} | changes)


@pytest.fixture(scope="module")
def wordings(bank: Bank, format_params: Callable[..., FormatParams]) -> list[Wording]:
    return available_wordings(bank, format_params())


def test_unseen_prompts_use_held_out_wordings_in_equal_parts_from_the_levels(wordings: list[Wording]) -> None:
    chosen = unseen_wordings(wordings, draw())
    assert not any(wording.trained for wording in chosen)
    assert Counter((wording.family, wording.level) for wording in chosen) == {
        ("spelling", "L2"): 3,
        ("format", "L2"): 2,
        ("format", "L1"): 1,
        ("paraphrase", "L1"): 3,
    }


def test_seen_prompts_use_trained_wordings_and_skip_a_family_never_trained_on(wordings: list[Wording]) -> None:
    chosen = seen_wordings(wordings, draw())
    assert all(wording.trained for wording in chosen)
    assert Counter(wording.family for wording in chosen) == {"format": 3, "paraphrase": 3}


def test_a_choice_spreads_over_strengths_and_operators(wordings: list[Wording]) -> None:
    spelling = [wording for wording in wordings if wording.family == "spelling"]
    chosen = balanced_choice(spelling, 8, "s")
    assert Counter(wording.strength for wording in chosen) == {1: 2, 2: 2, 4: 2, 8: 2}
    assert sorted(Counter(wording.operator for wording in chosen).values()) == [1, 1, 2, 2, 2]
    assert balanced_choice(spelling, 3, "s") == chosen[:3]
    assert balanced_choice(spelling, 8, "t") != chosen
    assert balanced_choice(spelling[:2], 8, "s") in (spelling[:2], spelling[1::-1])


def test_shares_are_equal_where_the_pools_allow_it() -> None:
    assert shares(8, [20, 20]) == [4, 4]
    assert shares(7, [20, 20]) == [4, 3]
    assert shares(8, [20, 1]) == [7, 1]
    assert shares(8, [3, 2]) == [3, 2]
    assert shares(8, []) == []


def test_a_larger_draw_of_groups_contains_the_smaller_one_and_ignores_the_order_of_the_rows(example: Make) -> None:
    rows = [example(f"story {number}", group=f"g{number % 10}") for number in range(20)]
    small, large = draw_groups(rows, 4, 0), draw_groups(rows, 7, 0)
    assert large[:4] == small and len({row.group_id for row in large}) == 7
    assert all(int(row.input.split(" ")[1]) < 10 for row in large), "the first example represents its group"
    assert [row.group_id for row in draw_groups(rows[::-1], 7, 0)] == [row.group_id for row in large]
    assert draw_groups(rows, 4, 1) != small


def test_every_group_has_one_canonical_prompt_and_the_same_wordings(
    bank: Bank, wordings: list[Wording], example: Make
) -> None:
    rows = [example(f"story {number}", split="test") for number in range(6)]
    chosen = unseen_wordings(wordings, draw())
    prompts = list(sensitivity_prompts(draw_groups(rows, 4, 0), chosen, bank, draw()))
    assert len(prompts) == 4 * (1 + len(chosen))
    by_group: dict[str, list[str]] = {}
    for prompt in prompts:
        by_group.setdefault(prompt.group_id, []).append(prompt.wording)
    assert {tuple(names) for names in by_group.values()} == {("canonical", *(wording.id for wording in chosen))}
    assert len({prompt.id for prompt in prompts}) == len(prompts)
    assert {(prompt.split, prompt.completion) for prompt in prompts} == {("test", "dog")}


def test_groups_take_turns_at_the_wordings_so_that_each_wording_has_as_many(
    bank: Bank, wordings: list[Wording], example: Make
) -> None:
    rows = [example(f"story {number}", split="test") for number in range(12)]
    drawn = draw(wordings_per_family=6, wordings_per_group=2, families=["spelling", "format"])
    chosen = unseen_wordings(wordings, drawn)
    prompts = list(sensitivity_prompts(rows, chosen, bank, drawn))
    levels = {wording.id: (wording.family, wording.level) for wording in chosen}
    for row in rows:
        mine = [prompt.wording for prompt in prompts if prompt.example_id == row.id]
        assert mine[0] == "canonical" and len(mine) == len(set(mine)) == 5
        assert Counter(levels[name] for name in mine[1:]) == {
            ("spelling", "L2"): 2,
            ("format", "L2"): 1,
            ("format", "L1"): 1,
        }
    uses = Counter(prompt.wording for prompt in prompts if prompt.wording != "canonical")
    assert uses.keys() == levels.keys() and set(uses.values()) == {4}


def test_a_group_cannot_have_more_wordings_than_are_drawn() -> None:
    with pytest.raises(ValueError, match="more than wordings_per_family, 3"):
        draw(wordings_per_group=4)


def test_paraphrases_of_an_unseen_group_are_held_out_and_skipped_where_a_group_has_none(
    example: Make, format_params: Callable[..., FormatParams]
) -> None:
    rows = with_paraphrases(
        [example("x", instruction=text, group="g", split="test") for text in ("Go.", "Run.", "Move.")]
        + [example("y", instruction="Stay.", split="test")]
    )
    wordings = available_wordings(None, format_params(), item_paraphrases=2)
    drawn = draw(families=["paraphrase"], wordings_per_family=2)
    chosen = unseen_wordings(wordings, drawn)
    prompts = list(sensitivity_prompts(draw_groups(rows, 2, 0), chosen, None, drawn))
    texts = {
        group: sorted(p.prompt for p in prompts if p.group_id == group) for group in {row.group_id for row in rows}
    }
    assert texts["g"] == ["Go.\n\nx", "Move.\n\nx", "Run.\n\nx"]
    assert texts[rows[3].group_id] == ["Stay.\n\ny"]


def test_evaluation_is_canonical_and_shares_its_ids_with_sensitivity(
    bank: Bank, wordings: list[Wording], example: Make
) -> None:
    rows = [example(f"story {number}", split="test") for number in range(3)]
    evaluated = {prompt.id: prompt for prompt in evaluation_prompts(rows, bank)}
    assert len(evaluated) == 3 and {prompt.wording for prompt in evaluated.values()} == {"canonical"}
    canonical = list(sensitivity_prompts(rows, [], bank, draw()))
    assert {prompt.id: prompt for prompt in canonical} == evaluated


@pytest.mark.parametrize("count", [0, 1, 3])
def test_validation_adds_trained_wordings_to_the_canonical_one(
    bank: Bank, wordings: list[Wording], example: Make, format_params: Callable[..., FormatParams], count: int
) -> None:
    rows = [example(f"story {number}", split="validation") for number in range(5)]
    prompts = list(validation_prompts(rows, wordings, bank, format_params(validation_wordings=count)))
    trained = {wording.id for wording in wordings if wording.trained}
    assert len(prompts) == 5 * (1 + count)
    assert {prompt.wording for prompt in prompts} <= trained
    assert Counter(prompt.wording for prompt in prompts)["canonical"] == 5
