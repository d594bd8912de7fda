"""Stream a source: every raw record becomes drafts, or findings with file and line, or is left out."""

from collections.abc import Iterator
from importlib import import_module
from types import ModuleType
from typing import get_args

from steady.prepare.context import Context, Convert, Items
from steady.prepare.converting import convert_record
from steady.prepare.readers.files import File, empty, find_files, missing, records, unreadable
from steady.prepare.readers.opening import UnreadableError
from steady.prepare.readers.params import Format, SourceParams
from steady.prepare.readers.rows import Item, Unreadable


def read_source(source: SourceParams, labels: tuple[str, ...] | None, multi_label: bool = False) -> Iterator[Item]:
    """Yield what a source holds, file by file in the order of their names; a source without anything is `Unreadable`."""
    files = find_files(source)
    if not files:
        yield Unreadable(missing(source))
        return
    context = Context(source, labels, multi_label)
    module = format_module(source.format)
    something = False
    items = module.items(files, context) if hasattr(module, "items") else _each(files, context, module.drafts)
    for item in items:
        something = True
        yield item
    if not something:
        yield Unreadable(empty(source))


def _each(files: list[File], context: Context, convert: Convert) -> Items:
    for file in files:
        try:
            for record in records(file, context.source):
                yield from convert_record(file, record, context, convert)
        except UnreadableError as error:
            yield unreadable(file, error)


def format_module(name: str) -> ModuleType:
    """The module of a format: it has `SAMPLE`, and `drafts` of a row or `items` of all files."""
    return import_module(f"steady.prepare.formats.{name.replace('-', '_')}")


def format_modules() -> dict[str, ModuleType]:
    """The modules of all formats, by name."""
    return {name: format_module(name) for name in get_args(Format)}
