"""From rows to tokens: a group's shared prefix, and the branch of each of its rows."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from tokenizers import Tokenizer

from pretrain.corpus import Row, Task
from pretrain.layouts import Layout, Piece, draw_definition
from pretrain.sampling import Mixture


@dataclass(frozen=True)
class LossWeights:
    """What a token counts in the loss.

    Attributes:
        label: of a classification task's answer.
        answer: of any other answer.
        input: of an input token that is drawn.
        input_share: share of the input tokens that are drawn; the others count nothing, which
            saves the output projection for them.
    """

    label: float
    answer: float
    input: float
    input_share: float


@dataclass(frozen=True)
class Tokens:
    """Token ids and their loss weights, lists of one length."""

    ids: list[int]
    weights: list[float]

    def __add__(self, other: Tokens) -> Tokens:
        return Tokens(self.ids + other.ids, self.weights + other.weights)

    def __len__(self) -> int:
        return len(self.ids)


class Encoder:
    """Encodes pieces of text, with a memory for those that come again."""

    def __init__(self, tokenizer: Tokenizer, eos_id: int) -> None:
        self.eos_id = eos_id
        self.remember = lru_cache(maxsize=20_000)(
            lambda text: tuple(tokenizer.encode(text, add_special_tokens=False).ids)
        )

    def ids(self, text: str) -> list[int]:
        """Token ids of a text, no special tokens added; control tokens in it become text."""
        return list(self.remember(text.replace("<extra_id_", "<extra-id-"))) if text else []


@dataclass(frozen=True)
class Group:
    """Rows of one task under one drawn layout and definition."""

    task: Task
    layout: Layout
    instruction: str
    examples: tuple[Row, ...]


def draw_group(
    task: Task, layout: Layout, mixture: Mixture, examples: Sequence[Row], generator: random.Random
) -> Group:
    """Choose the wording of a group's instruction and whether it shows solved examples."""
    definition = draw_definition(generator, task.definition, mixture.definition_characters)
    shown: tuple[Row, ...] = ()
    if layout.definition_first and generator.random() < mixture.examples_share:
        shown = tuple(examples[: generator.randint(1, 3)])
    return Group(task, layout, layout.instruct(definition, task.labels), shown)


def weigh(
    pieces: Sequence[Piece],
    task: Task,
    encoder: Encoder,
    weights: LossWeights,
    generator: random.Random,
) -> Tokens:
    """Encode pieces; answers end in the end-of-sequence token and carry its weight too."""
    ids: list[int] = []
    values: list[float] = []
    answer = weights.label if task.is_classification else weights.answer
    for piece in pieces:
        found = encoder.ids(piece.text)
        if piece.role == "answer":
            found.append(encoder.eos_id)
            values.extend([answer] * len(found))
        elif piece.role == "input":
            values.extend(weights.input if generator.random() < weights.input_share else 0.0 for _ in found)
        else:
            values.extend([0.0] * len(found))
        ids.extend(found)
    return Tokens(ids, values)


def row_pieces(group: Group, row: Row) -> list[Piece]:
    """Pieces of a row that follows the shared prefix, or of a whole row with the definition last."""
    layout = group.layout
    if layout.definition_first:
        return [*layout.ask(row.input, lead=layout.separator), *layout.answer(row.output)]
    instruction = Piece(layout.separator + group.instruction, "instruction")
    return [*layout.ask(row.input, lead=""), instruction, *layout.answer(row.output)]


def prefix_pieces(group: Group) -> list[Piece]:
    """The shared prefix of a group, empty where the definition stands last.

    Solved examples follow the definition; the end-of-sequence token after each answer is dropped
    by the caller's encoding of plain text.
    """
    if not group.layout.definition_first:
        return []
    pieces = [Piece(group.instruction, "instruction")]
    for example in group.examples:
        text = "".join(piece.text for piece in row_pieces(group, example))
        pieces.append(Piece(text, "instruction"))
    return pieces
