"""The one function that turns an example into a prompt: training, scoring, predict and serve all call `render`."""

from steady.errors import SteadyError
from steady.prompts import families
from steady.prompts.bank import Bank
from steady.prompts.canonical import canonical_parts
from steady.prompts.parts import join
from steady.records import CANONICAL, Example, Message, Wording, conversation


def render(example: Example, wording: Wording, bank: Bank | None) -> str:
    """The prompt of an example under a wording; the same arguments give the same text, anywhere.

    Without templates in the bank the example's own instruction and input are the prompt. That of a conversation has the turns
    before it. SteadyError where the family is unknown, or bank or example have no such wording (see `applies`).
    """
    try:
        if wording.family == CANONICAL:
            return _after_turns(example, join(canonical_parts(example, bank)))
        return _after_turns(example, families.modules()[wording.family].render(example, wording, bank))
    except (KeyError, IndexError) as error:
        raise SteadyError(
            f"wording {wording.id!r} (family {wording.family!r}) cannot word example {example.id}: {error} is not there. "
            f"Families: {', '.join((CANONICAL, *families.names()))}. Was it made for another bank of wordings?"
        ) from error


def _after_turns(example: Example, worded: str) -> str:
    """The prompt with the turns before it, where the example is a conversation: its last question alone is reworded."""
    if len(example.messages or ()) < 2:
        return worded
    assert example.messages
    *turns, question, _ = example.messages
    return conversation([*turns, Message(question.role, worded)])


def applies(example: Example, wording: Wording, bank: Bank | None) -> bool:
    """Whether an example can be worded so; a wording of an unknown family is left to `render`, which names it."""
    # Most families can word every example and have no such function.
    applies_to = getattr(families.modules().get(wording.family), "applies", None)
    return applies_to is None or bool(applies_to(example, wording, bank))
