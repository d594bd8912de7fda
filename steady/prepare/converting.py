"""Stream a source: every raw record becomes drafts, or findings with file and line, or the note that it is left out."""

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any

from steady.prepare import formats
from steady.prepare.context import Context, Convert, Items
from steady.prepare.readers.files import File, find_files, records
from steady.prepare.readers.forms import other_form
from steady.prepare.readers.opening import UnreadableError
from steady.prepare.readers.params import Column, SourceParams
from steady.prepare.readers.rows import Draft, Finding, Item, LeftOut, Record, Row, Unreadable, Values, rejection

PARAPHRASES = "paraphrases"
NO_FILE = (
    "no such file (named in `data.sources`). Run `dvc pull`, or set `path` to a file, folder or pattern; in an experiment, "
    "is it tracked by Git or DVC?"
)
_MISSING: Any = object()  # None is a value that a column may have


def read_source(source: SourceParams, labels: tuple[str, ...] | None, multi_label: bool = False) -> Iterator[Item]:
    """Yield what a source holds, file by file in the order of their names; a source without anything is `Unreadable`."""
    files = find_files(source)
    if not files:
        yield Unreadable(rejection(source.path, 1, Finding("missing_file", NO_FILE), ""))
        return
    context = Context(source, labels, multi_label)
    module = formats.module(source.format)
    item: Item | None = None
    for item in module.items(files, context) if hasattr(module, "items") else _each(files, context, module.drafts):
        yield item
    # A file of nothing but blank lines is most likely the wrong file.
    if item is None:
        reason = f"there is nothing in it. Put at least one row of the format `{source.format}` into it."
        yield Unreadable(rejection(source.path, 1, Finding("empty_file", reason), ""))


def _each(files: list[File], context: Context, convert: Convert) -> Items:
    for file in files:
        found = (convert_record(file, record, context, convert) for record in records(file, context.source))
        yield from to_the_fault(file, chain.from_iterable(found))


def convert_record(file: File, record: Record, context: Context, convert: Convert) -> Items:
    """What one raw record becomes: its drafts, its findings, or that it is left out."""
    line, value, raw = record
    source = context.source
    if isinstance(value, list):
        yield refused(file, line, value, raw, source)
        return
    row = row_of(value, line, source)
    # The findings are complete when the last draft is made.
    drafts = list(convert(row, context))
    language = row.values.get("language", row.values.get("lang"))
    # Other wordings of its instruction, or of its question where it has none, that a row of any format brings.
    worded = [] if row.values.get(PARAPHRASES) is None else row.values[PARAPHRASES]
    if not isinstance(worded, list) or not all(isinstance(text, str) and text.strip() for text in worded):
        row.mismatch(PARAPHRASES, worded, "a list of texts")
    if row.findings:
        values = value if isinstance(value, dict) else {"text": value}
        # Columnar files have no raw text.
        yield refused(file, line, other_form(values, row.findings), raw or repr(dict(row.values)), source)
        return
    for draft in drafts:
        if isinstance(draft, LeftOut):
            yield draft
            continue
        if draft.language is None and isinstance(language, str):
            draft.language = language or None
        if worded:
            draft.meta = {**draft.meta, PARAPHRASES: [text.strip() for text in worded]}
        yield placed(draft, file, line, source)


def to_the_fault(file: File, items: Items) -> Items:
    """The items of a file, up to the place from which on it cannot be read."""
    try:
        yield from items
    except UnreadableError as error:
        yield Unreadable(rejection(file.name, error.line, error.finding, ""))


def row_of(value: Values | str, line: int, source: SourceParams) -> Row:
    """A record with its fields, by the source's `columns` where it names some; without its column a field is missing."""
    # A text stands for the object that has it as `text`.
    values = {"text": value} if isinstance(value, str) else value
    fields = dict(values) if source.columns else values
    for field, columns in source.columns.items():
        # A column called like the field must not stand in for the one that is named.
        fields.pop(field, None)
        parts = [_pick(values, column) for column in (columns if isinstance(columns, list) else [columns])]
        if len(parts) == 1 and parts[0] is not _MISSING:
            fields[field] = parts[0]
        elif len(parts) > 1 and _MISSING not in parts:
            fields[field] = source.join.join(str(part) for part in parts if part not in (None, ""))
    return Row(fields, line)


def _pick(values: Mapping[str, Any], column: Column) -> Any:
    """The value of a column: by its name, by its number, or by a path such as `meta.category`."""
    if isinstance(column, int):
        # A row keeps the order of the columns in the file.
        names = list(values)
        return values[names[column]] if column < len(names) else _MISSING
    # A column's own name may have dots in it.
    if column in values:
        return values[column]
    value: Any = values
    for part in column.split("."):
        if not isinstance(value, Mapping) or part not in value:
            return _MISSING
        value = value[part]
    return value


def refused(file: File, line: int, findings: list[Finding], raw: bytes | str, source: SourceParams) -> Item:
    """A record with findings: left out where the source says so for all of them, else rejected."""
    # A row that has another fault as well is rejected: somebody should look at it.
    if {finding.code for finding in findings} <= {*source.leave_out, "blank_row"}:
        return LeftOut(line, findings[0].code)
    return [rejection(file.name, line, finding, raw) for finding in findings]


def placed(draft: Draft, file: File, line: int, source: SourceParams) -> Item:
    """The draft with its place and split, or that its language is not wanted."""
    if source.languages is not None and draft.language not in source.languages:
        return LeftOut(line, "language" if draft.language else "language_unknown")
    draft.source, draft.line, draft.split = file.name, line, source.split
    draft.references = draft.references or [draft.output]
    return draft
