"""The order family: the canonical prompt with its labels in another order.

Orders of odd seeds are trained on, those of even seeds held out. Where the family is not trained on but trained templates of the
bank reorder the labels, its wordings test at L1 and not at L2, because reordering as such was trained on.
"""

import random

from msgspec.structs import replace

from steady.prompts.bank import Bank
from steady.prompts.canonical import canonical_parts
from steady.prompts.levels import Task, placed
from steady.prompts.parts import join, split_template
from steady.records import Example, Wording

KNOWN = "family order is not trained on, but trained templates reorder the labels"


def wordings(task: Task) -> list[Wording]:
    """As many different orders as `format.orders` asks for, or as the first seeds give, which for few labels is all."""
    bank, params = task.bank, task.params
    if bank is None or not bank.templates:
        return []
    if not any(part.kind == "labels" for part in split_template(bank.templates[bank.canonical].template)):
        return []
    seen = {bank.templates[bank.canonical].labels or bank.labels}
    found = []
    # Few labels have fewer orders than are asked for.
    for seed in range(1, 20 * params.orders):
        order = order_of(bank.labels, seed)
        if order not in seen and len(seen) <= params.orders:
            seen.add(order)
            name, trained = f"order/s{seed}", seed % 2 == 1
            found.append(Wording(id=name, family="order", operator="permute", seed=seed, trained=trained))
    reordered = any(template.labels and template.trained for template in bank.templates.values())
    # An exception to the rule of the levels, which the top of this file explains.
    if reordered and "paraphrase" in params.trained_families and "order" not in params.trained_families:
        return [replace(wording, trained=False, rule=KNOWN) for wording in found]
    return [placed(wording, params) for wording in found]


def render(example: Example, wording: Wording, bank: Bank | None) -> str:
    """The canonical prompt with the labels in the order of the wording's seed."""
    return join(canonical_parts(example, bank, order_of(bank.labels if bank else (), wording.seed)))


def order_of(labels: tuple[str, ...], seed: int) -> tuple[str, ...]:
    """The labels in the order that a seed gives."""
    return tuple(random.Random(f"order:{seed}").sample(labels, len(labels)))
