"""`{"prompt": …, "chosen": …, "rejected": …}`: two answers, the better one first.

Each is a text or a list of turns; lists may begin with the prompt and do without `prompt`.
"""

from collections.abc import Iterator

from steady.prepare.context import Context
from steady.prepare.readers.rows import Draft, Row
from steady.prepare.turns import draft_of, read_turns
from steady.records import Message

SAMPLE = {"prompt": "Capital of Australia?", "chosen": "Canberra.", "rejected": "Many would say Sydney, but …"}


def drafts(row: Row, context: Context) -> Iterator[Draft]:
    """One draft: the output is the chosen answer."""
    if isinstance(row.values.get("chosen"), list):
        yield _of_turns(row)
        return
    prompt, chosen, rejected = row.text("prompt").strip(), row.answer("chosen"), row.answer("rejected")
    _differ(row, chosen, rejected)
    yield Draft(instruction=prompt, output=chosen, rejected=rejected)


def _of_turns(row: Row) -> Draft:
    prompt = row.values.get("prompt")
    before = read_turns(row, "prompt") if isinstance(prompt, list) else []
    if isinstance(prompt, str):
        before = [Message(role="user", content=row.text("prompt"))]
    chosen, rejected = before + read_turns(row, "chosen"), before + read_turns(row, "rejected")
    if not chosen or not rejected:
        return Draft()
    # A loss over pairs compares two answers to one prompt.
    if chosen[:-1] != rejected[:-1]:
        reason = "`chosen` and `rejected` differ before their last turn; they must answer the same."
        row.note("different_prompts", reason)
    if chosen[-1].role != "assistant" or len(chosen) == 1:
        row.note("no_answer", "`chosen` must end with the assistant's answer to an earlier turn.")
    _differ(row, chosen[-1].content, rejected[-1].content)
    draft = draft_of(chosen)
    draft.rejected = rejected[-1].content
    return draft


def _differ(row: Row, chosen: str, rejected: str) -> None:
    if chosen and chosen == rejected:
        row.note("same_answers", "`chosen` and `rejected` are the same; a pair needs two answers.")
