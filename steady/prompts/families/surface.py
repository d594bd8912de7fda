"""The surface family: casing, white space, punctuation, politeness and filler, leaving the task as it was asked."""

import re
from collections.abc import Callable
from typing import NamedTuple

from steady.prompts.bank import Bank
from steady.prompts.canonical import canonical_parts
from steady.prompts.levels import Task, placed
from steady.prompts.parts import Kind, Part, change_unprotected, join
from steady.records import Example, Wording

Change = Callable[[str], str]
Rewrite = Callable[[list[Part]], list[Part]]
WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
STOP = re.compile(r"[.!?:]+(?=\s|$)")
FULL_STOP = re.compile(r"\.(?=\s|$)")
COLON = re.compile(r":(?=\s|$)")
BREAKS = re.compile(r"\s*\n\s*")


class Operator(NamedTuple):
    """One surface operator; `kind` is what it touches, `trained` whether the tuned arm may see it."""

    kind: str
    trained: bool
    rewrite: Rewrite


def _text(change: Change, kinds: tuple[Kind, ...] = ("text",)) -> Rewrite:
    """Change the words of the template and leave the item's alone."""
    return lambda parts: [
        Part(part.kind, change_unprotected(part.text, change)) if part.kind in kinds else part for part in parts
    ]


def _all(change: Change) -> Rewrite:
    """Change the template and the item; the label list and protected spans stay."""
    # An answer is compared with the labels as they are written.
    return _text(change, ("text", "input"))


def _item(left: str, right: str) -> Rewrite:
    """Put something around the item's text."""
    return lambda parts: [
        Part("input", f"{left}{part.text}{right}") if part.kind == "input" else part for part in parts
    ]


def _before(filler: str) -> Rewrite:
    return lambda parts: [Part("text", f"{filler} "), *parts]


def _after(filler: str) -> Rewrite:
    """Put a sentence at the end, or before the last line where that is the cue for the answer (`Label:`)."""

    def rewrite(parts: list[Part]) -> list[Part]:
        *rest, last = parts
        body, line_break, cue = last.text.rpartition("\n")
        # A model goes on after the cue, so nothing may stand behind it.
        if last.kind == "text" and line_break and cue.endswith(":"):
            return [*rest, Part("text", f"{body}\n{filler}\n{cue}")]
        return [*parts, Part("text", f"\n{filler}")]

    return rewrite


def _title(text: str) -> str:
    return WORD.sub(lambda word: word.group()[0].upper() + word.group()[1:], text)


# What a model's tokenizer cannot tell from another wording is left out later, by `format.lengths.look_alikes`.
OPERATORS: dict[str, Operator] = {
    "lower-all": Operator("casing", True, _all(str.lower)),
    "upper-text": Operator("casing", True, _text(str.upper)),
    "title-text": Operator("casing", False, _text(_title)),
    "upper-all": Operator("casing", False, _all(str.upper)),
    "one-line": Operator("white-space", True, _text(lambda text: BREAKS.sub(" ", text))),
    "wide-blanks": Operator("white-space", True, _text(lambda text: text.replace(" ", "  "))),
    "airy-lines": Operator("white-space", False, _text(lambda text: BREAKS.sub("\n\n\n", text))),
    "indented-lines": Operator("white-space", False, _text(lambda text: text.replace("\n", "\n    "))),
    "no-stops": Operator("punctuation", True, _text(lambda text: STOP.sub("", text))),
    "exclaimed": Operator("punctuation", True, _text(lambda text: STOP.sub("!", text))),
    "item-in-parentheses": Operator("punctuation", True, _item("(", ")")),
    "dots": Operator("punctuation", False, _text(lambda text: FULL_STOP.sub("...", text))),
    "dashed": Operator("punctuation", False, _text(lambda text: COLON.sub(" --", text))),
    "item-in-quotes": Operator("punctuation", False, _item('"', '"')),
    "item-in-stars": Operator("punctuation", False, _item("**", "**")),
    "please": Operator("politeness", True, _before("Please help with this.")),
    "thank-you": Operator("politeness", True, _after("Thank you!")),
    "would-you-mind": Operator("politeness", False, _before("Would you mind doing this for me?")),
    "grateful": Operator("politeness", False, _after("It would be much appreciated.")),
    "hello": Operator("filler-before", True, _before("Hello there!")),
    "good-week": Operator("filler-before", True, _before("I hope that your week is going well.")),
    "rain": Operator("filler-before", False, _before("What a grey morning, it has rained since breakfast.")),
    "hurry": Operator("filler-before", False, _before("Quickly now, they are waiting for me upstairs.")),
    "no-hurry": Operator("filler-after", True, _after("There is no hurry at all.")),
    "read-on": Operator("filler-after", True, _after("Read it to the end first.")),
    "last-one": Operator("filler-after", False, _after("After that we are done for today.")),
    "short-note": Operator("filler-after", False, _after("(Sorry that this is so brief.)")),
    "good-night": Operator("filler-after", False, _after("All the best from the night shift")),
}


def wordings(task: Task) -> list[Wording]:
    """One wording for each operator."""
    return [
        placed(Wording(id=f"surface/{name}", family="surface", operator=name, trained=operator.trained), task.params)
        for name, operator in OPERATORS.items()
    ]


def render(example: Example, wording: Wording, bank: Bank | None) -> str:
    """The canonical prompt after the operator."""
    return join(OPERATORS[wording.operator].rewrite(canonical_parts(example, bank)))
