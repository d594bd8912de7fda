"""Stream a source: every raw record becomes drafts, or findings with file and line."""

from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from steady.errors import SteadyError
from steady.sources.json_lines import json_lines
from steady.sources.rows import Draft, Finding, Item, Row, rejection
from steady.sources.settings import SourceParams

Convert = Callable[[Row, tuple[str, ...] | None], Iterator[Draft]]


def converter(name: str) -> Convert:
    """The function that turns a raw record of a format into drafts."""
    convert: Convert = import_module(f"steady.sources.{name.replace('-', '_')}").drafts
    return convert


def read_source(source: SourceParams, labels: tuple[str, ...] | None) -> Iterator[Item]:
    """Yield what a source holds, in its order.

    Raises:
        SteadyError: the file is missing or empty.
    """
    path = Path(source.path)
    if not path.is_file():
        raise SteadyError(
            f"{path}: no such file (named in `data.sources`). Run `dvc pull`, or set `path` to a file that is tracked by Git or DVC."
        )
    convert = converter(source.format)
    empty = True
    with path.open("rb") as handle:
        for line, value, raw in json_lines(handle):
            empty = False
            yield from _items(source.path, line, value, raw, convert, labels)
    if empty:
        raise SteadyError(f"{path}: the file is empty. Put at least one row of the format `{source.format}` into it.")


def _items(
    name: str,
    line: int,
    value: dict[str, Any] | list[Finding],
    raw: bytes,
    convert: Convert,
    labels: tuple[str, ...] | None,
) -> Iterator[Item]:
    if isinstance(value, list):
        yield [rejection(name, line, finding, raw) for finding in value]
        return
    row = Row(value, line)
    drafts = list(convert(row, labels))
    if row.findings:
        yield [rejection(name, line, finding, raw) for finding in row.findings]
        return
    for draft in drafts:
        draft.line = line
        yield draft
