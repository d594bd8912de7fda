"""JSON documents, streaming: the elements of one array (or the values of one object), each with the line it begins on.

An element that is no JSON becomes a finding, and reading goes on at the next element that can be made out.
"""

import codecs
import re
from collections.abc import Iterator
from typing import IO, Any, NamedTuple

from steady.prepare.readers.json_lines import MAX_LINE_BYTES, RefusedError, bad_bytes, parse_next, record_of, too_long
from steady.prepare.readers.opening import BLOCK
from steady.prepare.readers.rows import Finding, Record, Values

_SPACE = re.compile(r"[ \t\n\r]*")
_KEPT = 100


class Value(NamedTuple):
    """A JSON value as it was read: what is wrong with it, its text, and the line it begins on."""

    value: Any
    findings: list[Finding]
    raw: str
    line: int


class Window:
    """A part of the text: from `position` on it is still to be read, and `line` (from 1) is the line of `position`.

    `lost` says that the end was reached in search of an element behind a damaged one.
    """

    def __init__(self, handle: IO[bytes]) -> None:
        # Bytes that are no UTF-8 become lone surrogates here, so that they are found in the element they damage.
        self._decode = codecs.getincrementaldecoder("utf-8")("surrogateescape").decode
        self._handle = handle
        self.text = ""
        self.position = 0
        self.line = 1
        self.ended = False
        self.lost = False
        self.grow()
        self.position = int(self.text.startswith("\ufeff"))

    def grow(self) -> bool:
        """Drop what is behind `position` and read as much again as is left, at least a block; False at the end."""
        if self.ended:
            return False
        # Twice as much each time, so that a long value is parsed few times over.
        block = self._handle.read(max(BLOCK, len(self.text) - self.position))
        # A few characters behind the position stay, since they tell how far the element there is indented.
        start = max(0, self.position - _KEPT)
        self.text = self.text[start:] + self._decode(block, final=not block)
        self.position -= start
        self.ended = not block
        return True

    def advance(self, position: int) -> None:
        """Move on to a position, counting lines."""
        self.line += self.text.count("\n", self.position, position)
        self.position = position

    def next_character(self) -> str:
        """Move to the next character that is no white space and return it; `""` at the end."""
        while True:
            match = _SPACE.match(self.text, self.position)
            self.advance(match.end() if match else self.position)
            if self.position < len(self.text) or not self.grow():
                return self.text[self.position : self.position + 1]

    def step(self) -> None:
        """Move behind one character, which is no line break."""
        self.position += 1

    def value(self) -> Value:
        """Read the value and move behind it; RefusedError where there is none or it is too long, and the position stays."""
        while True:
            line, start = self.line, self.position
            try:
                value, end, findings = parse_next(self.text, start)
                # A number at the end of the window may go on in the next block.
                if end < len(self.text) - 1 or self.ended:
                    self.advance(end)
                    return Value(value, findings, self.text[start:end], line)
            except RefusedError as error:
                if self.ended or not error.at_end:
                    raise
            if len(self.text) - start > MAX_LINE_BYTES:
                raise RefusedError(too_long(len(self.text) - start))
            self.grow()

    def indent(self) -> str | None:
        """The white space before the position on its line; None when something else is before it, or the line is long."""
        start = self.text.rfind("\n", 0, self.position)
        before = self.text[start + 1 : self.position]
        return before if start >= 0 and not before.strip() else None

    def resume(self, opening: str, closing: str) -> None:
        """Move to the next element that begins with `opening`, as far indented as the one at the position, or to what closes them.

        Where neither is found the window is `lost`, at the end.
        """
        indent, begins, ends = self.indent(), rf"(?={re.escape(opening)})", rf"(?={re.escape(closing)})"
        if indent is None:
            pattern = re.compile(rf"\}}\s*,\s*{begins}")
        else:
            pattern = re.compile(rf"\n{indent}{begins}|\n[ \t]{{0,{len(indent)}}}{ends}")
        self.step()
        while not (match := pattern.search(self.text, self.position)):
            self.advance(max(self.position, len(self.text) - _KEPT))
            if not self.grow():
                self.advance(len(self.text))
                self.lost = True
                return
        self.advance(match.end())


