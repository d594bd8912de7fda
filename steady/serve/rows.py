"""Rows of a JSON Lines or CSV file that have a text to ask about, read and written back with the answers."""

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from steady.errors import SteadyError
from steady.records import write_bytes

USUAL = ("text", "input", "question", "message", "prompt")
SUFFIXES = (".jsonl", ".csv")
Row = dict[str, Any]


def read_rows(path: Path, column: str | None) -> tuple[list[Row], list[str]]:
    """The rows of a file and the text of each, in the field `column`; None takes the first of `USUAL` that the first row has.

    SteadyError where the file is missing, neither JSONL nor CSV, or a row has no such text; named by file and line.
    """
    if not path.is_file():
        raise SteadyError(f"{path}: no such file.")
    try:
        # spreadsheets begin a file with a byte order mark
        content = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise SteadyError(f"{path}: not UTF-8: {error}. Save it as UTF-8.") from error
    if path.suffix == ".csv":
        # newline="" leaves the line breaks within a quoted field as they are
        reader = csv.DictReader(io.StringIO(content, newline=""))
        numbered: list[tuple[int, Row]] = [(reader.line_num, row) for row in reader]
    elif path.suffix == ".jsonl":
        # `splitlines` would cut at U+2028 too, which a JSON text may hold
        lines = enumerate(content.split("\n"), start=1)
        numbered = [(number, _object(path, number, line)) for number, line in lines if line.strip()]
    else:
        raise SteadyError(f"{path}: expected a file that ends in {' or '.join(SUFFIXES)}, got {path.suffix!r}.")
    if not numbered:
        raise SteadyError(f"{path}: no rows.")
    field = column or next((name for name in USUAL if name in numbered[0][1]), None)
    if field is None:
        raise SteadyError(f"{path}: no field {', '.join(USUAL)} in {sorted(numbered[0][1])}. Name it with --column.")
    for line, row in numbered:
        text = row.get(field)
        if not isinstance(text, str) or not text.strip():
            raise SteadyError(f"{path}:{line}: field {field!r} is no text or empty, got {text!r:.60}.")
    return [row for _, row in numbered], [row[field] for _, row in numbered]


def _object(path: Path, number: int, line: str) -> Row:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise SteadyError(f"{path}:{number}: not JSON: {error}") from error
    # a text alone would be read, but nothing could be written beside it
    if not isinstance(row, dict):
        raise SteadyError(f"{path}:{number}: expected an object, got {type(row).__name__}.")
    return row


def write_rows(path: Path, rows: Sequence[Row]) -> None:
    """Write rows as JSON Lines or CSV, by the suffix; columns in the order in which they first occur."""
    if path.suffix == ".jsonl":
        write_bytes(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode())
        return
    # rows of JSON Lines need not have the same fields
    names = list(dict.fromkeys(name for row in rows for name in row))
    stream = io.StringIO(newline="")
    writer = csv.DictWriter(stream, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_bytes(path, stream.getvalue().encode())
