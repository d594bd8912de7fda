"""`{"text": …, "label": …}`: a text and its class, or `"labels": […]`: its classes."""

from collections.abc import Iterator

from steady.prepare.context import Context, classified, labels_of
from steady.prepare.readers.rows import Draft, Row

SAMPLE = {"text": "Why was I charged twice?", "label": "billing"}


def drafts(row: Row, context: Context) -> Iterator[Draft]:
    """One draft whose input is the text and whose output is the label."""
    text = row.text("text")
    name = "labels" if "labels" in row.values and "label" not in row.values else "label"
    yield classified(text, labels_of(row, name, context))
