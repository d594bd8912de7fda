"""A moving window on a JSON text that is too large to be held: values are read one after the other, with their lines."""

import codecs
import re
from typing import IO, Any, NamedTuple

from steady.prepare.readers.json_faults import RefusedError, parse_next
from steady.prepare.readers.json_lines import MAX_LINE_BYTES, too_long
from steady.prepare.readers.opening import BLOCK
from steady.prepare.readers.rows import Finding

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
        """Read the value at the position and move behind it.

        Raises:
            RefusedError: it cannot be read, or has more than 10,000,000 characters; the position stays.
        """
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
        indent = self.indent()
        if indent is None:
            pattern = re.compile(rf"\}}\s*,\s*(?={re.escape(opening)})")
        else:
            pattern = re.compile(
                rf"\n{indent}(?={re.escape(opening)})|\n[ \t]{{0,{len(indent)}}}(?={re.escape(closing)})"
            )
        self.step()
        while not (match := pattern.search(self.text, self.position)):
            self.advance(max(self.position, len(self.text) - _KEPT))
            if not self.grow():
                self.advance(len(self.text))
                self.lost = True
                return
        self.advance(match.end())
