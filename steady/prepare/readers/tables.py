"""CSV and TSV, streaming: cells by the header's names, or by number where there is no header; a record's line is its first."""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

from steady.prepare.readers.json_lines import MAX_LINE_BYTES, bad_bytes, too_long
from steady.prepare.readers.opening import UnreadableError
from steady.prepare.readers.params import SourceParams
from steady.prepare.readers.rows import Finding, Record, show

DECLARED = re.compile(r"sep=(.)\r?\n?", re.IGNORECASE)


def table(handle: IO[bytes], path: Path, source: SourceParams) -> Iterator[Record]:
    """Yield `(line, value, raw)` for each record: `value` is a dict of cells, or the list of its findings."""
    # Line breaks stay as they are, because a quoted cell may hold some.
    text = io.TextIOWrapper(handle, "utf-8", errors="surrogateescape", newline="")
    lines = _Lines(text)
    delimiter = source.delimiter or lines.declared or ("," if ".csv" in path.suffixes else "\t")
    records = _cells(lines, delimiter, quoting=source.quoting)
    names: Sequence[str] | None = None
    first = True
    for line, cells, findings in records:
        raw = delimiter.join(cells)
        if first and not findings:
            first = False
            if _is_header(cells, source):
                names = _names(cells, line, delimiter, source)
                continue
            # Without a header, columns are known by their numbers.
            names = [str(number) for number in range(len(cells))]
        if findings or names is None:
            yield line, findings, raw
        elif not any(cell.strip() for cell in cells):
            yield line, [Finding("blank_row", "every cell is empty.")], raw
        elif len(cells) != len(names):
            reason = f"{len(cells)} cells, and the first row has {len(names)}; near {show(cells[-1])}. Quote what holds the delimiter."
            yield line, [Finding("wrong_cells", reason)], raw
        else:
            yield line, dict(zip(names, cells, strict=True)), raw
    # The stream is closed by whoever opened it.
    text.detach()


def _cells(lines: "_Lines", delimiter: str, *, quoting: bool) -> Iterator[tuple[int, list[str], list[Finding]]]:
    """Records with the line each begins on; a record that the reader refuses has a finding."""
    # By default Python refuses cells of more than 131,072 characters.
    csv.field_size_limit(MAX_LINE_BYTES)
    # Strict, since text behind a closing quote would otherwise be joined to the cell without a word.
    quotes = csv.QUOTE_MINIMAL if quoting else csv.QUOTE_NONE
    reader = csv.reader(lines, delimiter=delimiter, quoting=quotes, strict=quoting)  # type: ignore[arg-type]
    while True:
        line = reader.line_num + 1 + lines.skipped
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            end = reader.line_num + lines.skipped
            finding = Finding(
                "bad_quotes",
                f"{error} (the record goes on to line {end}). Double each quote within a quoted cell, or set `quoting: false`.",
            )
            is_long = "field limit" in str(error)
            yield line, [lines.last[:2000]], [too_long(MAX_LINE_BYTES) if is_long else finding]
            continue
        # The reader gives an empty list for an empty line.
        if cells:
            findings = bad_bytes("\n".join(cells))
            if any("\0" in cell for cell in cells):
                reason = "a cell holds a NUL byte: the file is damaged, binary or UTF-16."
                findings.append(Finding("nul_byte", reason))
            yield line, cells, findings


class _Lines:
    """The lines of a file, where a mark at its start is left out, and Excel's line `sep=;`, whose sign is `declared`; `last` is the
    one read last, `skipped` the number of lines left out.
    """

    def __init__(self, text: io.TextIOWrapper) -> None:
        self._text = text
        self._first: str | None = next(text, "").removeprefix("\ufeff")
        found = DECLARED.fullmatch(self._first or "")
        self.declared = found[1] if found else None
        self.skipped = int(found is not None)
        if found:
            self._first = None
        self.last = ""

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        self.last, self._first = next(self._text) if self._first is None else self._first, None
        if not self.last:  # an empty file
            raise StopIteration
        return self.last


def _names(cells: list[str], line: int, delimiter: str, source: SourceParams) -> list[str]:
    """The names of the columns; UnreadableError where cells are parted by another sign, or a name is given twice and is needed."""
    if len(cells) == 1 and source.delimiter is None:
        signs = [sign for sign in ";\t|," if sign != delimiter and sign in cells[0]]
        if signs:
            raise UnreadableError(
                "other_delimiter",
                f"the first row is one cell, {show(cells[0])}: its columns seem to be parted by {show(signs[0])}, and "
                f"{show(delimiter)} was expected. Set `delimiter` to it.",
                line,
            )
    twice = [name for name, times in Counter(filter(None, cells)).items() if times > 1]
    if twice and (not source.columns or set(twice) & set(source.named_columns)):
        raise UnreadableError(
            "twice_named",
            f"{twice[0]!r} is the name of {cells.count(twice[0])} columns, and one would hide the other. Rename one, or name columns "
            f"by number: `columns: {{label: {cells.index(twice[0])}}}` (from 0).",
            line,
        )
    # Columns keep their places, since they may be named by number.
    return [name if name and name not in twice else f"{name} (column {place})" for place, name in enumerate(cells)]


def _is_header(cells: list[str], source: SourceParams) -> bool:
    """Whether the first record names the columns, which are looked up by name unless they are given by number.

    By number nobody needs names: then it does if there are classes and its label cell is none of them.
    """
    if source.header is not None:
        return source.header
    if not any(isinstance(column, int) for column in source.named_columns):
        return True
    label = source.columns.get("label")
    if not isinstance(label, int) or not source.classes or label >= len(cells):
        return False
    return not cells[label].strip().isdigit() and cells[label] not in source.classes