def json_document(handle: IO[bytes], records: str | None, head: Values) -> Iterator[Record]:
    """Yield `(line, value, raw)` for each record: `value` is an object, or the list of its findings.

    Args:
        records: the key of the array or object that holds the records, dotted where it lies deeper (`data.train`); None: the
            document is an array.
        head: filled with the other members of the document as they are met; complete when the records are exhausted.
    """
    window = Window(handle)
    opening = window.next_character()
    if not opening:
        return
    if records is None:
        yield from _elements(window, opening, "a JSON array of objects")
    else:
        yield from _members(window, opening, records, head)
    # Two documents in one file, or rows behind the array, must not be dropped silently.
    if character := window.next_character():
        yield window.line, [_unexpected("the end of the file", character)], window.text[window.position :][:200]


def _members(window: Window, opening: str, records: str, head: Values) -> Iterator[Record]:
    """The elements of the member `records`; what makes the document itself unreadable ends it with one finding."""
    found = False
    outer, _, deeper = records.partition(".")
    try:
        _expect(opening, "{", f"an object with `{records}`")
        window.step()
        while not window.lost and (character := window.next_character()) != "}":
            if character == ",":
                window.step()
                continue
            _expect(character, '"', "a name in double quotes")
            name = window.value().value
            _expect(window.next_character(), ":", "a colon")
            window.step()
            opening = window.next_character()
            if name == records and opening and opening in "[{":
                found = True
                yield from _elements(window, opening, f"the rows of `{records}`")
            elif deeper and name == outer and opening == "{":
                found = True
                yield from _members(window, opening, deeper, head)
            else:
                value = window.value()
                # A NaN beside the records harms nobody (tasks of Natural Instructions have `"Reasoning": [NaN]`).
                if findings := [finding for finding in value.findings if finding.code != "not_finite"]:
                    raise RefusedError(findings[0])
                head[name] = value.value
        # Behind the closing brace, unless the end was reached in search of an element.
        window.position += not window.lost
    except RefusedError as error:
        yield window.line + error.lines, [error.finding], window.text[window.position :][:200]
        window.advance(len(window.text))
        return
    if not found:
        reason = f"there are no rows under `{records}`; the document has {', '.join(head) or 'no members'}. Correct `records`."
        yield 1, [Finding("missing_records", reason)], ""


def _elements(window: Window, opening: str, expected: str) -> Iterator[Record]:
    if opening not in ("[", "{") or (opening == "{" and expected.startswith("a JSON array")):
        yield window.line, [_unexpected(expected, opening)], window.text[window.position :][:200]
        window.advance(len(window.text))
        return
    # What an element begins with, by which the next one is found behind a damaged one.
    closing, first = ("]", "{") if opening == "[" else ("}", '"')
    window.step()
    while (character := window.next_character()) != closing:
        if character == ",":
            window.step()
        elif window.lost:
            return
        elif not character:
            yield window.line, [Finding("truncated", "the file ends before the array does; is it cut off?")], ""
            return
        else:
            yield _element(window, character if character in "[{" else first, closing)
    window.step()


def _element(window: Window, first: str, closing: str) -> Record:
    try:
        if first == '"':
            window.value()
            _expect(window.next_character(), ":", "a colon")
            window.step()
            window.next_character()
        read = window.value()
    except RefusedError as error:
        record = window.line + error.lines, [error.finding], window.text[window.position :][:2000]
        # One damaged element costs itself alone.
        window.resume(first, closing)
        return record
    findings = bad_bytes(read.raw) or read.findings
    return read.line, findings or record_of(read.value, "element", "an object"), read.raw


def _expect(got: str, wanted: str, description: str) -> None:
    if got != wanted:
        raise RefusedError(_unexpected(description, got))


def _unexpected(expected: str, got: str) -> Finding:
    if not got:
        return Finding("truncated", f"the file ends where {expected} should stand; is it cut off?")
    return Finding("not_json", f"{got!r} stands where {expected} should.")
