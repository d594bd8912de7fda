from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prompt_fixtures import protected_spans

from steady.errors import SteadyError
from steady.prompts.bank import Bank, label_bank, task_bank
from steady.prompts.canonical import canonical_parts
from steady.prompts.families.order import order_of
from steady.prompts.families.paraphrase import with_paraphrases
from steady.prompts.levels import CANONICAL_WORDING, available_wordings
from steady.prompts.params import FormatParams
from steady.prompts.render import applies, render
from steady.records import Example, Wording

Make = Callable[..., Example]
PROTECTED = [
    "42",
    "$3.14",
    "A320",
    "x@y.example",
    "https://u.example/p?q=1",
    "`Some code`",
    "{slot}",
    "[NAME]",
    "12:30",
]
ITEMS = st.lists(
    st.one_of(st.text("abcdefgh ABCäß.,'", max_size=10), st.sampled_from([*PROTECTED, "dog", "cat or bird"])),
    min_size=1,
    max_size=9,
).map(" ".join)


def named(wording_id: str, **fields: object) -> Wording:
    family, _, name = wording_id.partition("/")
    return Wording(**({"id": wording_id, "family": family, "operator": name} | fields))  # type: ignore[arg-type]


def test_the_canonical_prompt_is_the_canonical_template_filled(bank: Bank, example: Make) -> None:
    prompt = render(example("It barked."), CANONICAL_WORDING, bank)
    assert prompt == "Say which pet this is: cat, dog or bird.\n\nStory: It barked.\nPet:"


@pytest.mark.parametrize(
    ("wording", "expected"),
    [
        (named("paraphrase/ask"), "It barked. Which of cat, dog or bird?"),
        (named("paraphrase/swap"), "Out of bird, cat or dog. It barked."),
        (
            named("format/upper.dash.double-bar"),
            "Say which pet this is: cat, dog or bird. || STORY - It barked. || PET -",
        ),
        (named("surface/hello"), "Hello there! Say which pet this is: cat, dog or bird.\n\nStory: It barked.\nPet:"),
    ],
)
def test_each_family_words_the_item_its_way(bank: Bank, example: Make, wording: Wording, expected: str) -> None:
    assert render(example("It barked."), wording, bank) == expected


@pytest.mark.parametrize(
    ("wording", "expected"),
    [
        (CANONICAL_WORDING, "Say which pet this is: cat, dog or bird (several may apply).\n\nStory: It barked.\nPet:"),
        (named("paraphrase/ask"), "It barked. Which of cat, dog or bird (several may apply)?"),
        (
            named("format/upper.dash.double-bar"),
            "Say which pet this is: cat, dog or bird (several may apply). || STORY - It barked. || PET -",
        ),
    ],
)
def test_prompts_that_list_labels_say_that_several_may_apply(
    bank_file: Path, example: Make, wording: Wording, expected: str
) -> None:
    several = task_bank(bank_file, None, multi_label=True)
    assert render(example("It barked."), wording, several) == expected


def test_an_instruction_of_the_data_has_the_labels_before_it_where_several_may_apply(example: Make) -> None:
    bank = task_bank(None, ("cat", "dog"), multi_label=True)
    note = "Labels, of which several may apply: cat or dog"
    assert render(example("It barked.", instruction=""), CANONICAL_WORDING, bank) == f"{note}\n\nIt barked."
    first, second = with_paraphrases([example("", instruction=text, group="g") for text in ("Say cat.", "Sort it.")])
    assert render(first, CANONICAL_WORDING, bank) == f"{note}\n\nSay cat."
    assert render(first, named("paraphrase/item-1", seed=1), bank) == render(second, CANONICAL_WORDING, bank)
    parts = canonical_parts(first, bank)
    assert [part.text for part in parts if part.kind == "labels"] == ["cat or dog", "cat"]


def test_an_order_shows_the_labels_in_the_order_of_its_seed(bank: Bank, example: Make) -> None:
    first, second, third = order_of(bank.labels, 3)
    prompt = render(example("x"), named("order/s3", operator="permute", seed=3), bank)
    assert prompt.startswith(f"Say which pet this is: {first}, {second} or {third}.")


