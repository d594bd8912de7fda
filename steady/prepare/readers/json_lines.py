"""JSON Lines, streaming: one object a line; a line that is not one becomes a finding with its line number."""

import re
from collections.abc import Iterator
from typing import IO, Any

import msgspec

from steady.prepare.readers.json_faults import decode_strictly
from steady.prepare.readers.rows import Finding

MAX_LINE_BYTES = 10_000_000
_KEY = re.compile(rb'"[ \t]*:')
_ODD = re.compile(rb"\\u0000|[0-9]{19}")
_decode = msgspec.json.Decoder().decode


def json_lines(handle: IO[bytes]) -> Iterator[tuple[int, Any, bytes]]:
    """Yield `(line, value, raw)`, where `value` is the object or string on the line or the list of its `Finding`s.

    Blank lines are skipped.
    """
    number = 0
    while raw := handle.readline(MAX_LINE_BYTES + 1):
        number += 1
        # One byte more than is allowed was read, which tells a longer line from one that just fits.
        if len(raw) > MAX_LINE_BYTES:
            yield number, [too_long(_skip_line(handle, raw))], raw[:MAX_LINE_BYTES]
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


def _skip_line(handle: IO[bytes], start: bytes) -> int:
    """Read to the end of a line, keeping nothing; returns its size in bytes."""
    size, piece = len(start), start
    while piece and not piece.endswith(b"\n"):
        piece = handle.readline(1 << 20)
        size += len(piece)
    return size
