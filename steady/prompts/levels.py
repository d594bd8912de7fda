"""All wordings of a task, and the level at which each one tests.

The rule of the levels (`Wording.level` is the level on groups not seen in training; prompts of the train split are L0):

* a family that is not in `format.trained_families`: L2, and none of its wordings is trained on;
* a wording with a part that no trained wording has (a separator seen only in testing, say): L2, held out;
* everything else is L1: `trained` says whether the tuned arm may train on it.

Which wordings of a trained family are held out, and any exception to the rule, stands in the family's module.
"""

from typing import NamedTuple

from msgspec.structs import replace

from steady.prompts import families
from steady.prompts.bank import Bank
from steady.prompts.params import FormatParams
from steady.records import CANONICAL, Wording

CANONICAL_WORDING = Wording(
    id=CANONICAL, family=CANONICAL, operator=CANONICAL, level="L1", trained=True, rule="trained"
)
OF_THE_EXAMPLE = "item"
"""Operator of a wording whose text each example brings itself: it is trained on, and new with every group not trained on."""


class Task(NamedTuple):
    """What a family makes its wordings for; an example brings at most `item_paraphrases` paraphrases of its own."""

    bank: Bank | None
    params: FormatParams
    item_paraphrases: int = 0


def available_wordings(bank: Bank | None, params: FormatParams, item_paraphrases: int = 0) -> list[Wording]:
    """Every wording of a task, the canonical one first; equal arguments give equal lists."""
    task = Task(bank, params, item_paraphrases)
    return [
        CANONICAL_WORDING,
        *(wording for family in families.modules().values() for wording in family.wordings(task)),
    ]


def placed(wording: Wording, params: FormatParams, unseen: str = "") -> Wording:
    """The wording with its level and the reason for it; `unseen` is the part of it that no trained wording has, if there is one.

    Its `trained` says whether the tuned arm trains on it if it trains on its family.
    """
    # Before the parts: what is new in a family that is new as a whole is no separate fact.
    if wording.family not in params.trained_families:
        return replace(wording, level="L2", trained=False, rule=f"family {wording.family} is not trained on")
    if unseen:
        return replace(wording, level="L2", trained=False, rule=f"held-out {unseen}")
    return replace(wording, level="L1", rule="trained" if wording.trained else "held-out wording of a trained family")
