"""Stream a source: every raw record becomes drafts, or findings with file and line, or the note that it is left out."""

from collections.abc import Iterator, Mapping
from typing import Any

from steady.prepare import formats
from steady.prepare.context import Context, Convert, Items
from steady.prepare.readers.files import File, find_files, records, unreadable
from steady.prepare.readers.forms import other_form
from steady.prepare.readers.opening import UnreadableError
from steady.prepare.readers.params import Column, SourceParams
from steady.prepare.readers.rows import Draft, Finding, Item, LeftOut, Record, Row, Unreadable, Values, rejection

PARAPHRASES = "paraphrases"
ALWAYS_LEFT_OUT = ("blank_row",)
NO_FILE = (
    "no such file (named in `data.sources`). Run `dvc pull`, or set `path` to a file, folder or pattern; in an experiment, "
    "is it tracked by Git or DVC?"
)
_MISSING: Any = object()  # None is a value that a column may have


def read_source(source: SourceParams, labels: tuple[str, ...] | None, multi_label: bool = False) -> Iterator[Item]:
    """Yield what a source holds, file by file in the order of their names; a source without anything is `Unreadable`."""
    files = find_files(source)
    if not files:
        yield _without(source, "missing_file", NO_FILE)
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
        reason = f"there is nothing in it. Put at least one row of the format `{source.format}` into it."
        yield _without(source, "empty_file", reason)


def _without(source: SourceParams, code: str, reason: str) -> Unreadable:
    return Unreadable(rejection(source.path, 1, Finding(code, reason), ""))


def _each(files: list[File], context: Context, convert: Convert) -> Items:
    for file in files:
        found = (convert_record(file, record, context, convert) for record in records(file, context.source))
        yield from to_the_fault(file, (item for items in found for item in items))


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
    paraphrases, language = _paraphrases(row), row.values.get("language", row.values.get("lang"))
    if row.findings:
        # Columnar files have no raw text.
        yield refused(file, line, other_form(_as_object(value), row.findings), raw or repr(dict(row.values)), source)
        return
    for draft in drafts:
        if isinstance(draft, LeftOut):
            yield draft
            continue
        if draft.language is None and isinstance(language, str):
            draft.language = language or None
        if paraphrases:
            draft.meta = {**draft.meta, PARAPHRASES: paraphrases}
        yield placed(draft, file, line, source)


def to_the_fault(file: File, items: Items) -> Items:
    """The items of a file, up to the place from which on it cannot be read."""
    try:
        yield from items
    except UnreadableError as error:
        yield unreadable(file, error)


def row_of(value: Values | str, line: int, source: SourceParams) -> Row:
    """A record with its fields, by the source's `columns` where it names some."""
    values = _as_object(value)
    return Row(_mapped(values, source) if source.columns else values, line)


def _as_object(value: Values | str) -> Values:
    # A text stands for the object that has it as `text`.
    return {"text": value} if isinstance(value, str) else value


def _mapped(values: Values, source: SourceParams) -> Values:
    """The row with the fields that `columns` describes; a field whose column is missing is missing too."""
    result = dict(values)
    for field, columns in source.columns.items():
        # A column called like the field must not stand in for the one that is named.
        result.pop(field, None)
        parts = [_pick(values, column) for column in (columns if isinstance(columns, list) else [columns])]
        if len(parts) == 1 and parts[0] is not _MISSING:
            result[field] = parts[0]
        elif len(parts) > 1 and _MISSING not in parts:
            result[field] = source.join.join(str(part) for part in parts if part not in (None, ""))
    return result


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


def _paraphrases(row: Row) -> list[str]:
    """Other wordings of its instruction, or of its question where it has none, that a row of any format brings."""
    value = row.values.get(PARAPHRASES)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(text, str) and text.strip() for text in value):
        row.mismatch(PARAPHRASES, value, "a list of texts")
        return []
    return [text.strip() for text in value]


def refused(file: File, line: int, findings: list[Finding], raw: bytes | str, source: SourceParams) -> Item:
    """A record with findings: left out where the source says so for all of them, else rejected."""
    codes = {finding.code for finding in findings}
    # A row that has another fault as well is rejected: somebody should look at it.
    if codes <= {*source.leave_out, *ALWAYS_LEFT_OUT}:
        return LeftOut(line, findings[0].code)
    return [rejection(file.name, line, finding, raw) for finding in findings]


def placed(draft: Draft, file: File, line: int, source: SourceParams) -> Item:
    """The draft with its place and split, or that its language is not wanted."""
    if source.languages is not None and draft.language not in source.languages:
        return LeftOut(line, "language" if draft.language else "language_unknown")
    draft.source, draft.line, draft.split = file.name, line, source.split
    draft.references = draft.references or [draft.output]
    return draft
