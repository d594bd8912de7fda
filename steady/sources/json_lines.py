"""JSON Lines, streaming: one object a line; a line that is not one becomes a finding with its line number."""

import re
from collections.abc import Iterator
from typing import IO, Any

import msgspec

from steady.sources.json_faults import decode_strictly
from steady.sources.rows import Finding

MAX_LINE_BYTES = 10_000_000
_KEY = re.compile(rb'"[ \t]*:')
_decode = msgspec.json.Decoder().decode


def json_lines(handle: IO[bytes]) -> Iterator[tuple[int, Any, bytes]]:
    """Yield `(line, value, raw)`, where `value` is what the line holds or the list of its `Finding`s; blank lines are skipped."""
    number = 0
    while raw := handle.readline(MAX_LINE_BYTES + 1):
        number += 1
        if len(raw) > MAX_LINE_BYTES:
            size = _skip_line(handle, raw)
            yield number, [_too_long(size)], raw
        elif raw.strip():
            line = raw.removeprefix(b"\xef\xbb\xbf") if number == 1 else raw
            yield number, decode(line, last=not raw.endswith(b"\n")), raw


def decode(line: bytes, *, last: bool = False) -> Any:
    """The value of one line of JSON, or the list of its findings.

    The quick decoder keeps the last of two equal keys, and lets NUL through: such lines are looked at again.
    """
    try:
        value = _decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return decode_strictly(line, last=last)
    if type(value) is dict and len(_KEY.findall(line)) == len(value) and b"\\u0000" not in line:
        return value
    return decode_strictly(line, last=last)


def _skip_line(handle: IO[bytes], start: bytes) -> int:
    """Read to the end of a line, keeping nothing; returns its size in bytes."""
    size, piece = len(start), start
    while piece and not piece.endswith(b"\n"):
        piece = handle.readline(1 << 20)
        size += len(piece)
    return size


def _too_long(size: int) -> Finding:
    return Finding(
        "too_long",
        f"the line has {size:,} bytes; at most {MAX_LINE_BYTES:,} are read. Is a line break missing? Split or delete it.",
    )
