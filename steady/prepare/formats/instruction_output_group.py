"""`{"instruction": …, "output": …, "group_id": …}`: several ways to ask for one output."""

from collections.abc import Iterator

from steady.prepare.context import Context
from steady.prepare.readers.rows import Draft, Row

SAMPLE = {"instruction": "Name the capital of Peru.", "output": "Lima", "group_id": "capital-peru"}
SAME_OUTPUT = True


def drafts(row: Row, context: Context) -> Iterator[Draft]:
    """One draft in the group that the row names."""
    instruction, output = row.text("instruction"), row.text("output")
    group = row.values.get("group_id")
    # Groups are often numbered.
    group = str(group) if type(group) is int else row.text("group_id")
    yield Draft(instruction=instruction, input=row.optional("input"), output=output, group=group)
