"""Stream a source: every raw record becomes drafts, or findings with file and line, or is left out."""

from collections.abc import Iterator

from steady.prepare import formats
from steady.prepare.context import Context, Convert, Items
from steady.prepare.converting import convert_record, to_the_fault
from steady.prepare.readers.files import File, empty, find_files, missing, records
from steady.prepare.readers.params import SourceParams
from steady.prepare.readers.rows import Item, Unreadable


def read_source(source: SourceParams, labels: tuple[str, ...] | None, multi_label: bool = False) -> Iterator[Item]:
    """Yield what a source holds, file by file in the order of their names; a source without anything is `Unreadable`."""
    files = find_files(source)
    if not files:
        yield Unreadable(missing(source))
        return
    context = Context(source, labels, multi_label)
    module = formats.module(source.format)
    # A file of nothing but blank lines is most likely the wrong file.
    something = False
    items = module.items(files, context) if hasattr(module, "items") else _each(files, context, module.drafts)
    for item in items:
        something = True
        yield item
    if not something:
        yield Unreadable(empty(source))


def _each(files: list[File], context: Context, convert: Convert) -> Items:
    for file in files:
        found = (convert_record(file, record, context, convert) for record in records(file, context.source))
        yield from to_the_fault(file, (item for items in found for item in items))
