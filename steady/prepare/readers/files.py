"""Which files a source names, and the raw records of one file, whatever its kind."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from steady.prepare.readers.forms import refuse_other_forms
from steady.prepare.readers.json_lines import json_lines
from steady.prepare.readers.opening import data_suffix, open_bytes
from steady.prepare.readers.params import SourceParams
from steady.prepare.readers.rows import Record, Values

COLUMNAR = (".parquet", ".arrow", ".feather")
TABLES = (".csv", ".tsv", ".txt")
KNOWN = (*COLUMNAR, *TABLES, ".jsonl", ".ndjson", ".json")
HUB = "hub:"


class File(NamedTuple):
    """A file and its name in records: as in `data.sources`, so that it does not depend on where the repository lies."""

    path: Path
    name: str


def find_files(source: SourceParams) -> list[File]:
    """The files of a source, sorted by name: one, those of a folder (and the folders in it), or those of a pattern."""
    path = Path(source.path)
    if source.path.startswith(HUB) or path.is_file():
        return [File(path, source.path)]
    if path.is_dir():
        found = [item for item in path.rglob("*") if item.is_file() and data_suffix(item) in KNOWN]
        # Hidden folders hold what tools leave there, such as copies of files that are being edited.
        found = [item for item in found if not any(part.startswith(".") for part in item.relative_to(path).parts)]
        # A folder of `save_to_disk`, whose JSON files describe the data.
        if (path / "dataset_info.json").is_file():
            found = [item for item in found if item.suffix == ".arrow"]
    else:
        parts = path.parts
        # `Path.glob` takes no absolute pattern, so it starts in the last folder whose name is plain.
        fixed = next((i for i, part in enumerate(parts) if any(sign in part for sign in "*?[")), len(parts))
        found = [] if fixed == len(parts) else list(Path(*parts[:fixed]).glob("/".join(parts[fixed:])))
    # Folders list their files in no fixed order.
    names = sorted(item.as_posix() for item in found if item.is_file())
    return [File(Path(name), name) for name in names]


def records(file: File, source: SourceParams, head: Values | None = None) -> Iterator[Record]:
    """Yield `(line, value, raw)` for each record of a file: `value` is an object, a string or the list of its findings.

    `head` is filled with the members of a JSON document beside its records. UnreadableError where the file cannot be read,
    or not to its end.
    """
    suffix = data_suffix(file.path)
    if source.path.startswith(HUB):
        from steady.prepare.readers.columnar import hub

        yield from hub(source)
    elif suffix in COLUMNAR:
        from steady.prepare.readers.columnar import columnar

        yield from columnar(file.path)
    else:
        with open_bytes(file.path, source.encoding) as handle:
            start = handle.peek(1 << 16).removeprefix(b"\xef\xbb\xbf").lstrip()
            # A document, to go by its beginning: `[` and what cannot be a line of JSON Lines.
            is_array = start.startswith(b"[") and (suffix == ".json" or start[1:].lstrip()[:1] in (b"{", b""))
            if suffix in TABLES:
                from steady.prepare.readers.tables import table

                yield from table(handle, file.path, source)
            elif source.records is not None or is_array:
                from steady.prepare.readers.json_documents import json_document

                yield from json_document(handle, source.records, {} if head is None else head)
            else:
                refuse_other_forms(handle.peek(1 << 16))
                yield from json_lines(handle)
