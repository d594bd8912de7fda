"""Prompt layouts: how definition, labels, examples, input and answer become one text.

A layout is drawn anew for every group of rows, so that the base model is married to no template.
``CANONICAL`` is the one that evaluation uses.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from typing import Literal

Role = Literal["instruction", "input", "answer"]

# (definition, input, answer); a heading that ends in a line break is followed by bare text,
# any other by a space.
HEADINGS: tuple[tuple[str, str, str], ...] = (
    ("Definition:", "Input:", "Output:"),
    ("Instruction:", "Input:", "Output:"),
    ("Instruction:", "Text:", "Answer:"),
    ("Task:", "Text:", "Label:"),
    ("Task:", "Input:", "Answer:"),
    ("", "", "Answer:"),
    ("", "Input:", "Output:"),
    ("", "Text:", "Answer:"),
    ("", "Message:", "Category:"),
    ("", "Question:", "Answer:"),
    ("### Instruction:\n", "### Input:\n", "### Response:\n"),
    ("INSTRUCTION:", "INPUT:", "OUTPUT:"),
    ("Question:", "Context:", "Answer:"),
    ("Q:", "Input:", "A:"),
    ("[Task]", "[Input]", "[Output]"),
    ("<instruction>\n", "<input>\n", "<output>\n"),
    ("", "", "\n"),
)
SEPARATORS = ("\n\n", "\n", "\n\n", " ", "\n---\n", "\n###\n", " | ")
LABEL_LISTS = (
    ("Labels: ", ", "),
    ("Options: ", ", "),
    ("Options: ", " | "),
    ("Choose one of: ", ", "),
    ("Answer with one of: ", ", "),
    ("Possible answers: ", "; "),
    ("Labels:\n- ", "\n- "),
)
MAX_LABELS_CHARACTERS = 160


@dataclass(frozen=True)
class Piece:
    """A stretch of a prompt and what it is to the loss."""

    text: str
    role: Role


@dataclass(frozen=True)
class Layout:
    """One way of laying out a prompt.

    Attributes:
        headings: of the definition, the input and the answer.
        separator: between the blocks.
        definition_first: whether the definition stands before the input or after it.
        labels: prefix and joint of the list of labels; None leaves the list out.
    """

    headings: tuple[str, str, str]
    separator: str
    definition_first: bool
    labels: tuple[str, str] | None

    def instruct(self, definition: str, labels: tuple[str, ...]) -> str:
        """The definition block, with the list of labels where this layout shows one."""
        text = with_heading(self.headings[0], definition)
        listed = list_labels(self.labels, labels)
        if not listed:
            return text
        return f"{text}{self.separator}{listed}"

    def ask(self, text: str, *, lead: str) -> list[Piece]:
        """The input block and the heading of the answer.

        Args:
            text: the row's input.
            lead: what stands before the block, the separator or nothing.
        """
        heading = self.headings[1]
        if heading:
            return [Piece(lead + heading, "instruction"), Piece(joint(heading) + text, "input")]
        bare = lead.rstrip(" ")
        return [Piece(bare, "instruction"), Piece(lead[len(bare) :] + text, "input")]

    def answer(self, output: str) -> list[Piece]:
        """The heading of the answer and the answer itself."""
        heading = self.headings[2]
        opening = heading if heading == "\n" else self.separator + heading
        return [Piece(opening, "instruction"), Piece(joint(heading) + output, "answer")]


CANONICAL = Layout(HEADINGS[0], "\n\n", True, ("Labels: ", ", "))


def joint(heading: str) -> str:
    """The white space between a heading and its text."""
    return "" if not heading or heading.endswith("\n") else " "


def with_heading(heading: str, text: str) -> str:
    """A heading and its text as one string."""
    return heading + joint(heading) + text


def list_labels(style: tuple[str, str] | None, labels: tuple[str, ...]) -> str:
    """The sorted labels in one string; empty without a style, without labels or past the bound."""
    if style is None or not labels:
        return ""
    text = style[0] + style[1].join(sorted(labels))
    return text if len(text) <= MAX_LABELS_CHARACTERS else ""


def draw_layout(generator: random.Random, canonical_share: float, definition_last_share: float) -> Layout:
    """A layout at random: the canonical one with the given probability, else any combination."""
    if generator.random() < canonical_share:
        labels = CANONICAL.labels if generator.random() < 0.5 else None
        return Layout(CANONICAL.headings, CANONICAL.separator, True, labels)
    return Layout(
        headings=generator.choice(HEADINGS),
        separator=generator.choice(SEPARATORS),
        definition_first=generator.random() >= definition_last_share,
        labels=generator.choice(LABEL_LISTS) if generator.random() < 0.5 else None,
    )


def shorten(definition: str, max_characters: int) -> str:
    """The leading sentences of a definition that fit, at least the first one (cut at the bound)."""
    text = " ".join(definition.split())
    if len(text) <= max_characters:
        return text
    kept = ""
    for sentence in split_sentences(text):
        if kept and len(kept) + 1 + len(sentence) > max_characters:
            break
        kept = f"{kept} {sentence}".strip()
    return kept[:max_characters].rstrip()


def split_sentences(text: str) -> list[str]:
    """Sentences of a text, by final punctuation followed by white space."""
    return re.split(r"(?<=[.!?])\s+", text)


def draw_definition(generator: random.Random, definition: str, max_characters: int) -> str:
    """A wording of the definition: whole, its first sentences, or some sentences in order."""
    way = generator.random()
    if way < 0.6:
        return shorten(definition, max_characters)
    if way < 0.8:
        return shorten(definition, generator.choice((100, 200, 300)))
    sentences = split_sentences(" ".join(definition.split()))
    kept = [sentence for sentence in sentences if generator.random() < 0.6]
    return shorten(" ".join(kept or sentences[:1]), max_characters)
