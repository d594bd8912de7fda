"""Prompts and answers as token ids: the one place, so that what is trained is what is scored.

Text of the data never becomes a control token: `</s>` in a ticket is encoded as five characters. Control tokens come from the
tokenizer's own frame (`<s> …`), from the chat template, and from `model.special_tokens`, which are there to be written in text.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Literal

from steady.errors import SteadyError
from steady.records import Message, plain_turns, turns_of

Task = Literal["SEQ_CLS", "SEQ_2_SEQ_LM", "CAUSAL_LM"]
PLACE = "steadyPromptGoes"
DATE = "26 Jul 2024"  # templates that show the date of the day would change what a model reads from day to day
FIXED_DATE = "{%- macro strftime_now(format) -%}" + DATE + "{%- endmacro -%}"
LARGEST_TEMPLATE = 100_000  # characters
RENDERING_SECONDS = 10.0
PROBE = "x:"


@dataclass(frozen=True)
class ChatFrame:
    """What a chat template puts before and after one user message, up to where the answer begins; `trims`: it strips the message."""

    before: str
    after: str
    trims: bool


def prompt_ids(tokenizer: Any, task: Task, prompt: str, chat_template: bool = False, system: str = "") -> list[int]:
    """Token ids of a prompt with the tokenizer's special tokens, neither cut nor padded.

    Args:
        prompt: a text, or a conversation (`steady.records.conversation`), whose turns are named where no template frames them.
        chat_template: wrap the prompt as the user's message, or its turns, as the tokenizer's template says.
        system: the system message before it; empty for what the template says without one.

    Raises:
        SteadyError: the tokenizer has no chat template or it cannot be rendered.
    """
    turns = turns_of(prompt)
    if not chat_template or task == "SEQ_CLS":
        return _plain(tokenizer, prompt if turns is None else plain_turns(turns), special=True)
    pieces = _chat_pieces(tokenizer, with_system(turns or [Message("user", prompt)], system))
    # Encoded as a whole where that is safe: a token may reach across the edge of a message.
    if not any(token in text for token in _controls(tokenizer) for text in pieces[1::2]):
        return _with_controls(tokenizer, "".join(pieces))
    parts = (
        _plain(tokenizer, piece, special=False) if place % 2 else _with_controls(tokenizer, piece)
        for place, piece in enumerate(pieces)
    )
    return [token for part in parts for token in part]


def with_system(turns: list[Message], system: str) -> list[Message]:
    """The turns after a system message, where there is one and the conversation has none of its own."""
    return [Message("system", system), *turns] if system and turns[0].role != "system" else turns


def answer_ids(tokenizer: Any, task: Task, answer: str, prompt: str = "", chat_template: bool = False) -> list[int]:
    """Token ids of an answer, the end-of-sequence token last.

    Args:
        prompt: what the answer follows. For CAUSAL_LM one space stands between the two, unless the prompt ends in white space
            or a chat template frames it. SEQ_2_SEQ_LM answers are encoded on their own.

    Raises:
        SteadyError: the tokenizer has no end-of-sequence token.
    """
    end = end_id(tokenizer)
    if task == "SEQ_2_SEQ_LM":
        ids = _plain(tokenizer, answer, special=True)
        return ids if ids and ids[-1] == end else [*ids, end]
    if chat_template:
        return [*_plain(tokenizer, answer, special=False), end]
    joint = "\n" if prompt[-1:].isspace() else " "
    return [*_following(tokenizer, joint, answer), end]


def cut_prompt(ids: list[int], task: Task, max_length: int) -> list[int]:
    """At most `max_length` tokens of a prompt: the last ones for CAUSAL_LM, for the cue to answer stands there; otherwise the first
    ones and the end token.
    """
    if len(ids) <= max_length:
        return ids
    return ids[-max_length:] if task == "CAUSAL_LM" else [*ids[: max_length - 1], ids[-1]]


def end_id(tokenizer: Any) -> int:
    """The id of the token that training writes behind an answer: the tokenizer's end-of-sequence token.

    Raises:
        SteadyError: there is none, so no answer could ever end.
    """
    if tokenizer.eos_token_id is None:
        raise SteadyError(
            "The tokenizer has no end-of-sequence token, so answers could not end. Choose a model whose tokenizer has one."
        )
    return int(tokenizer.eos_token_id)


def end_ids(tokenizer: Any, generation_config: Any = None) -> tuple[int, ...]:
    """The ids that end a response: those of the model's generation settings, and the one that training writes behind an answer.

    Instruction-tuned models often end a turn by a token of the chat that is not the tokenizer's end token; adapters trained on
    them learn that one too.
    """
    own = [] if tokenizer.eos_token_id is None else [int(tokenizer.eos_token_id)]
    return tuple(dict.fromkeys([*declared_ends(generation_config), *own]))


def declared_ends(generation_config: Any) -> tuple[int, ...]:
    """The ids at which a model's generation settings stop; transformers has none, a number or a list there."""
    found = getattr(generation_config, "eos_token_id", None)
    return () if found is None else (found,) if isinstance(found, int) else tuple(found)


def _following(tokenizer: Any, joint: str, answer: str) -> list[int]:
    """The tokens of an answer as they follow other text: some tokenizers put a space of their own before any text."""
    head = PROBE if joint == " " else PROBE + joint
    start = _plain(tokenizer, head, special=False)
    whole = _plain(tokenizer, (head + " " if joint == " " else head) + answer, special=False)
    if whole[: len(start)] == start:
        return whole[len(start) :]
    return _plain(tokenizer, answer if joint != " " else f" {answer}", special=False)


