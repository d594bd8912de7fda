"""What a tokenizer's chat template puts around the messages of a conversation, found by rendering it with marks for messages."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any

from steady.errors import SteadyError
from steady.records import Message

PLACE = "steadyPromptGoesHere"
DATE = "26 Jul 2024"  # templates that show the date of the day would change what a model reads from day to day
FIXED_DATE = "{%- macro strftime_now(format) -%}" + DATE + "{%- endmacro -%}"
LARGEST_TEMPLATE = 100_000  # characters
RENDERING_SECONDS = 10.0
THOUGHTS, THOUGHTS_END = "<think>", "</think>"
ONE_PROMPT = ("user",)
OFF = "Set it to false (in `steady measure`: --chat-template off), or choose another model."


@dataclass(frozen=True)
class ChatFrame:
    """What a chat template puts around the messages of a conversation, up to where the answer begins.
    `pieces[k]` stands before message k and the last piece behind the last message; `trims[k]`: the template strips message k.
    """

    pieces: tuple[str, ...]
    trims: tuple[bool, ...]

    @property
    def before(self) -> str:
        """What stands before the first message."""
        return self.pieces[0]

    @property
    def after(self) -> str:
        """What stands behind the last message."""
        return self.pieces[-1]

    def shown(self, turns: Sequence[Message]) -> list[str]:
        """The messages as the template shows them."""
        return [turn.content.strip() if trims else turn.content for turn, trims in zip(turns, self.trims, strict=True)]


def default_template(tokenizer: Any) -> str | None:
    """The tokenizer's chat template: of several named ones the one called `default`; None where there is none."""
    template = tokenizer.chat_template
    if isinstance(template, dict):
        template = template.get("default")
    return template if isinstance(template, str) else None


def chat_frame(tokenizer: Any, roles: tuple[str, ...] = ONE_PROMPT, thinking: bool | None = None) -> ChatFrame:
    """The frame of a conversation with messages of these roles, rendered once for each. Thinking models read `thinking` as
    `enable_thinking`; None leaves it to them. Where it is False and the template opens a block of thoughts all the same, the block
    is closed again, empty.

    Raises:
        SteadyError: there is no template, it is too long, takes too long, fails, or does not show every message once in order.
    """
    template = default_template(tokenizer)
    if template is None:
        raise SteadyError(f"model.chat_template: the tokenizer has no chat template. {OFF}")
    # A template is code of whoever published the model: its size and its time are bounded before it runs.
    if len(template) > LARGEST_TEMPLATE:
        raise SteadyError(
            f"model.chat_template: the template has {len(template)} characters, allowed are {LARGEST_TEMPLATE}. {OFF}"
        )
    return _frame(tokenizer, template, roles, thinking)


def choose_template(tokenizer: Any, wanted: bool | str | None) -> str | None:
    """Make one of the tokenizer's chat templates the one that is used, and return its name; None for none.
    `wanted`: a name, True for the only or the default template, None for that where there is one, False for none.
    SteadyError where there is no such template, or several and none of them is the default.
    """
    found = tokenizer.chat_template
    named = found if isinstance(found, dict) else {} if found is None else {"default": found}
    if wanted is False or (wanted is None and not named):
        tokenizer.chat_template = None
        return None
    if not named:
        raise SteadyError("--chat-template: the tokenizer has no chat template. Give `off` or `auto`.")
    name = wanted if isinstance(wanted, str) else "default" if "default" in named else ""
    if name not in named:
        raise SteadyError(
            f"--chat-template {name or 'auto'}: the tokenizer's templates are {', '.join(sorted(named))}. Name one of them, or `off`."
        )
    tokenizer.chat_template = named[name]
    return name


def takes_system(tokenizer: Any) -> bool:
    """Whether the template shows a system message; some refuse it and some leave it out."""
    try:
        chat_frame(tokenizer, ("system", "user"))
    except SteadyError:
        return False
    return True


def thinks(tokenizer: Any) -> bool:
    """Whether the template has thoughts that can be switched off."""
    return chat_frame(tokenizer, thinking=True) != chat_frame(tokenizer, thinking=False)


def with_system_folded(turns: Sequence[Message]) -> list[Message]:
    """A conversation for a template without system messages: the system message stands before the user's first words.
    It is what the makers of such models recommend (Gemma's model card), and what vLLM's and other servers' users do by hand.
    """
    if len(turns) < 2 or turns[0].role != "system" or turns[1].role != "user":
        return list(turns)
    return [Message("user", f"{turns[0].content}\n\n{turns[1].content}"), *turns[2:]]


@lru_cache(maxsize=64)
def _frame(tokenizer: Any, template: str, roles: tuple[str, ...], thinking: bool | None) -> ChatFrame:
    marks = [f"{PLACE}{place}x" for place in range(len(roles))]
    # no template writes tabs around a message, so those left are the message's
    chat = [{"role": role, "content": f"\t{mark}\t"} for role, mark in zip(roles, marks, strict=True)]
    text = _rendered(tokenizer, template, chat, thinking)
    for role, mark in zip(roles, marks, strict=True):
        if text.count(mark) != 1:
            name = "message" if roles == ONE_PROMPT else f"{role} message"
            raise SteadyError(
                f"model.chat_template: the template shows the {name} {text.count(mark)} times, expected once. {OFF}"
            )
    # some templates gather system messages or reorder turns; text between them would then belong to nobody
    places = [text.index(mark) for mark in marks]
    if places != sorted(places):
        raise SteadyError(f"model.chat_template: the template shows the messages in another order. {OFF}")
    ends = [start + len(mark) for start, mark in zip(places, marks, strict=True)]
    pieces = [text[start:stop] for start, stop in zip([0, *ends], [*places, len(text)], strict=True)]
    trims = tuple(not (one.endswith("\t") and other.startswith("\t")) for one, other in pairwise(pieces))
    for place, trimmed in enumerate(trims):
        if not trimmed:
            pieces[place], pieces[place + 1] = pieces[place][:-1], pieces[place + 1][1:]
    # templates without a switch (DeepSeek-R1's) open the block themselves
    if thinking is False and pieces[-1].rstrip().endswith(THOUGHTS):
        pieces[-1] = f"{pieces[-1].rstrip()}\n\n{THOUGHTS_END}\n\n"
    return ChatFrame(tuple(pieces), trims)


def _rendered(tokenizer: Any, template: str, chat: list[dict[str, str]], thinking: bool | None) -> str:
    """Render in a thread of its own: the sandbox of the templates bounds neither loops nor time."""
    found: list[Any] = []

    def render() -> None:
        try:
            settings: dict[str, Any] = {"tokenize": False, "add_generation_prompt": True, "date_string": DATE}
            if thinking is not None:
                settings["enable_thinking"] = thinking
            found.append(tokenizer.apply_chat_template(chat, chat_template=FIXED_DATE + template, **settings))
        except Exception as error:
            found.append(error)  # a template may raise anything; the error is reported below

    # A daemon, so that a template that never ends does not keep the process from ending.
    thread = threading.Thread(target=render, daemon=True)
    thread.start()
    thread.join(RENDERING_SECONDS)
    if not found:
        raise SteadyError(f"model.chat_template: not rendered within {RENDERING_SECONDS:g} s. {OFF}")
    if isinstance(found[0], Exception):
        raise SteadyError(f"model.chat_template: the template cannot be rendered: {found[0]}. {OFF}") from found[0]
    return str(found[0])
