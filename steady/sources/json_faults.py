"""The precise reading of JSON: slower, and it says what is wrong and where."""

import json
from collections.abc import Iterator
from typing import Any, NoReturn

from steady.sources.rows import Finding, json_type, show

MAX_INTEGER_DIGITS = 18


class _RefusedError(Exception):
    """A value that JSON readers disagree about."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.finding = Finding(code, reason)


def decode_strictly(raw: bytes, *, last: bool = False) -> dict[str, Any] | list[Finding]:
    """The object on one line of JSON, or the list of its `Finding`s; `last` says that no line break follows."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        return [_bad_utf8(raw, error)]
    value, findings = parse(text, last=last)
    if not findings and not isinstance(value, dict):
        return [Finding("not_object", f"the line is {show(value)} ({json_type(value)}); it must be an object: {{…}}.")]
    return findings or value


def parse(text: str, *, last: bool = False) -> tuple[Any, list[Finding]]:
    """The JSON value of a text and what is wrong with it."""
    duplicates: list[Finding] = []

    def checked(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        value = dict(pairs)
        if len(value) < len(pairs):
            duplicates.extend(_repeated(pairs))
        return value

    try:
        value = json.loads(
            text, object_pairs_hook=checked, parse_constant=_constant, parse_int=_integer, parse_float=_float
        )
    except _RefusedError as fault:
        return None, [*duplicates, fault.finding]
    except RecursionError:
        return None, [Finding("too_deep", "the value is nested too deeply to be read; a few levels are expected.")]
    except json.JSONDecodeError as error:
        return None, [*duplicates, _not_json(text, error, last)]
    if "\\u" in text:
        duplicates.extend(_odd_text(value))
    return value, duplicates


def _repeated(pairs: list[tuple[str, Any]]) -> list[Finding]:
    seen: set[str] = set()
    findings = []
    for name, value in pairs:
        if name in seen:
            findings.append(Finding("duplicate_key", f"`{name}` is given twice (again as {show(value)}); keep one."))
        seen.add(name)
    return findings


def _constant(text: str) -> NoReturn:
    raise _RefusedError("not_finite", f"{text} is no JSON number; write a finite number or null.")


def _integer(text: str) -> int:
    if len(text.lstrip("-")) > MAX_INTEGER_DIGITS:
        raise _RefusedError(
            "huge_number", f"a number of {len(text)} digits; at most {MAX_INTEGER_DIGITS}, or make it a string."
        )
    return int(text)


def _float(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise _RefusedError("not_finite", f"{text[:40]} is too large for a number; write a finite number or a string.")
    return value


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


def _bad_utf8(raw: bytes, error: UnicodeDecodeError) -> Finding:
    shown = raw[max(0, error.start - 10) : error.start + 10]
    return Finding(
        "bad_utf8",
        f"byte 0x{raw[error.start]:02x} at column {error.start + 1} is no UTF-8 (near {shown!r}). Save the file as UTF-8, "
        "or name its encoding.",
    )


def _not_json(text: str, error: json.JSONDecodeError, last: bool) -> Finding:
    if "\0" in text:
        return Finding(
            "nul_byte", f"a NUL byte at column {text.index(chr(0)) + 1}: the file is binary, damaged or UTF-16."
        )
    if (last and error.pos >= len(text.rstrip()) - 1) or error.msg.startswith("Unterminated"):
        return Finding(
            "truncated", f"the line ends within a value ({error.msg}, column {error.colno}); is the file cut off?"
        )
    near = text[error.pos : error.pos + 20]
    return Finding("not_json", f"{error.msg} at column {error.colno}, near {show(near)}; it must be one JSON object.")
