"""Conversations as lists of turns: how a turn is read, which answers are learned, and the examples that they make."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from steady.prepare.context import Context
from steady.prepare.duplicates import text_hash
from steady.prepare.readers.rows import Draft, LeftOut, Row, json_type, show
from steady.records import Message

ROLES = {
    **dict.fromkeys(("human", "prompter", "input"), "user"),
    **dict.fromkeys(("gpt", "bot", "model", "chatgpt", "ai", "output"), "assistant"),
    **dict.fromkeys(("observation", "function", "function_response", "tool_response", "ipython"), "tool"),
    "developer": "system",
}
"""As ShareGPT, Open Assistant, OpenAI and other collections call them."""
ALLOWED = ("system", "user", "assistant", "tool")
MARKS = ("weight", "train", "training")
"""Members of a turn that say whether it is learned: OpenAI's `weight` 0 or 1, Axolotl's `train` and `training`."""
TEXT_PARTS = ("text", "input_text", "output_text")
CALLS = ("function_call", "tool_call", "tool_calls")


class Turn(NamedTuple):
    """A message, and whether the data let it be learned."""

    message: Message
    learned: bool = True


def read_turns(row: Row, name: str) -> list[Message]:
    """The messages in a field; see `read_marked`."""
    return [turn.message for turn in read_marked(row, name)]


def read_marked(row: Row, name: str) -> list[Turn]:
    """The turns in a field; what is wrong with any of them is noted. Neighbouring turns of one role are one turn."""
    value = row.values.get(name)
    if not isinstance(value, list):
        row.text(name) if name not in row.values else row.mismatch(name, value, "a list of turns")
        return []
    if not value:
        row.note("empty_text", f"`{name}` holds no turn.")
    turns: list[Turn] = []
    for place, item in enumerate(value):
        turn = _turn(row, f"{name}[{place}]", item)
        # Chat templates want roles to alternate, and two messages in a row are one thing to answer.
        if turns and turn.message.role == turns[-1].message.role != "tool":
            before = turns.pop()
            content = f"{before.message.content}\n\n{turn.message.content}"
            turn = Turn(Message(turn.message.role, content), before.learned and turn.learned)
        turns.append(turn)
    return turns


def _turn(row: Row, place: str, item: Any) -> Turn:
    if not isinstance(item, Mapping):
        row.mismatch(place, item, "an object with `role` and `content`")
        return Turn(Message(role="user", content=""))
    # ShareGPT says `from` and `value`.
    role = item.get("role", item.get("from"))
    role = ROLES.get(role, role) if isinstance(role, str) else role
    # A call is data for a program, and a model that learned it as text would write it as an answer.
    if role in CALLS or any(item.get(name) for name in CALLS):
        row.note(
            "tool_call",
            f"`{place}` ({show(role)}) calls a tool, which is no text; allowed roles: {', '.join(ALLOWED)}. Leave such rows out by "
            "`leave_out: [tool_call]`, or write the call as text.",
        )
        return Turn(Message("assistant", "(call)"), learned=False)
    if role not in ALLOWED:
        allowed = ", ".join((*ALLOWED, *ROLES))
        row.note("unknown_role", f"`{place}` has the role {show(role)}; allowed: {allowed}.")
    message, learned = Message(str(role), _content(row, place, item)), True
    for name in MARKS:
        value = item.get(name)
        if value is None or not learned:
            continue
        if value not in (0, 1):
            row.note("bad_mark", f"`{name}` of `{place}` is {show(value)}; it must be 0 or 1 (false or true).")
        learned = bool(value)
    return Turn(message, learned)


def _content(row: Row, place: str, item: Mapping[str, Any]) -> str:
    """The text of a turn: one text, or the text parts of a list joined as they are."""
    content = item.get("content", item.get("value"))
    if isinstance(content, list):
        texts = []
        for number, part in enumerate(content):
            kind, text = (part.get("type"), part.get("text")) if isinstance(part, Mapping) else (None, part)
            if kind in (*TEXT_PARTS, None) and isinstance(text, str):
                texts.append(text)
                continue
            media = next((name for name in ("image", "audio", "video", "file") if name in str(kind)), "unknown_part")
            row.note(
                media,
                f"`{place}.content[{number}]` is a part of the type {show(kind)}; models here read text parts "
                f"({', '.join(TEXT_PARTS)}) alone.",
            )
        content = "".join(texts)
        # A part that is no text has been noted.
        if row.findings:
            return content
    if content is not None and not isinstance(content, str):
        row.note("wrong_type", f"the content of `{place}` is {show(content)} ({json_type(content)}); it must be text.")
    elif not (content or "").strip():
        row.note("empty_text", f"the content of `{place}` is {show(content)}; it must hold text.")
    return str(content)


def conversation_drafts(turns: Sequence[Turn], row_line: int, context: Context) -> Iterator[Draft | LeftOut]:
    """The examples of a conversation, by `learned_turns`: its last answer that may be learned, or each one after what it answers.

    Turns behind the last answer are not learned from. The examples of one conversation are a group, and stay in one split.
    """
    answers = [place for place, turn in enumerate(turns) if place and turn.message.role == "assistant" and turn.learned]
    messages = [turn.message for turn in turns]
    whole = context.source.learned_turns == "all"
    name = text_hash("\x1f".join(f"{message.role}:{message.content}" for message in messages))
    for place in answers if whole else answers[-1:]:
        draft = draft_of(messages[: place + 1])
        draft.group = f"conversation-{name:016x}" if whole else None
        yield draft
    if not answers:
        yield LeftOut(row_line, "not_learned")


def draft_of(messages: list[Message]) -> Draft:
    """The example whose prompt is all turns but the last, which answers; the last question is what is reworded."""
    output = messages[-1].content if messages else ""
    question = messages[-2].content if len(messages) > 1 else ""
    return Draft(instruction=question, messages=messages, output=output)
