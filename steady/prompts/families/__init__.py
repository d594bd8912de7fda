"""The families of rewordings: a module each, whose file name is what `format.trained_families` and `sensitivity.families` call it.

A family has two functions, and a third where not every example can be worded so:

* `wordings(task: Task) -> list[Wording]`: every wording of the family for a task, each one given its level by `levels.placed`;
* `render(example: Example, wording: Wording, bank: Bank | None) -> str`: the prompt of an example under one of them. Equal
  arguments give equal text on any machine, so chance is seeded from the ids. It raises KeyError or IndexError where the bank or
  the example does not have what the wording names;
* `applies(example: Example, wording: Wording, bank: Bank | None) -> bool`: whether an example can be worded so; left out: always.
"""

import pkgutil
from functools import cache
from importlib import import_module
from types import ModuleType

# The schedule takes families in turn, in this order. Others follow by name, so that adding one keeps the prompts of these.
FIRST = ("spelling", "format", "paraphrase", "surface", "order")


def names() -> tuple[str, ...]:
    """The names of all families; none is imported."""
    found = sorted(module.name for module in pkgutil.iter_modules(__path__))
    return tuple(sorted(found, key=lambda name: FIRST.index(name) if name in FIRST else len(FIRST)))


@cache
def modules() -> dict[str, ModuleType]:
    """The modules of all families by name."""
    return {name: import_module(f"{__name__}.{name}") for name in names()}
