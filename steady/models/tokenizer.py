"""Prompts and answers as token ids: the one place, so that what is trained is what is scored.

Text of the data never becomes a control token: `</s>` in a ticket is encoded as five characters. Control tokens come from the
tokenizer's own frame (`<s> …`), from the chat template, and from `model.special_tokens`, which are there to be written in text.
"""

import threading
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

from steady.errors import SteadyError

Task = Literal["SEQ_CLS", "SEQ_2_SEQ_LM", "CAUSAL_LM"]
PLACE = "steadyPromptGoesHere"
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
        chat_template: wrap the prompt as the user's message, as the tokenizer's template says.
        system: the system message before it; empty for what the template says without one.

    Raises:
        SteadyError: the tokenizer has no chat template or it cannot be rendered.
    """
    if not chat_template or task == "SEQ_CLS":
        return _plain(tokenizer, prompt, special=True)
    frame = chat_frame(tokenizer, system)
    text = prompt.strip() if frame.trims else prompt
    if not any(token in text for token in tokenizer.all_special_tokens):
        return _with_controls(tokenizer, frame.before + text + frame.after)
    before, after = (_with_controls(tokenizer, part) for part in (frame.before, frame.after))
    return [*before, *_plain(tokenizer, text, special=False), *after]


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


def chat_frame(tokenizer: Any, system: str = "") -> ChatFrame:
    """What the tokenizer's chat template puts around a user's message, a system message included; rendered once for each.

    Raises:
        SteadyError: there is no template, it is too long, takes too long, fails, or does not show the message once.
    """
    template = tokenizer.chat_template
    if not isinstance(template, str):
        raise SteadyError(
            "model.chat_template: the tokenizer has no chat template. Set it to false, or choose an instruction-tuned model."
        )
    if len(template) > LARGEST_TEMPLATE:
        raise SteadyError(
            f"model.chat_template: the template has {len(template)} characters, allowed are {LARGEST_TEMPLATE}. "
            "Set it to false, or choose another model."
        )
    return _frame(tokenizer, template, system)


@lru_cache(maxsize=16)
def _frame(tokenizer: Any, template: str, system: str) -> ChatFrame:
    # no template writes tabs around a message, so those left are the message's
    text = _rendered(tokenizer, f"\t{PLACE}\t", system)
    if text.count(PLACE) != 1:
        raise SteadyError(
            f"model.chat_template: the template shows the message {text.count(PLACE)} times, expected once. Set it to false."
        )
    before, after = text.split(PLACE)
    trims = not (before.endswith("\t") and after.startswith("\t"))
    return ChatFrame(before if trims else before[:-1], after if trims else after[1:], trims)


def _rendered(tokenizer: Any, message: str, system: str) -> str:
    """Render in a thread of its own: the sandbox of the templates bounds neither loops nor time."""
    found: list[Any] = []

    def render() -> None:
        try:
            before = [{"role": "system", "content": system}] if system else []
            chat = [*before, {"role": "user", "content": message}]
            settings = {"tokenize": False, "add_generation_prompt": True, "date_string": DATE}
            template = FIXED_DATE + tokenizer.chat_template
            found.append(tokenizer.apply_chat_template(chat, chat_template=template, **settings))
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
