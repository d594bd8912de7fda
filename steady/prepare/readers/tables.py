"""CSV and TSV, streaming: cells by the header's names, or by number where there is no header; a record's line is its first."""

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from steady.prepare.readers.json_faults import bad_bytes
from steady.prepare.readers.json_lines import MAX_LINE_BYTES, too_long
from steady.prepare.readers.params import SourceParams
from steady.prepare.readers.rows import Finding, Values, show

Record = tuple[int, Any, str]
BLANK = Finding("blank_row", "every cell is empty.")


def table(handle: IO[bytes], path: Path, source: SourceParams) -> Iterator[Record]:
    """Yield `(line, value, raw)` for each record: `value` is a dict of cells, or the list of its findings."""
    delimiter = source.delimiter or ("," if ".csv" in path.suffixes else "\t")
    # Line breaks stay as they are, because a quoted cell may hold some.
    text = io.TextIOWrapper(handle, "utf-8", errors="surrogateescape", newline="")
    records = _cells(text, delimiter, quoting=source.quoting)
    names: Sequence[str] | None = None
    first = True
    for line, cells, findings in records:
        raw = delimiter.join(cells)
        if first and not findings:
            first = False
            if _is_header(cells, source):
                names = cells
                continue
            # Without a header, columns are known by their numbers.
            names = [str(number) for number in range(len(cells))]
        if findings or names is None:
            yield line, findings, raw
        else:
            yield line, _row(cells, names), raw
    # The stream is closed by whoever opened it.
    text.detach()


def _cells(text: io.TextIOWrapper, delimiter: str, *, quoting: bool) -> Iterator[tuple[int, list[str], list[Finding]]]:
    """Records with the line each begins on; a record that the reader refuses has a finding."""
    csv.field_size_limit(MAX_LINE_BYTES)
    lines = _Lines(text)
    reader = csv.reader(
        lines, delimiter=delimiter, quoting=csv.QUOTE_MINIMAL if quoting else csv.QUOTE_NONE, strict=quoting
    )
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield line, [lines.last[:2000]], [_refused(str(error), reader.line_num)]
            continue
        # The reader gives an empty list for an empty line.
        if cells:
            yield line, cells, _damage(cells)


class _Lines:
    """The lines of a file, where a mark at its start is left out; `last` is the one read last."""

    def __init__(self, text: io.TextIOWrapper) -> None:
        self._text = text
        self._first = True
        self.last = ""

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        self.last = next(self._text)
        if self._first:
            self.last, self._first = self.last.removeprefix("\ufeff"), False
        return self.last


def _damage(cells: list[str]) -> list[Finding]:
    joined = "\n".join(cells)
    findings = bad_bytes(joined)
    if "\0" in joined:
        findings.append(Finding("nul_byte", "a cell holds a NUL byte: the file is damaged, binary or UTF-16."))
    return findings


def _refused(message: str, end: int) -> Finding:
    if "field limit" in message:
        return too_long(MAX_LINE_BYTES)
    return Finding(
        "bad_quotes",
        f"{message} (the record goes on to line {end}). Double each quote within a quoted cell, or set `quoting: false`.",
    )


def _is_header(cells: list[str], source: SourceParams) -> bool:
    """Whether the first record names the columns.

    Where columns are given by number nobody needs the names: then it is one if there are classes and its label cell is
    none of them. Otherwise the columns are looked up by name, and it must be one.
    """
    if source.header is not None:
        return source.header
    wanted = [column for value in source.columns.values() for column in (value if isinstance(value, list) else [value])]
    if not any(isinstance(column, int) for column in wanted):
        return True
    label = source.columns.get("label")
    if not isinstance(label, int) or not source.classes or label >= len(cells):
        return False
    return not cells[label].strip().isdigit() and cells[label] not in source.classes


def _row(cells: list[str], names: Sequence[str]) -> Values | list[Finding]:
    if not any(cell.strip() for cell in cells):
        return [BLANK]
    if len(cells) != len(names):
        reason = f"{len(cells)} cells, and the first row has {len(names)}; near {show(cells[-1])}. Quote what holds the delimiter."
        return [Finding("wrong_cells", reason)]
    return dict(zip(names, cells, strict=True))
