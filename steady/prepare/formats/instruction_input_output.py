"""`{"instruction": …, "input": …, "output": …}`: an instruction, perhaps something to apply it to, and the answer."""

from collections.abc import Iterator

from steady.prepare.context import Context
from steady.prepare.readers.rows import Draft, Row

SAMPLE = {"instruction": "Translate into German.", "input": "Good morning", "output": "Guten Morgen"}


def drafts(row: Row, context: Context) -> Iterator[Draft]:
    """One draft; `input` may be missing, null or blank."""
    output = row.answer("output")
    yield Draft(
        instruction=row.text("instruction").strip(),
        input=row.optional("input").strip(),
        output=output,
    )