@pytest.fixture(scope="module")
def every(bank: Bank, format_params: Callable[..., FormatParams]) -> list[Wording]:
    return available_wordings(bank, format_params())


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(item=ITEMS)
def test_no_wording_changes_a_protected_span_a_label_list_or_the_example(
    bank: Bank, every: list[Wording], example: Make, item: str
) -> None:
    shown = example(item)
    for wording in every:
        prompt = render(shown, wording, bank)
        place = 0
        for span in protected_spans(item):
            found = prompt.find(span, place)
            assert found >= 0, (wording.id, span, prompt)
            place = found + len(span)
        if wording.id not in ("paraphrase/bare", "paraphrase/vet"):
            assert all(label in prompt for label in bank.labels), wording.id
        if wording.family in ("format", "paraphrase", "order"):
            assert item in prompt, wording.id
        assert render(shown, wording, bank) == prompt


def test_a_spelling_wording_hits_other_words_of_another_item(bank: Bank, example: Make) -> None:
    wording = named("spelling/omit-1-s1", operator="omit", strength=1, seed=1)
    items = [f"Some quite ordinary words about animal {number}" for number in range(8)]
    changed = {render(example(item), wording, bank).replace(item, "") for item in items}
    assert len(changed) > 1


def test_without_templates_the_own_instruction_is_the_prompt_and_its_label_names_stay(example: Make) -> None:
    shown = example("It sat.", instruction="Decide whether it is a cat or a dog, please.")
    bank = label_bank(("cat", "dog"))
    assert render(shown, CANONICAL_WORDING, bank) == "Decide whether it is a cat or a dog, please.\n\nIt sat."
    misspelt = named("spelling/insert-99-s1", operator="insert", strength=99, seed=1)
    assert " cat or a dog, " in render(shown, misspelt, bank)
    form = named("format/upper.dash.newline")
    assert render(shown, form, bank) == "TASK - Decide whether it is a cat or a dog, please.\nINPUT - It sat.\nANSWER -"
    assert render(example("It sat."), form, None) == "INPUT - It sat.\nANSWER -"


def test_label_names_are_whole_words(example: Make) -> None:
    parts = canonical_parts(example("", instruction="Concatenate cats, not cat."), label_bank(("cat", "dog")))
    assert [part.text for part in parts if part.kind == "labels"] == ["cat"]


def test_paraphrases_come_from_the_group_and_from_lists_beside_the_instruction(example: Make) -> None:
    rows = [
        example("x", instruction="Double it.", group="g", output="xx"),
        example(
            "x", instruction="Write it twice.", group="g", output="xx", meta={"paraphrases": ["Repeat.", "Double it."]}
        ),
        example("y", instruction="Double it.", group="g", output="yy"),
        example("z", instruction="Alone.", group="h", output="z"),
    ]
    prompts = [row.meta.get("prompts") for row in with_paraphrases(rows)]
    assert prompts == [
        ["Write it twice.\n\nx"],
        ["Repeat.\n\nx", "Double it.\n\nx"],
        None,
        None,
    ]


def test_a_paraphrase_applies_where_the_data_have_so_many(example: Make, bank: Bank) -> None:
    shown = example("x", instruction="Go.", meta={"prompts": ["one", "two"]})
    wordings = [named(f"paraphrase/item-{number}", operator="item", seed=number) for number in (1, 2, 3)]
    assert [applies(shown, wording, None) for wording in wordings] == [True, True, False]
    assert render(shown, wordings[1], None) == "two"
    assert applies(shown, named("paraphrase/ask"), bank)


@pytest.mark.parametrize(
    "wording_id", ["paraphrase/unheard-of", "surface/upside-down", "format/loud.colon.newline", "rhyme/abab"]
)
def test_a_wording_that_is_not_there_is_named(bank: Bank, example: Make, wording_id: str) -> None:
    with pytest.raises(SteadyError, match=f"wording '{wording_id}'.*cannot word example"):
        render(example("x"), named(wording_id), bank)
