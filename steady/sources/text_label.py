"""`{"text": …, "label": …}`: a text and the class it belongs to."""

from collections.abc import Iterator

from steady.sources.rows import Draft, Row, checked_label

SAMPLE = {"text": "Why was I charged twice?", "label": "billing"}


def drafts(row: Row, labels: tuple[str, ...] | None) -> Iterator[Draft]:
    """One draft whose input is the text and whose output is the label."""
    text = row.text("text")
    label = checked_label(row, row.text("label"), labels)
    yield Draft(input=text, output=label, references=[label], labels=[label])
