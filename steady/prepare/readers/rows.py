"""What a data source yields: drafts of examples, rejected rows and rows left out on purpose; and how a row is checked."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import msgspec

from steady.records import Message, Rejected, Split

RAW_LIMIT = 2000
VALUE_LIMIT = 60
Values = dict[str, Any]
"""The fields of a raw record, or of a JSON document: whatever the file has."""


# Drafts hold no reference to themselves: the garbage collector need not walk millions of them.
class Draft(msgspec.Struct, kw_only=True, omit_defaults=True, gc=False):
    """An example before it has an id: the fields are those of `Example`; `group` is the group that the data give, if any, and
    `classified` says that it is of a label task, also where it has no label. Without `references` the output is the only one.
    """

    instruction: str = ""
    input: str = ""
    output: str = ""
    references: list[str] = []
    labels: list[str] = []
    messages: list[Message] | None = None
    rejected: str | None = None
    language: str | None = None
    split: Split | None = None
    group: str | None = None
    source: str = ""
    line: int = 0
    meta: Values = {}
    classified: bool = False


class LeftOut(NamedTuple):
    """A record that is fine but not wanted: a filter of the source said so; `code` names the filter."""

    line: int
    code: str


class Finding(NamedTuple):
    """One thing wrong with a row: a stable code, and what was got and what is allowed."""

    code: str
    reason: str


class Unreadable(NamedTuple):
    """A file, or the rest of one, that cannot be read: no setting lets it pass."""

    rejected: Rejected


# A record becomes drafts, or all that is wrong with it, or is left out.
Item = Draft | list[Rejected] | LeftOut | Unreadable
Record = tuple[int, Any, bytes | str]
"""The line of a raw record (from 1), its object or text or the list of its findings, and its raw text."""


class Row:
    """One raw record: its fields are asked for by name, and whatever is wrong is noted, so that all faults are reported.

    A field that is wrong reads as the empty value of its kind; the caller throws its draft away when `findings` is not empty.
    """

    __slots__ = ("findings", "line", "values")

    def __init__(self, values: Mapping[str, Any], line: int) -> None:
        self.values = values
        self.line = line
        self.findings: list[Finding] = []

    def note(self, code: str, reason: str) -> None:
        """Add a finding."""
        self.findings.append(Finding(code, reason))

    def mismatch(self, place: str, value: Any, wanted: str, code: str = "wrong_type") -> None:
        """Add the finding that a value is not of the kind that is wanted."""
        self.note(code, f"`{place}` is {show(value)} ({json_type(value)}); it must be {wanted}.")

    def text(self, name: str, *, empty: bool = False) -> str:
        """The text of a field; `empty` allows it to be blank."""
        value = self.values.get(name)
        # A number is refused too, rather than written out in one of several ways.
        if type(value) is not str:
            if name in self.values:
                self.mismatch(name, value, "text")
            else:
                reason = f"there is no `{name}`; the row has {listed(self.values)} (`columns` renames)."
                self.note("missing_field", reason)
            return ""
        if not empty and not value.strip():
            self.note("empty_text", f"`{name}` is {show(value)}; it must hold text. Fill it in or delete the row.")
        return value

    def optional(self, name: str) -> str:
        """The text of a field that may be missing, null or blank: then `""`."""
        return self.text(name, empty=True) if self.values.get(name) is not None else ""

    def answer(self, name: str) -> str:
        """The text of an answer without outer white space; a blank one has the code `empty_output`."""
        text = self.text(name, empty=True).strip()
        if not text and isinstance(self.values.get(name), str):
            self.note(
                "empty_output",
                f"`{name}` is {self.values[name]!r}; an answer is needed to train on. Fill it in or leave the row out.",
            )
        return text

    def objects(self, name: str, *, required: bool) -> "Iterator[Row]":
        """The objects listed in a field, as rows with the findings of this one; missing and null are no object unless `required`."""
        value = self.values.get(name)
        if value is None and not required:
            return
        if not isinstance(value, list) or (required and not value):
            self.mismatch(name, value, "a list of objects", "missing_field")
            return
        for place, item in enumerate(value):
            if isinstance(item, Mapping):
                yield self.inner(item)
            else:
                self.mismatch(f"{name}[{place}]", item, "an object")

    def inner(self, values: Mapping[str, Any]) -> "Row":
        """An object within this record: what is wrong with it is wrong with the record."""
        row = Row(values, self.line)
        row.findings = self.findings
        return row


def rejection(source: str, line: int, finding: Finding, raw: bytes | str) -> Rejected:
    """The record of a rejected row; the raw text is cut at 2,000 characters, and bytes that are no UTF-8 are shown as `\\xNN`."""
    # A character has at most four bytes.
    text = raw[: 4 * RAW_LIMIT].decode("utf-8", "backslashreplace") if isinstance(raw, bytes) else raw[: 4 * RAW_LIMIT]
    text = text.encode("utf-8", "backslashreplace").decode()
    if len(text) > RAW_LIMIT:
        text = f"{text[:RAW_LIMIT]}… [cut]"
    return Rejected(source=source, line=line, code=finding.code, reason=finding.reason, raw=text)


def show(value: Any) -> str:
    """A value as a message shows it: JSON-like and short."""
    text = ascii(value) if isinstance(value, str) and not value.isprintable() else repr(value)
    return text if len(text) <= VALUE_LIMIT else f"{text[:VALUE_LIMIT]}…"


def listed(names: Iterable[Any]) -> str:
    """Names for a message: quoted, in their order."""
    return ", ".join(f"`{name}`" for name in names) or "no fields"


def json_type(value: Any) -> str:
    """The JSON name of a value's type."""
    names = {bool: "true or false", type(None): "null", int: "a number", float: "a number", list: "a list"}
    return names.get(type(value), "an object" if isinstance(value, Mapping) else type(value).__name__)
