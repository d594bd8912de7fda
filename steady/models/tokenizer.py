"""Prompts and answers as token ids: the one place, so that what is trained is what is scored.

Text of the data never becomes a control token: `</s>` in a ticket is encoded as five characters. Control tokens come from the
tokenizer's own frame (`<s> …`), from the chat template, and from `model.special_tokens`, which are there to be written in text.
"""

from functools import lru_cache
from typing import Any, Literal

from steady.errors import SteadyError
from steady.models.chat import chat_frame, takes_system, with_system_folded
from steady.records import Asked, Message, plain_turns, turns_of

Task = Literal["SEQ_CLS", "SEQ_2_SEQ_LM", "CAUSAL_LM"]
PROBE = "x:"


def prompt_ids(
    tokenizer: Any,
    task: Task,
    prompt: Asked,
    chat_template: bool = False,
    system: str = "",
    thinking: bool | None = None,
) -> list[int]:
    """Token ids of a prompt with the tokenizer's special tokens, neither cut nor padded.

    Args:
        prompt: a text or a conversation (also as one text, see `steady.records.conversation`), whose turns are named where no
            template frames them.
        chat_template: wrap a text as the user's message, as the tokenizer's template says.
        system: the system message before prompts that bring none; empty for what the template says without one.
        thinking: see `chat_frame`.

    Raises:
        SteadyError: the tokenizer has no chat template or it cannot be rendered.
    """
    if not chat_template or task == "SEQ_CLS":
        given = turns_of(prompt) if isinstance(prompt, str) else list(prompt)
        return _plain(tokenizer, str(prompt) if given is None else plain_turns(given), special=True)
    turns = (turns_of(prompt) or [Message("user", prompt)]) if isinstance(prompt, str) else list(prompt)
    if system and turns[0].role != "system":
        turns = [Message("system", system), *turns]
    if turns[0].role == "system" and not takes_system(tokenizer):
        turns = with_system_folded(turns)
    frame = chat_frame(tokenizer, tuple(turn.role for turn in turns), thinking)
    texts = frame.shown(turns)
    if not any(token in text for text in texts for token in _controls(tokenizer)):
        # in one go, for tokens may reach over the border of a message
        between = "".join(piece + text for piece, text in zip(frame.pieces[:-1], texts, strict=True))
        return _with_controls(tokenizer, between + frame.after)
    ids = _with_controls(tokenizer, frame.before)
    for text, piece in zip(texts, frame.pieces[1:], strict=True):
        ids += [*_plain(tokenizer, text, special=False), *_with_controls(tokenizer, piece)]
    return ids


@lru_cache(maxsize=16)
def _controls(tokenizer: Any) -> tuple[str, ...]:
    """The tokenizer's control tokens, those included that it has but does not name, such as the marks of turns."""
    more = [token.content for token in tokenizer.added_tokens_decoder.values() if token.special]
    return tuple(dict.fromkeys([*tokenizer.all_special_tokens, *more]))


def answer_ids(tokenizer: Any, task: Task, answer: str, prompt: str = "", chat_template: bool = False) -> list[int]:
    """Token ids of an answer, the end-of-sequence token last; SteadyError where the tokenizer has none.

    For CAUSAL_LM one space stands between `prompt` and answer, unless the prompt ends in white space or a chat template frames it.
    SEQ_2_SEQ_LM answers are encoded on their own.
    """
    end = end_id(tokenizer)
    # Some tokenizers write the end token themselves; a second one would be learned too.
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


def unknown_id(tokenizer: Any) -> int | None:
    """The token of what the tokenizer cannot write; None where it can write everything, as byte-level ones such as GPT-2's do, whose
    unknown token is their end token by another name.
    """
    unknown, ends = tokenizer.unk_token_id, (tokenizer.eos_token_id, tokenizer.bos_token_id, tokenizer.pad_token_id)
    return None if unknown is None or unknown in ends else int(unknown)


def end_id(tokenizer: Any) -> int:
    """The id of the end-of-sequence token, which training writes behind an answer; SteadyError where the tokenizer has none."""
    if tokenizer.eos_token_id is None:
        raise SteadyError(
            "The tokenizer has no end-of-sequence token, so answers could not end. Choose a model whose tokenizer has one."
        )
    return int(tokenizer.eos_token_id)


def end_ids(tokenizer: Any, generation_config: Any = None) -> tuple[int, ...]:
    """The ids that end a response: those of the model's generation settings, and the one that training writes behind an answer.
    Instruction-tuned models often end a turn by a token of the chat that is not the tokenizer's end token.
    """
    own = [] if tokenizer.eos_token_id is None else [int(tokenizer.eos_token_id)]
    return tuple(dict.fromkeys([*declared_ends(generation_config), *own]))


def declared_ends(generation_config: Any) -> tuple[int, ...]:
    """The ids at which a model's generation settings stop; transformers has none, a number or a list there."""
    found = getattr(generation_config, "eos_token_id", None)
    return () if found is None else (found,) if isinstance(found, int) else tuple(found)


def _following(tokenizer: Any, joint: str, answer: str) -> list[int]:
    """The tokens of an answer as they follow other text: some tokenizers put a space of their own before any text."""
    # Behind a probe and not behind the prompt, so that an answer has the same tokens whatever it follows.
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
