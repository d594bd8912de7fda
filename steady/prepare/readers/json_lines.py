"""JSON Lines, streaming; and the precise reading of JSON, slower than a quick decoder, which says what is wrong and where."""

import json
import re
from collections.abc import Iterator
from typing import IO, Any

import msgspec

from steady.prepare.readers.forms import numbered
from steady.prepare.readers.rows import Finding, Values, json_type, show

# So many digits always fit a signed 64-bit number; readers differ in what they make of longer ones.
MAX_INTEGER_DIGITS = 18


class RefusedError(Exception):
    """A value that is no JSON, or that JSON readers disagree about.

    `lines` counts the line breaks between the start of the value and the fault; `at_end` says that the text may only be too short.
    """

    def __init__(self, finding: Finding, lines: int = 0, *, at_end: bool = False) -> None:
        super().__init__(finding.reason)
        self.finding = finding
        self.lines = lines
        self.at_end = at_end


def decode_strictly(raw: bytes, *, last: bool = False) -> Values | str | list[Finding]:
    """The object (or string) on one line of JSON, or the list of its `Finding`s; `last` says that no line break follows."""
    # A byte that is no UTF-8 becomes a lone surrogate, so that its place can be named.
    text = raw.decode("utf-8", "surrogateescape")
    if faults := bad_bytes(text):
        return faults
    start = len(text) - len(text.lstrip())
    try:
        value, end, findings = parse_next(text, start)
    except RefusedError as error:
        finding = error.finding
        # In the middle of a file it is the line that ends too early, and not the file.
        if not last and finding.code == "truncated" and "\n" not in text[:-1]:
            reason = finding.reason.replace("is the file cut off?", "a line must hold one whole object.")
            finding = Finding("not_json", reason)
        return [finding]
    if text[end:].strip():
        near = show(text[end : end + 20])
        return [
            *findings,
            Finding("not_json", f"more text behind the object at column {end + 1}, near {near}; one object a line."),
        ]
    return findings or record_of(value, "line", "an object: {…}")


def record_of(value: Any, place: str, wanted: str) -> Values | str | list[Finding]:
    """The object, text or array by numbers that stands at a place; a finding where it is anything else."""
    value = numbered(value)
    if isinstance(value, dict | str):
        return value
    return [Finding("not_object", f"the {place} is {show(value)} ({json_type(value)}); it must be {wanted}.")]


def parse_next(text: str, start: int) -> tuple[Any, int, list[Finding]]:
    """The JSON value that begins at `start`, where it ends, and what is odd about it; RefusedError where there is none."""
    _noted.clear()
    try:
        value, end = _decoder.raw_decode(text, start)
    except json.JSONDecodeError as error:
        raise _not_json(text, start, error) from error
    except RecursionError as error:
        reason = "the value is nested too deeply to be read; a few levels are expected."
        raise RefusedError(Finding("too_deep", reason)) from error
    odd = _odd_text(value) if text.find("\\u", start, end) >= 0 else []
    return value, end, [*_noted, *odd]


def bad_bytes(text: str) -> list[Finding]:
    """A finding where the text, decoded with `surrogateescape`, holds a byte that is no UTF-8; its place is that of the first."""
    if text.isascii():
        return []
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        byte = ord(text[error.start]) - 0xDC00
        column = len(text[: error.start].rpartition("\n")[2].encode()) + 1
        reason = f"byte 0x{byte:02x} at column {column} is no UTF-8. Save the file as UTF-8, or set `encoding`."
        return [Finding("bad_utf8", reason)]
    return []


def _object(pairs: list[tuple[str, Any]]) -> Values:
    value = dict(pairs)
    if len(value) < len(pairs):
        seen: set[str] = set()
        for name, item in pairs:
            if name in seen:
                reason = f"`{name}` is given twice (again as {show(item)}); keep one."
                _noted.append(Finding("duplicate_key", reason))
            seen.add(name)
    return value


def _constant(text: str) -> None:
    _noted.append(Finding("not_finite", f"{text} is no JSON number; write a finite number or null."))


def _integer(text: str) -> int:
    if len(text.lstrip("-")) > MAX_INTEGER_DIGITS:
        reason = f"a number of {len(text)} digits; at most {MAX_INTEGER_DIGITS}, or make it a string."
        _noted.append(Finding("huge_number", reason))
        return 0
    return int(text)


