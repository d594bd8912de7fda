"""`{"text": …}` (or a JSON string): prompt and answer in one text, parted by `separator`; without one, all of it is the answer."""

from collections.abc import Iterator

from steady.prepare.context import Context
from steady.prepare.readers.rows import Draft, Row, show

SAMPLE = {"text": "Question: Which planet is the largest?\nAnswer: Jupiter"}


def drafts(row: Row, context: Context) -> Iterator[Draft]:
    """One draft; the last separator counts, so that examples in the prompt stay there."""
    text, separator = row.text("text"), context.source.separator
    if separator is None:
        yield Draft(output=text)
        return
    prompt, found, answer = text.rpartition(separator)
    if text and not found:
        row.note("missing_separator", f"there is no {show(separator)} in {show(text)}. Correct the row or `separator`.")
    elif text and not answer.strip():
        row.note("empty_output", f"nothing follows the last {show(separator)}; an answer is needed to train on.")
    elif text and not prompt.strip():
        row.note("empty_text", f"nothing stands before {show(separator)}; a prompt is needed.")
    answer = answer.strip()
    instruction = prompt.removeprefix(context.source.prompt_prefix or "")
    instruction += found.rstrip() if context.source.keep_separator else ""
    yield Draft(instruction=instruction, output=answer)
