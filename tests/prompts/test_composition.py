"""Composed wordings: hundreds from a few values, every slot and label protected, and nothing held out in what is trained on."""

import re
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from checks.wordings import content_runs
from steady.errors import SteadyError
from steady.prompts.bank import Bank, read_bank
from steady.prompts.composition import COMPONENTS, Composition, held_out_values, parse, template_of
from steady.prompts.families import composed
from steady.prompts.levels import Task, available_wordings
from steady.prompts.params import FormatParams
from steady.prompts.phrasebook import phrasebook
from steady.prompts.render import render
from steady.records import Example, Wording

FOLDER = Path(__file__).parents[2] / "data/raw/wordings"
ITEM = "Order 4711: {refund} of $12.50, see <b>a b</b>  and\n\n\nagain"
EXAMPLE = Example(id="1", group_id="1", input=ITEM)


@pytest.fixture(scope="module")
def tickets() -> Bank:
    return read_bank(FOLDER / "tickets-composed.yaml")


def composition_of(bank: Bank) -> Composition:
    assert isinstance(bank.composition, Composition)
    return bank.composition


@pytest.fixture
def wordings(tickets: Bank, format_params: Callable[..., FormatParams]) -> list[Wording]:
    return composed.wordings(Task(tickets, format_params(trained_families=["composed", "paraphrase"])))


def test_hundreds_of_wordings_follow_and_no_two_read_the_same(tickets: Bank, wordings: list[Wording]) -> None:
    assert sum(wording.trained for wording in wordings) == 320
    assert [len([one for one in wordings if one.level == level and not one.trained]) for level in ("L1", "L2")] == [
        48,
        48,
    ]
    assert len({render(EXAMPLE, wording, tickets) for wording in wordings}) == len(wordings)


def test_the_item_and_every_label_stand_in_every_prompt_as_they_are(tickets: Bank, wordings: list[Wording]) -> None:
    for wording in wordings:
        prompt = render(EXAMPLE, wording, tickets)
        assert prompt.count(ITEM) == 1, wording.id
        around = prompt.replace(ITEM, "")
        labels = re.findall("|".join(tickets.labels), around)
        assert sorted(labels) == sorted(tickets.labels), (wording.id, prompt)


def test_what_is_trained_on_has_no_held_out_value_and_what_is_held_out_has_nothing_else(
    tickets: Bank, wordings: list[Wording]
) -> None:
    composition = composition_of(tickets)
    for wording in wordings:
        found = held_out_values(composition, parse(wording.id))
        assert len(found) == (len(COMPONENTS) if wording.level == "L2" else 0), wording.id
        assert wording.rule.startswith("held-out preamble") or wording.level == "L1"


def test_no_phrase_of_a_held_out_value_is_in_a_trained_prompt(tickets: Bank, wordings: list[Wording]) -> None:
    templates = [template_of(composition_of(tickets), parse(wording.id)) for wording in wordings if wording.trained]
    trained = "\n".join([*templates, *(one.template for one in tickets.templates.values() if one.trained)])
    runs = set().union(*map(content_runs, templates))
    for name in ("preamble", "instruction", "item", "cue"):
        for value, text in composition_of(tickets).side(name, "held_out").items():
            for piece in re.split(r"\{\w+\}", text):
                assert len(piece.strip()) < 3 or piece.strip() not in trained, (name, value)
            assert not content_runs(text) & runs, (name, value)


def test_the_phrasebook_of_training_leaks_no_held_out_component(tickets: Bank, wordings: list[Wording]) -> None:
    book = phrasebook([wording for wording in wordings if wording.trained], tickets)
    text = msgspec.json.encode(book).decode()
    for name in COMPONENTS:
        for value in composition_of(tickets).side(name, "held_out").values():
            assert value not in ("given", "reversed") and msgspec.json.encode(value).decode()[1:-1] not in text, value
    for wording in book.wordings.values():
        assert render(EXAMPLE, wording, book.bank) == render(EXAMPLE, wording, tickets)


def test_other_wordings_and_phrasebooks_are_as_without_a_composition(
    tickets: Bank, format_params: Callable[..., FormatParams]
) -> None:
    plain, params = read_bank(FOLDER / "tickets.yaml"), format_params()
    others = [wording for wording in available_wordings(tickets, params) if wording.family != "composed"]
    assert others == available_wordings(plain, params)
    assert msgspec.json.encode(phrasebook(others, tickets)) == msgspec.json.encode(phrasebook(others, plain))


def test_faults_name_the_line_the_value_and_what_is_allowed(tmp_path: Path) -> None:
    text = (FOLDER / "tickets-composed.yaml").read_text(encoding="utf-8")
    (tmp_path / "tickets.yaml").write_text((FOLDER / "tickets.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    for old, new in (
        ('classify: "Classify the ticket as {labels}."', 'classify: "Classify the ticket."'),
        ('last: "{preamble} {instruction}', 'last: "{instruction}'),
        ("rotated-2: rotated-2", "rotated-2: shuffled"),
        ('none: ""\n      task', 'No.ne: ""\n      task'),
        ("held_out_wordings: 48", "held_out_wordings: 0"),
    ):
        assert old in text
        text = text.replace(old, new, 1)
    path = tmp_path / "bank.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SteadyError) as caught:
        read_bank(path)
    message = str(caught.value)
    for fault in (
        "`held_out_wordings` is a number of wordings, at least 1, got 0",
        "preamble 'No.ne': use lower-case letters",
        "instruction 'classify': its slots are {labels}, each once, got 'Classify the ticket.'",
        "placement 'last': its slots are {instruction}, {item}, {preamble}, {cue}",
        "order 'rotated-2': expected given, reversed, alphabetical or rotated-1, rotated-2 …, got 'shuffled'",
    ):
        assert fault.split("{preamble}")[0] in message, (fault, message)
    assert len(message.splitlines()) == 5 and all(line.startswith(f"{path}:") for line in message.splitlines())
