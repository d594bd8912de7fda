"""One raw record to drafts, findings or the note that it is left out."""

from steady.prepare.columns import mapped
from steady.prepare.context import Context, Convert, Items
from steady.prepare.readers.files import File, Record, unreadable
from steady.prepare.readers.forms import other_form
from steady.prepare.readers.opening import UnreadableError
from steady.prepare.readers.params import SourceParams
from steady.prepare.readers.rows import Draft, Finding, Item, LeftOut, Row, Values, json_type, rejection, show

PARAPHRASES = "paraphrases"
ALWAYS_LEFT_OUT = ("blank_row",)


def convert_record(file: File, record: Record, context: Context, convert: Convert) -> Items:
    """What one raw record becomes: its drafts, its findings, or that it is left out."""
    line, value, raw = record
    source = context.source
    if isinstance(value, list):
        yield refused(file, line, value, raw, source)
        return
    row = Row(mapped(as_object(value), source) if source.columns else as_object(value), line)
    # The findings are complete when the last draft is made.
    drafts = list(convert(row, context))
    paraphrases = _paraphrases(row)
    if row.findings:
        # Columnar files have no raw text.
        yield refused(file, line, other_form(as_object(value), row.findings), raw or repr(dict(row.values)), source)
        return
    for draft in drafts:
        if isinstance(draft, LeftOut):
            yield draft
            continue
        if draft.language is None:
            draft.language = _language(row)
        if paraphrases:
            draft.meta = {**draft.meta, PARAPHRASES: paraphrases}
        yield placed(draft, file, line, source)


def to_the_fault(file: File, items: Items) -> Items:
    """The items of a file, up to the place from which on it cannot be read."""
    try:
        yield from items
    except UnreadableError as error:
        yield unreadable(file, error)


def as_object(value: Values | str) -> Values:
    """A record as an object: a text stands for the object that has it as `text`."""
    return {"text": value} if isinstance(value, str) else value


def _paraphrases(row: Row) -> list[str]:
    """Other wordings of its instruction, or of its question where it has none, that a row of any format brings."""
    value = row.values.get(PARAPHRASES)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(text, str) and text.strip() for text in value):
        row.note("wrong_type", f"`{PARAPHRASES}` is {show(value)} ({json_type(value)}); it must be a list of texts.")
        return []
    return [text.strip() for text in value]


def _language(row: Row) -> str | None:
    value = row.values.get("language", row.values.get("lang"))
    return value if isinstance(value, str) and value else None


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
    return draft
