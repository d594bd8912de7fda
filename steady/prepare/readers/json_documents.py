"""JSON documents, streaming: the elements of one array (or the values of one object), each with the line it begins on.

An element that is no JSON becomes a finding, and reading goes on at the next element that can be made out.
"""

from collections.abc import Iterator
from typing import IO, Any

from steady.prepare.readers.json_faults import RefusedError, bad_bytes, record_of
from steady.prepare.readers.json_window import Window
from steady.prepare.readers.rows import Finding, Record, Values


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
                head[name] = _sound(window)
        # Behind the closing brace, unless the end was reached in search of an element.
        window.position += not window.lost
    except RefusedError as error:
        yield window.line + error.lines, [error.finding], window.text[window.position :][:200]
        window.advance(len(window.text))
        return
    if not found:
        reason = f"there are no rows under `{records}`; the document has {', '.join(head) or 'no members'}. Correct `records`."
        yield 1, [Finding("missing_records", reason)], ""


def _sound(window: Window) -> Any:
    """A value beside the records: a NaN there harms nobody (tasks of Natural Instructions have `"Reasoning": [NaN]`)."""
    value = window.value()
    findings = [finding for finding in value.findings if finding.code != "not_finite"]
    if findings:
        raise RefusedError(findings[0])
    return value.value


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
