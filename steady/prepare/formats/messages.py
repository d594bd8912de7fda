"""`{"messages": [{"role": …, "content": …}, …]}`: a conversation whose last turn is the answer; also `conversations` with
`from` and `value` (ShareGPT). `learned_turns: all` learns every answer of it, but for turns with `weight: 0` or
`train: false`.
"""

from collections.abc import Iterator

from steady.prepare.context import Context
from steady.prepare.readers.rows import Draft, LeftOut, Row
from steady.prepare.turns import conversation_drafts, read_marked

FIELDS = ("messages", "conversations", "conversation")
SAMPLE = {"messages": [{"role": "user", "content": "Name a planet."}, {"role": "assistant", "content": "Mars"}]}


def drafts(row: Row, context: Context) -> Iterator[Draft | LeftOut]:
    """One draft whose output is the last turn, which must be the assistant's, or one for each answer."""
    name = next((name for name in FIELDS if name in row.values), "messages")
    turns = read_marked(row, name)
    whole = context.source.learned_turns == "all"
    if turns and not whole and turns[-1].message.role != "assistant":
        role = turns[-1].message.role
        row.note(
            "no_answer",
            f"the last of `{name}` is of the {role}; it must be the assistant's answer, or set `learned_turns: all`.",
        )
    elif turns and not any(place and turn.message.role == "assistant" for place, turn in enumerate(turns)):
        row.note("no_question", f"`{name}` holds {len(turns)} turns, and none is an answer to another one.")
    else:
        yield from conversation_drafts(turns, row.line, context)