def _float(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        reason = f"{text[:40]} is too large for a number; write a finite number or a string."
        _noted.append(Finding("not_finite", reason))
    return value


# One decoder for all values, since making one costs more than most values; its hooks note here what is odd.
_noted: list[Finding] = []
_decoder = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_constant, parse_int=_integer, parse_float=_float)


def _odd_text(value: Any) -> list[Finding]:
    findings = set()
    for text in _texts(value):
        if "\0" in text:
            findings.add(Finding("nul_character", "a text holds the NUL character (\\u0000); delete it."))
        half = next((character for character in text if "\ud800" <= character <= "\udfff"), None)
        if half:
            reason = f"\\u{ord(half):04x} is half a character without its other half; write the whole character."
            findings.add(Finding("lone_surrogate", reason))
    return sorted(findings)


def _texts(value: Any) -> Iterator[str]:
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, str):
            yield item
        elif isinstance(item, dict):
            stack += [*item, *item.values()]
        elif isinstance(item, list):
            stack += item


def _not_json(text: str, start: int, error: json.JSONDecodeError) -> RefusedError:
    """What a syntax error means; a text that ends before its value does is `truncated`, at the line where the value begins."""
    lines = text.count("\n", start, error.pos)
    column = error.pos - (text.rfind("\n", 0, error.pos) + 1) + 1
    if "\0" in text[error.pos : error.pos + 1]:
        reason = f"a NUL byte at column {column}: the file is damaged, binary or UTF-16."
        return RefusedError(Finding("nul_byte", reason), lines)
    rest, begun = text[error.pos : error.pos + 12].strip(), ("true", "false", "null", "NaN", "-")
    if (
        error.msg.startswith("Unterminated")
        or not rest
        # An escape has at most six characters: behind more of them the text does not end.
        or (error.msg.startswith("Invalid \\") and len(rest) < 7)
        or (error.msg == "Expecting value" and any(word.startswith(rest) for word in begun))
    ):
        reason = f"the value is not finished ({error.msg}, column {column}); is the file cut off?"
        return RefusedError(Finding("truncated", reason), at_end=True)
    near = show(text[error.pos : error.pos + 20])
    reason = f"{error.msg} at column {column}, near {near}; it must be one JSON object."
    return RefusedError(Finding("not_json", reason), lines)


MAX_LINE_BYTES = 10_000_000
_KEY = re.compile(rb'"[ \t]*:')
_ODD = re.compile(rb"\\u0000|[0-9]{19}")
_decode = msgspec.json.Decoder().decode


def json_lines(handle: IO[bytes]) -> Iterator[tuple[int, Any, bytes]]:
    """Yield `(line, value, raw)`; `value` is the object or string on the line or its `Finding`s. Blank lines are skipped."""
    number = 0
    while raw := handle.readline(MAX_LINE_BYTES + 1):
        number += 1
        # One byte more than is allowed was read, which tells a longer line from one that just fits.
        if len(raw) > MAX_LINE_BYTES:
            size, piece = len(raw), raw
            while piece and not piece.endswith(b"\n"):
                piece = handle.readline(1 << 20)
                size += len(piece)
            yield number, [too_long(size)], raw[:MAX_LINE_BYTES]
        elif (line := raw.removeprefix(b"\xef\xbb\xbf") if number == 1 else raw).strip():
            yield number, decode(line, last=not raw.endswith(b"\n")), raw


def decode(line: bytes, *, last: bool = False) -> Any:
    """The object or string on one line of JSON, or the list of its findings; `last` says that no line break follows.

    The quick decoder keeps the last of two equal keys, and lets NUL and long numbers through: such lines are looked at again.
    """
    try:
        value = _decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return decode_strictly(line, last=last)
    # As many `"…":` as keys means that none is given twice; nested objects and such texts are only looked at once more.
    if type(value) is dict and len(_KEY.findall(line)) == len(value) and not _ODD.search(line):
        return value
    return decode_strictly(line, last=last)


def too_long(size: int) -> Finding:
    """The finding of a record that is not read because of its size in bytes."""
    return Finding(
        "too_long",
        f"the record has {size:,} bytes or more; at most {MAX_LINE_BYTES:,} are read. Is a line break missing? Split or delete it.",
    )
