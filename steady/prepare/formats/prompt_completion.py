"""`{"prompt": …, "completion": …}`, each a text or a list of turns."""

from collections.abc import Iterator

from steady.prepare.context import Context
from steady.prepare.readers.rows import Draft, Row
from steady.prepare.turns import draft_of, read_turns

SAMPLE = {"prompt": "Name the largest planet.", "completion": "Jupiter"}
END_MARK = "<|endoftext|>"


def drafts(row: Row, context: Context) -> Iterator[Draft]:
    """One draft; an end mark behind the completion is left out, since tokenizers write their own."""
    if isinstance(row.values.get("prompt"), list):
        yield draft_of(read_turns(row, "prompt") + read_turns(row, "completion"))
        return
    output = row.answer("completion").removesuffix(END_MARK).strip()
    if not output and row.values.get("completion"):
        row.note("empty_output", f"`completion` is {row.values['completion']!r}; an answer is needed to train on.")
    yield Draft(instruction=row.text("prompt").strip(), output=output)
