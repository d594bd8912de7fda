"""Objectives that add something to the cross-entropy of a training step: a module each, with the name of its section.

A module has two functions:

* `penalty(step: Step, settings: Section) -> torch.Tensor | None`: what is added to the mean cross-entropy of the batch, in nats;
  None adds nothing, and the step is then that of `sft`, bit for bit;
* `faults(name: str, params: FinetuneParams) -> Iterator[str]`: why the arm of that name cannot be trained so.

`sft`, `dpo` and `grpo` have no module here: the first is the cross-entropy alone, the others are `steady.finetune.preference`.
"""

import pkgutil
from importlib import import_module
from typing import Any


def find_objective(name: str) -> Any:
    """The module of an objective, or None for one that has none here."""
    # By file name, so that a further objective is a file and its section.
    known = {module.name for module in pkgutil.iter_modules(__path__)} - {"step"}
    return import_module(f"{__name__}.{name}") if name in known else None
