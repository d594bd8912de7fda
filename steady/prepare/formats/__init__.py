"""The formats of raw data: a module each, whose file name, with dashes, is what a source in `data.sources` calls it.

A format has `SAMPLE`, an example row for `python -m steady sources`, and one of two functions:

* `drafts(row: Row, context: Context) -> Iterator[Draft | LeftOut]`: what one record holds; what is wrong with it is noted in the row;
* `items(files: list[File], context: Context) -> Iterator[Item]`: what all files hold, where records belong together.

With `SAME_OUTPUT = True` rows of one group that have different outputs are rejected.
"""

import pkgutil
from importlib import import_module
from types import ModuleType


def names() -> tuple[str, ...]:
    """The names of all formats; none is imported."""
    return tuple(sorted(module.name.replace("_", "-") for module in pkgutil.iter_modules(__path__)))


def module(name: str) -> ModuleType:
    """The module of a format."""
    return import_module(f"{__name__}.{name.replace('-', '_')}")
