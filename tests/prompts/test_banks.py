"""The banks that come with the project: what is held out there is new to a model trained on the rest."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from steady.errors import SteadyError
from steady.prompts.bank import read_bank
from steady.prompts.families.format import HELD_OUT
from steady.prompts.levels import CANONICAL_WORDING, available_wordings
from steady.prompts.params import FormatParams
from steady.prompts.render import render
from steady.records import Example

BANKS = sorted((Path(__file__).parents[2] / "data/raw/wordings").glob("*.yaml"))
LABELS = {"generic": ("red", "green", "blue")}  # a bank that serves any task names none of its own


@pytest.mark.parametrize("path", BANKS, ids=lambda path: path.stem)
def test_a_bank_has_enough_templates_on_both_sides(path: Path) -> None:
    bank = read_bank(path, LABELS.get(path.stem))
    trained = [template for template in bank.templates.values() if template.trained]
    held_out = [template for template in bank.templates.values() if not template.trained]
    assert bank.task == path.stem.removesuffix("-composed")
    assert len(trained) >= 9 and len(held_out) >= 8


@pytest.mark.parametrize("path", BANKS, ids=lambda path: path.stem)
def test_no_trained_prompt_has_a_held_out_separator_or_number(
    path: Path, format_params: Callable[..., FormatParams]
) -> None:
    bank = read_bank(path, LABELS.get(path.stem))
    shown = Example(id="1", group_id="1", input="ITEM")
    signs = {text.strip() for component in ("separator", "space") for text in HELD_OUT[component].values()}
    unseen = re.compile("|".join(rf"(?:(?<=\s)|(?<=\w)){re.escape(sign)}(?=\s)" for sign in signs))
    numbers = re.compile(r"\[\w+\]\s*\w+ *[,;\n]|<\w+>|[ⅠⅡⅢ]")
    for wording in available_wordings(bank, format_params(formats=100)):
        if wording.trained:
            prompt = render(shown, wording, bank)
            assert not unseen.search(prompt), (wording.id, prompt)
            assert not numbers.search(prompt), (wording.id, prompt)


def test_there_are_banks() -> None:
    assert {path.stem for path in BANKS} >= {"tickets", "news", "generic"}


def test_the_generic_bank_takes_the_labels_of_the_task_and_is_refused_without_any() -> None:
    path = next(path for path in BANKS if path.stem == "generic")
    bank = read_bank(path, ("refund", "praise"))
    shown = Example(id="1", group_id="1", input="Thanks!")
    assert render(shown, CANONICAL_WORDING, bank) == "Classify this text as refund or praise.\n\nText: Thanks!\nLabel:"
    with pytest.raises(SteadyError, match=r"generic\.yaml:\d+: the bank names no `labels`"):
        read_bank(path)
