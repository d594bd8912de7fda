"""What one row of a user's file asks: a prompt, a conversation, or an instruction with its paraphrases, and its right outputs."""

import json
import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from steady.prepare.readers.rows import json_type, listed, show
from steady.records import Message

SAMPLE = '{"group_id": "capital-peru", "prompt": "What is the capital of Peru?", "output": "Lima"}'
GROUP_KEYS = ("group_id", "group", "id")
TEXT_KEYS = ("prompt", "instruction", "input", "system", "wording")
LIST_KEYS = ("paraphrases", "prompts")
ROLES = ("system", "user", "assistant")


class Draft(NamedTuple):
    """A prompt before it has an id: its group, None where the row is a group of its own; its text or its turns; its outputs."""

    group: str | None
    text: str
    turns: tuple[Message, ...]
    outputs: tuple[str, ...]
    wording: str


class Faulty(Exception):  # noqa: N818
    """What is wrong with a row, a sentence for each thing."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = faults


def checked_object(value: Any, sample: str) -> dict[str, Any]:
    """A row as a reader of files gives it, where it is an object; `Faulty` has what the reader found otherwise."""
    if isinstance(value, list):
        raise Faulty([f"{finding.code}: {finding.reason}" for finding in value])
    if not isinstance(value, dict):
        raise Faulty([f"not_object: expected an object such as {sample}"])
    return value


def got(value: Any) -> str:
    """A value that is refused, as a message shows it: short, with its JSON type."""
    return f"{show(value)} ({json_type(value)})"


def is_output(value: Any) -> bool:
    """Whether a value can be a right answer: a text that is not blank, or a number."""
    if isinstance(value, str):
        return bool(value.strip())
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def row_drafts(value: Any) -> list[Draft]:
    """The prompts of a row of a file.

    A row has `prompt`, or `instruction` with `input` below it, or `messages`, or `instruction` and a list of `paraphrases` (or
    `prompts` alone), which are a group together. `output` is a text or several; the names of the repository's own prompt files
    (`completion`, `references`) serve too. Other keys are not looked at. `Faulty` where the row is none of these.
    """
    # an empty cell of a table is no value, like null in JSON
    row = {key: item for key, item in checked_object(value, SAMPLE).items() if item is not None and item != ""}
    # all faults of a row together, so that a file is mended in one go
    faults = [
        f"wrong_type: `{key}` is {got(row[key])}; it must be a text."
        for key in TEXT_KEYS
        if not isinstance(row.get(key, ""), str)
    ]
    group, outputs = _group(row, faults), _outputs(row, faults)
    if "messages" in row:
        turns = _turns(row["messages"], faults)
        asked = [_shown(turns)] if turns else []
    else:
        # a system message makes a conversation of a plain prompt
        before = [Message("system", row["system"])] if isinstance(row.get("system"), str) else []
        asked = [_shown([*before, Message("user", text)]) for text in _texts(row, faults)]
    if faults:
        raise Faulty(faults)
    return [Draft(group, text, conversation, outputs, row.get("wording", "")) for text, conversation in asked]


def _group(row: Mapping[str, Any], faults: list[str]) -> str | None:
    key = next((key for key in GROUP_KEYS if key in row), None)
    if key is None:
        # a list of paraphrases is a group by itself
        if not any(name in row for name in LIST_KEYS):
            faults.append(
                f"missing: `group_id`: prompts that ask for the same thing share one, such as {SAMPLE}; {_columns(row)}"
            )
        return None
    if isinstance(row[key], bool) or not isinstance(row[key], str | int):
        faults.append(f"wrong_type: `{key}` is {got(row[key])}; it must be a text or a whole number.")
    return str(row[key])


def _columns(row: Mapping[str, Any]) -> str:
    """What a row has, and what to do where it is called otherwise; empty cells are left out of it."""
    return f"the row has {listed(row)}. Another name is given by --column KEY=NAME."


def _outputs(row: Mapping[str, Any], faults: list[str]) -> tuple[str, ...]:
    # the user's own name first, then those of the repository's files
    found = row.get("output", row.get("references") or row.get("completion"))
    items = [] if found is None else found if isinstance(found, list) else [found]
    faults += [
        f"wrong_type: `output` has {got(item)}; an output is a text, or a list of texts."
        for item in items
        if not is_output(item)
    ]
    if items:
        return tuple(dict.fromkeys(str(item) for item in items))
    # the last turn of a conversation that ends with the assistant's is the right answer
    turns = row.get("messages")
    last = turns[-1] if isinstance(turns, list) and turns else None
    content = last.get("content") if isinstance(last, dict) and last.get("role") == "assistant" else None
    return (content,) if isinstance(content, str) and content.strip() else ()


def _texts(row: Mapping[str, Any], faults: list[str]) -> list[str]:
    first = row.get("prompt", row.get("instruction"))
    listed = _parsed(next((row[key] for key in LIST_KEYS if key in row), []))
    if not isinstance(listed, list):
        faults.append(f"wrong_type: a list of prompts is {got(listed)}; it must be a list of texts.")
        return []
    texts = [*([first] if first is not None else []), *listed]
    if not texts or not all(isinstance(text, str) and text.strip() for text in texts):
        faults.append(
            f"missing: `prompt` (or `instruction`, `messages`, `paraphrases`) is missing, blank or no text; {_columns(row)}"
        )
        return []
    # a whole prompt has its input in it already
    item = row.get("input") if "prompt" not in row else None
    return ["\n\n".join([text, item]) if isinstance(item, str) else text for text in texts]


def _turns(value: Any, faults: list[str]) -> list[Message]:
    """The turns up to the user's last one."""
    value = _parsed(value)
    if not isinstance(value, list) or not value:
        faults.append(
            f"wrong_type: `messages` is {show(value)}; it must be a list of objects with `role` and `content`."
        )
        return []
    turns = []
    for place, turn in enumerate(value):
        role = turn.get("role") if isinstance(turn, dict) else None
        content = _content(turn.get("content")) if isinstance(turn, dict) else None
        if role not in ROLES or content is None:
            faults.append(
                f"bad_message: `messages[{place}]` is {show(turn)}; it needs a `role` ({', '.join(ROLES)}) and a text as `content`."
            )
        else:
            turns.append(Message(str(role), content))
    # what the assistant said last is what is to be answered, and `_outputs` keeps it as the output
    if turns and turns[-1].role == "assistant":
        turns.pop()
    if not faults and (not turns or turns[-1].role != "user" or any(turn.role == "system" for turn in turns[1:])):
        faults.append(
            "bad_message: `messages` are a system message or none, then turns of which the last is the user's."
        )
    return turns


def _content(value: Any) -> str | None:
    """The text of a turn; a list of parts, as chat servers take it, where all are text."""
    if isinstance(value, list):
        parts = [part.get("text") if isinstance(part, dict) else None for part in value]
        value = "".join(map(str, parts)) if all(isinstance(part, str) for part in parts) else None
    return value if isinstance(value, str) and value.strip() else None


def _parsed(value: Any) -> Any:
    """A list that a cell of a table holds as JSON."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def _shown(turns: list[Message]) -> tuple[str, tuple[Message, ...]]:
    """A conversation as a text to show, and its turns; a single message of the user is a text like any other."""
    if len(turns) == 1:
        return turns[0].content, ()
    return "\n\n".join(f"{turn.role}: {turn.content}" for turn in turns), tuple(turns)