def _plain(tokenizer: Any, text: str, *, special: bool) -> list[int]:
    """Ids of text in which control tokens are characters; `special`: within the tokenizer's own frame."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        ids = tokenizer.encode(text, add_special_tokens=special, split_special_tokens=True)
        return [int(token) for token in ids]
    if not backend.encode_special_tokens:
        backend.encode_special_tokens = True
    return list(backend.encode(text, add_special_tokens=special).ids)


def _with_controls(tokenizer: Any, text: str) -> list[int]:
    """Ids of a template's own text, whose control tokens are meant; it writes the frame itself."""
    ids = tokenizer.encode(text, add_special_tokens=False, split_special_tokens=False)
    return [int(token) for token in ids]


def default_template(tokenizer: Any) -> str | None:
    """The tokenizer's chat template: of several named ones the one called `default`; None where there is none."""
    template = tokenizer.chat_template
    if isinstance(template, dict):
        template = template.get("default")
    return template if isinstance(template, str) else None


def chat_frame(tokenizer: Any, system: str = "") -> ChatFrame:
    """What the tokenizer's chat template puts around a user's message, a system message included; rendered once for each.

    Raises:
        SteadyError: there is no template, it is too long, takes too long, fails, or does not show the message once.
    """
    *before, _, after = _chat_pieces(tokenizer, with_system([Message("user", PLACE)], system))
    frame = _frame(tokenizer, _checked_template(tokenizer), ("user",))
    return ChatFrame("".join(before), after, isinstance(frame, tuple) and frame[0].trims)


def takes_system(tokenizer: Any) -> bool:
    """Whether the chat template has a place for a system message; else it stands at the head of the first user's."""
    return not isinstance(_frame(tokenizer, _checked_template(tokenizer), ("system", "user")), SteadyError)


def _checked_template(tokenizer: Any) -> str:
    template = default_template(tokenizer)
    if template is None:
        raise SteadyError(
            "model.chat_template: the tokenizer has no chat template. Set it to false, or choose an instruction-tuned model."
        )
    if len(template) > LARGEST_TEMPLATE:
        raise SteadyError(
            f"model.chat_template: the template has {len(template)} characters, allowed are {LARGEST_TEMPLATE}. "
            "Set it to false, or choose another model."
        )
    return template


def _chat_pieces(tokenizer: Any, turns: Sequence[Message]) -> list[str]:
    """The rendered conversation in pieces: the template's own text, a message, the template's own text, …"""
    template = _checked_template(tokenizer)
    frame = _frame(tokenizer, template, tuple(turn.role for turn in turns))
    # Templates of Gemma's kind refuse a system message: it then leads the first message of the user.
    if isinstance(frame, SteadyError) and turns[0].role == "system" and len(turns) > 1:
        first = Message("user", f"{turns[0].content}\n\n{turns[1].content}")
        turns = [first, *turns[2:]]
        frame = _frame(tokenizer, template, tuple(turn.role for turn in turns))
    if isinstance(frame, SteadyError):
        raise frame
    pieces: list[str] = []
    for part, turn in zip(frame, turns, strict=True):
        pieces += [part.before, turn.content.strip() if part.trims else turn.content]
    return [*pieces, frame[-1].after]


@lru_cache(maxsize=64)
def _frame(tokenizer: Any, template: str, roles: tuple[str, ...]) -> tuple[ChatFrame, ...] | SteadyError:
    """What stands before (and after the last) message of a conversation of these roles, or why it cannot be rendered."""
    places = [f"{PLACE}{number}Here" for number in range(len(roles))]
    # no template writes tabs around a message, so those left are the message's
    turns = [{"role": role, "content": f"\t{place}\t"} for role, place in zip(roles, places, strict=True)]
    try:
        rest = _rendered(tokenizer, template, turns)
    except SteadyError as error:
        return error
    frames: list[ChatFrame] = []
    for place in places:
        if rest.count(place) != 1:
            return SteadyError(
                f"model.chat_template: the template shows the message {rest.count(place)} times, expected once "
                f"(roles {', '.join(roles)}). Set it to false."
            )
        before, rest = rest.split(place)
        trims = not (before.endswith("\t") and rest.startswith("\t"))
        frames.append(ChatFrame(before if trims else before[:-1], "", trims))
        rest = rest if trims else rest[1:]
    return (*frames[:-1], replace(frames[-1], after=rest))


@lru_cache(maxsize=16)
def _controls(tokenizer: Any) -> tuple[str, ...]:
    """The tokenizer's control tokens, those included that it has but does not name, such as the marks of turns."""
    more = [token.content for token in tokenizer.added_tokens_decoder.values() if token.special]
    return tuple(dict.fromkeys([*tokenizer.all_special_tokens, *more]))


def _rendered(tokenizer: Any, template: str, turns: list[dict[str, str]]) -> str:
    """Render in a thread of its own: the sandbox of the templates bounds neither loops nor time."""
    found: list[Any] = []

    def render() -> None:
        try:
            settings = {"tokenize": False, "add_generation_prompt": True, "date_string": DATE}
            found.append(tokenizer.apply_chat_template(turns, chat_template=FIXED_DATE + template, **settings))
        except Exception as error:
            found.append(error)  # a template may raise anything; the error is reported below

    thread = threading.Thread(target=render, daemon=True)
    thread.start()
    thread.join(RENDERING_SECONDS)
    if not found:
        raise SteadyError(f"model.chat_template: not rendered within {RENDERING_SECONDS:g} s. Set it to false.")
    if isinstance(found[0], Exception):
        raise SteadyError(
            f"model.chat_template: the template cannot be rendered: {found[0]}. Set it to false, or choose another model."
        ) from found[0]
    return str(found[0])
