"""The composed family: the wordings that follow from a bank's `composition` (`steady.prompts.composition`).

New combinations of trained values test at L1, values never trained on at L2. A bank without a composition has none of them.
"""

from msgspec import UnsetType

from steady.prompts.bank import Bank
from steady.prompts.canonical import item_text, shown_labels
from steady.prompts.composition import POOLS, Composition, draw, held_out_values, ordered, parse, template_of
from steady.prompts.levels import Task, placed
from steady.prompts.parts import fill, join, listed
from steady.records import Example, Wording


def wordings(task: Task) -> list[Wording]:
    """The drawn wordings of each pool; the operator is where the item stands."""
    if not applies(None, None, task.bank):
        return []
    composition = _composition(task.bank)
    found = []
    for pool in POOLS:
        for composed in draw(composition, pool):
            name, trained = composed.wording_id, pool == "trained"
            wording = Wording(id=name, family="composed", operator=composed.placement, trained=trained)
            found.append(placed(wording, task.params, unseen=", ".join(held_out_values(composition, composed))))
    return found


def render(example: Example, wording: Wording, bank: Bank | None) -> str:
    """The composed template filled, with the labels in the order that the wording names."""
    composition, composed = _composition(bank), parse(wording.id)
    assert bank is not None
    labels = ordered(bank.labels, composition.order.value(composed.order))
    item = item_text(example.instruction, example.input)
    return join(fill(template_of(composition, composed), item, shown_labels(bank, listed(labels))))


def applies(example: Example | None, wording: Wording | None, bank: Bank | None) -> bool:
    """Whether the bank has a composition."""
    return bank is not None and not isinstance(bank.composition, UnsetType)


def _composition(bank: Bank | None) -> Composition:
    if bank is None or isinstance(bank.composition, UnsetType):
        raise KeyError("composition")  # `render` says which wording is missing
    return bank.composition
