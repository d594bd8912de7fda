"""What preference tuning learns from: prompts in a fixed order, and pairs of answers to them, as token ids."""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from steady.prompts.schedule import TrainingPrompts

Encode = Callable[[str], list[int]]


PairRow = dict[str, list[int]]
"""`prompt_ids`, `chosen_ids`, `rejected_ids`: a prompt and two answers to it, each of which ends with the end token."""


@dataclass(frozen=True)
class Question:
    """A worded training prompt with all right answers, and a pair of answers, the better one first, where there are two."""

    prompt: str
    references: tuple[str, ...]
    chosen: str
    rejected: str | None


def questions(prompts: TrainingPrompts, seed: int, *, paired: bool = False) -> Iterator[Question]:
    """Endless questions: round after round over the examples (with a losing answer, where `paired`), each in a new order.
    Round `r` words an example as epoch `r` of its schedule does.
    """
    examples = prompts.examples
    usable = [place for place, example in enumerate(examples) if example.rejected is not None or not paired]
    turn = 0
    while usable:
        for place in random.Random(f"{seed}:preference:{turn}").sample(usable, len(usable)):
            example = examples[place]
            references = tuple(example.references) or (example.output,)
            yield Question(prompts.prompt(place, turn), references, example.output, example.rejected)
        turn += 1


def count_pairs(prompts: TrainingPrompts) -> int:
    """The training examples that come with a losing answer."""
    return sum(example.rejected is not None for example in prompts.examples)


def encode_pairs(
    pairs: Sequence[Question], prompt_of: Encode, answer_of: Callable[[str, str], list[int]], max_length: int
) -> tuple[list[PairRow], dict[str, int]]:
    """Token ids of pairs, and how many there are, lose the end of an answer to `max_length`, or have a prompt that leaves no room.

    Args:
        prompt_of: ids of a prompt; `answer_of`: ids of an answer (first argument) that follows a prompt (second).
        max_length: of prompt and answer together.
    """
    rows: list[PairRow] = []
    cut = dropped = 0
    for pair in pairs:
        prompt = prompt_of(pair.prompt)
        chosen, rejected = (answer_of(text or "", pair.prompt) for text in (pair.chosen, pair.rejected))
        if len(prompt) >= max_length:
            dropped += 1
            continue
        # TRL cuts the end of an answer that is too long; a prompt that fills the room alone leaves nothing to compare.
        cut += len(prompt) + max(len(chosen), len(rejected)) > max_length
        rows.append({"prompt_ids": prompt, "chosen_ids": chosen, "rejected_ids": rejected})
    return rows, {"pairs": len(rows), "cut_pairs": cut, "dropped_pairs": dropped}
