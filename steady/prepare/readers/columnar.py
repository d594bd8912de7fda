"""Parquet, Arrow and data sets of the Hub, in batches; a record's line is its row number from 1."""

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from steady.prepare.readers.opening import UnreadableError
from steady.prepare.readers.params import SourceParams
from steady.prepare.readers.rows import Record, Values

BATCH = 1000


def columnar(path: Path) -> Iterator[Record]:
    """Yield `(row, values, "")` of a `.parquet`, `.arrow` or `.feather` file; UnreadableError where it is damaged."""
    import pyarrow

    number = 0
    try:
        for batch, names in _batches(path):
            # Batch by batch, since Python objects take many times the memory of the columns.
            for values in batch.to_pylist():
                number += 1
                yield number, _named(values, names), ""
    except (pyarrow.ArrowException, OSError) as error:
        reason = f"cannot be read: {str(error).splitlines()[0]}. Fetch or write the file again."
        raise UnreadableError("damaged_file", reason, number + 1) from error


def _batches(path: Path) -> Iterator[tuple[Any, dict[str, list[str]]]]:
    import pyarrow
    import pyarrow.parquet

    with path.open("rb") as handle:
        # A file of `datasets` is a stream of Arrow, one that other programs write often a file with an index; both end in
        # .arrow.
        indexed = handle.read(6) == b"ARROW1"
        handle.seek(0)
        file: Any
        if path.suffix == ".parquet":
            file = pyarrow.parquet.ParquetFile(path)
            schema, batches = file.schema_arrow, file.iter_batches(BATCH)
        elif indexed:
            file = pyarrow.ipc.open_file(handle)
            schema, batches = file.schema, map(file.get_batch, range(file.num_record_batches))
        else:
            batches = pyarrow.ipc.open_stream(handle)
            schema = batches.schema
        # The class names that `datasets` wrote into the schema: column to names.
        content = (schema.metadata or {}).get(b"huggingface")
        features = json.loads(content).get("info", {}).get("features") or {} if content else {}
        known = [(name, feature) for name, feature in features.items() if isinstance(feature, dict)]
        names = {name: feature["names"] for name, feature in known if "names" in feature}
        yield from ((batch, names) for batch in batches)


def hub(source: SourceParams) -> Iterator[Record]:
    """Yield the rows of a data set of the Hub (or a folder like it), streamed, classes by name; else UnreadableError."""
    name = source.path.removeprefix("hub:")
    if not name.strip("/"):
        raise UnreadableError("no_dataset", "there is no name in it; expected hub:OWNER/NAME, or a folder.")
    import datasets
    from huggingface_hub.utils import logging

    # every try to reach the Hub is a warning otherwise, beside the one error of them all
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    try:
        # Streamed, since a data set of the Hub may be larger than the disk.
        options = {"split": source.hub_split, "revision": source.revision, "streaming": True}
        rows = datasets.load_dataset(name, source.config, **options)
        features = rows.features or {}
        names = {key: feature.names for key, feature in features.items() if isinstance(feature, datasets.ClassLabel)}
        iterator = iter(rows)
        number = 0
        while batch := list(islice(iterator, BATCH)):
            for values in batch:
                number += 1
                yield number, _named(values, names), ""
    except (OSError, ValueError, datasets.exceptions.DatasetsError) as error:
        detail = next(iter(str(error).splitlines()), type(error).__name__).rstrip(".")
        raise UnreadableError(
            "no_dataset",
            f"`datasets` cannot load it: {detail}. Check the name, `config`, `hub_split` and `revision`. Without a network, "
            "name a folder that holds its files.",
        ) from error


def _named(values: Values, names: dict[str, list[str]]) -> Values:
    for column, classes in names.items():
        if isinstance(value := values.get(column), int) and 0 <= value < len(classes):
            values[column] = classes[value]
    return values
