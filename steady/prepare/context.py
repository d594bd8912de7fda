"""What a format knows beside the row: the settings of its source and the labels that are allowed."""

import difflib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from steady.labels import as_label, joined
from steady.prepare.readers.params import SourceParams
from steady.prepare.readers.rows import Draft, Item, LeftOut, Row, show


class Context(NamedTuple):
    """The settings of the source, `data.labels` (None: any label), and whether a row may have several labels or none."""

    source: SourceParams
    labels: tuple[str, ...] | None = None
    multi_label: bool = False


Convert = Callable[[Row, Context], Iterator[Draft | LeftOut]]
Items = Iterator[Item]


def labels_of(row: Row, name: str, context: Context) -> list[str]:
    """The labels in a field: one, or several as a list or parted by `label_separator`; in the order of `data.labels`."""
    value = row.values.get(name)
    separator = context.source.label_separator
    if isinstance(value, str) and separator is not None:
        value = [part.strip() for part in value.split(separator) if part.strip()]
    if not isinstance(value, list):
        label = _label(row, name, value, context)
        return [label] if label else []
    # What is no label reads as "" and is noted.
    labels = {_label(row, name, item, context) for item in value} - {""}
    if not value and not context.multi_label:
        row.note("no_label", f"`{name}` names no label; give one, or set `data.multi_label: true`, which allows none.")
    # Several labels that are all right by themselves, where one is needed.
    if len(labels) > 1 and not context.multi_label:
        row.note(
            "several_labels",
            f"`{name}` names {len(labels)} labels: {', '.join(sorted(labels))}; one is allowed. "
            "Set `data.multi_label: true` if a row may have several.",
        )
    # Without `data.labels` all have the same place, and their names decide.
    order = {label: place for place, label in enumerate(context.labels or ())}
    return sorted(labels, key=lambda label: (order.get(label, len(order)), label))


def classified(text: str, labels: list[str]) -> Draft:
    """The draft of a label task: the output is the label, several parted by commas."""
    return Draft(input=text, output=joined(labels), labels=labels, classified=True)


def _label(row: Row, name: str, value: Any, context: Context) -> str:
    classes, first = context.source.classes, context.source.first_class
    if classes is None:
        value = as_label(value, context.labels)
    elif not isinstance(value, str) or value not in classes:
        # A number counts from `first_class`; false is class 0 and true class 1.
        text = str(int(value) if isinstance(value, bool) else value).strip()
        last = first + len(classes) - 1
        if not text.isdigit() or not first <= int(text) <= last:
            row.note("unknown_label", f"label {show(value)} is no class: {first} to {last}, or {', '.join(classes)}.")
            return ""
        value = classes[int(text) - first]
    if isinstance(value, int | float):
        row.mismatch(name, value, "text, or set `classes` to name numbers")
    elif not isinstance(value, str) or not value.strip():
        row.text(name)
    elif context.labels is not None and value not in context.labels:
        close = difflib.get_close_matches(value, context.labels, n=1, cutoff=0.5)
        hint = f" Did you mean `{close[0]}`?" if close else ""
        row.note("unknown_label", f"label {show(value)} is not in `data.labels`: {', '.join(context.labels)}.{hint}")
    else:
        return value
    return ""
