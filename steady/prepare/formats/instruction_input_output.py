"""`{"instruction": …, "input": …, "output": …}`: an instruction, perhaps something to apply it to, and the answer."""

from collections.abc import Iterator

from steady.prepare.context import Context
from steady.prepare.readers.rows import Draft, Row

SAMPLE = {"instruction": "Translate into German.", "input": "Good morning", "output": "Guten Morgen"}


def drafts(row: Row, context: Context) -> Iterator[Draft]:
    """One draft; `input` may be missing, null or blank."""
    output = answer(row, "output")
    yield Draft(
        instruction=row.text("instruction").strip(),
        input=row.optional("input").strip(),
        output=output,
        references=[output],
    )


def answer(row: Row, name: str) -> str:
    """The text of an answer without outer white space; a blank one has the code `empty_output`."""
    text = row.text(name, empty=True).strip()
    if not text and isinstance(row.values.get(name), str):
        row.note(
            "empty_output",
            f"`{name}` is {row.values[name]!r}; an answer is needed to train on. Fill it in or leave the row out.",
        )
    return text
