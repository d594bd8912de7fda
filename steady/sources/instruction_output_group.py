"""`{"instruction": …, "output": …, "group_id": …}`: several ways to ask for one output."""

from collections.abc import Iterator

from steady.sources.rows import Draft, Row

SAMPLE = {"instruction": "Name the capital of Peru.", "output": "Lima", "group_id": "capital-peru"}


def drafts(row: Row, labels: tuple[str, ...] | None) -> Iterator[Draft]:
    """One draft in the group that the row names."""
    instruction, output, group = row.text("instruction"), row.text("output"), row.text("group_id")
    yield Draft(instruction=instruction, output=output, references=[output], group=group)
