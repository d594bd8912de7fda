"""A source's own names for the fields of a format: columns picked, joined, and class numbers turned into names."""

from collections.abc import Mapping
from typing import Any

from steady.prepare.readers.params import Column, SourceParams
from steady.prepare.readers.rows import Values, show


def mapped(values: Mapping[str, Any], source: SourceParams) -> Values:
    """The row with the fields that `columns` describes; a field whose column is missing is missing too."""
    result = dict(values)
    for field, columns in source.columns.items():
        # A column called like the field must not stand in for the one that is named.
        result.pop(field, None)
        parts = [_pick(values, column) for column in (columns if isinstance(columns, list) else [columns])]
        if len(parts) == 1 and parts[0] is not _MISSING:
            result[field] = parts[0]
        elif len(parts) > 1 and _MISSING not in parts:
            result[field] = source.join.join(str(part) for part in parts if part not in (None, ""))
    return result


_MISSING: Any = object()


def _pick(values: Mapping[str, Any], column: Column) -> Any:
    """The value of a column: by its name, by its number, or by a path such as `meta.category`."""
    if isinstance(column, int):
        return _by_number(values, column)
    # A column's own name may have dots in it.
    if column in values:
        return values[column]
    value: Any = values
    for part in column.split("."):
        if not isinstance(value, Mapping) or part not in value:
            return _MISSING
        value = value[part]
    return value


def _by_number(values: Mapping[str, Any], number: int) -> Any:
    # A row keeps the order of the columns in the file.
    names = list(values)
    return values[names[number]] if number < len(names) else _MISSING


def class_name(label: Any, source: SourceParams) -> tuple[Any, str | None]:
    """(the label by its name, what is wrong): a number counts from `first_class` in `classes`; anything else stays."""
    if source.classes is None:
        return label, None
    if isinstance(label, str) and label in source.classes:
        return label, None
    # false is class 0 and true class 1.
    text = str(int(label) if isinstance(label, bool) else label).strip()
    last = source.first_class + len(source.classes) - 1
    if text.isdigit() and source.first_class <= int(text) <= last:
        return source.classes[int(text) - source.first_class], None
    return label, f"label {show(label)} is no class: {source.first_class} to {last}, or {', '.join(source.classes)}."
