"""`{"messages": [{"role": …, "content": …}, …]}`: a conversation whose last turn is the answer; also `conversations` with
`from` and `value` (ShareGPT).
"""

from collections.abc import Iterator, Mapping
from typing import Any

from steady.prepare.context import Context
from steady.prepare.readers.rows import Draft, Row, json_type, show
from steady.records import Message

SAMPLE = {"messages": [{"role": "user", "content": "Name a planet."}, {"role": "assistant", "content": "Mars"}]}
# As ShareGPT, Open Assistant and other collections call them.
ROLES = {"human": "user", "prompter": "user", "gpt": "assistant", "bot": "assistant", "model": "assistant"}
ALLOWED = ("system", "user", "assistant", "tool")


def drafts(row: Row, context: Context) -> Iterator[Draft]:
    """One draft; its output is the last turn, which must be the assistant's."""
    name = "conversations" if "conversations" in row.values and "messages" not in row.values else "messages"
    turns = read_turns(row, name)
    output = turns[-1].content if turns else ""
    if turns and turns[-1].role != "assistant":
        row.note("no_answer", f"the last of `{name}` is of the {turns[-1].role}; it must be the assistant's answer.")
    # An answer without a question cannot be prompted.
    elif len(turns) == 1:
        row.note("no_question", f"`{name}` holds one turn; something must be asked before the answer.")
    yield Draft(messages=turns, output=output, references=[output])


def read_turns(row: Row, name: str) -> list[Message]:
    """The turns in a field; what is wrong with any of them is noted."""
    value = row.values.get(name)
    if not isinstance(value, list):
        row.text(name) if name not in row.values else row.note(
            "wrong_type", f"`{name}` is {show(value)} ({json_type(value)}); it must be a list of turns."
        )
        return []
    if not value:
        row.note("empty_text", f"`{name}` holds no turn.")
    return [_turn(row, f"{name}[{place}]", item) for place, item in enumerate(value)]


def _turn(row: Row, place: str, item: Any) -> Message:
    if not isinstance(item, Mapping):
        row.note(
            "wrong_type",
            f"`{place}` is {show(item)} ({json_type(item)}); it must be an object with `role` and `content`.",
        )
        return Message(role="user", content="")
    # ShareGPT says `from` and `value`.
    role, content = item.get("role", item.get("from")), item.get("content", item.get("value"))
    role = ROLES.get(role, role) if isinstance(role, str) else role
    if role not in ALLOWED:
        row.note(
            "unknown_role", f"`{place}` has the role {show(role)}; allowed: {', '.join(ALLOWED)}, {', '.join(ROLES)}."
        )
    if not isinstance(content, str):
        row.note("wrong_type", f"the content of `{place}` is {show(content)} ({json_type(content)}); it must be text.")
    elif not content.strip():
        row.note("empty_text", f"the content of `{place}` is {show(content)}; it must hold text.")
    return Message(role=str(role), content=str(content))
