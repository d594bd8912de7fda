"""`{"prompt": …, "completion": …}`, each a text or a list of turns."""

from collections.abc import Iterator

from steady.prepare.context import Context
from steady.prepare.formats.messages import read_turns
from steady.prepare.readers.rows import Draft, Row

SAMPLE = {"prompt": "Name the largest planet.", "completion": "Jupiter"}
END_MARK = "<|endoftext|>"


def drafts(row: Row, context: Context) -> Iterator[Draft]:
    """One draft; an end mark behind the completion is left out, since tokenizers write their own."""
    if isinstance(row.values.get("prompt"), list):
        turns = read_turns(row, "prompt") + read_turns(row, "completion")
        output = turns[-1].content if turns else ""
        yield Draft(messages=turns, output=output, references=[output])
        return
    output = row.answer("completion").removesuffix(END_MARK).strip()
    if not output and row.values.get("completion"):
        row.note("empty_output", f"`completion` is {row.values['completion']!r}; an answer is needed to train on.")
    yield Draft(instruction=row.text("prompt").strip(), output=output, references=[output])
