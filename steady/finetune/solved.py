"""Solved examples that stand before every prompt of an arm: in-context learning, a rival of training that costs tokens instead."""

import random

from steady.errors import SteadyError
from steady.finetune.run import TrainingRun
from steady.models.load import load_tokenizer
from steady.models.tokenizer import prompt_ids
from steady.records import CANONICAL, Example


def solved_examples(run: TrainingRun) -> tuple[str, int]:
    """The text of the arm's solved examples, drawn from the training examples in their canonical wording, and its tokens.

    Raises:
        SteadyError: with the longest validation prompt they are longer than `format.max_length`.
    """
    count, params = run.arm.scoring.solved_examples, run.params
    if not count:
        return "", 0
    book = run.data.prompts.book
    text = ""
    for example in _drawn(run, count):
        prompt = book.prompt(example, CANONICAL)
        text += f"{prompt}{'' if prompt[-1:].isspace() else ' '}{example.output}\n\n"
    tokenizer, model = load_tokenizer(params.model), params.model
    before, longest = (
        len(prompt_ids(tokenizer, model.task, each, model.chat_template))
        for each in (text, max((prompt.prompt for prompt in run.data.validation), key=len))
    )
    if before + longest > params.format.max_length:
        raise SteadyError(
            f"arms.{run.name}: {count} solved examples take {before} tokens and the longest validation prompt {longest}, but "
            f"format.max_length is {params.format.max_length}. Set `format.max_length` in the arm's settings to "
            f"{2 * (before + longest)} or so, or take fewer examples."
        )
    return text, before


def _drawn(run: TrainingRun, count: int) -> list[Example]:
    """Examples in random order, the labels taking turns where there are labels."""
    rng = random.Random(f"{run.params.seed}:solved")
    examples = run.data.prompts.examples
    answers = run.data.labels or ("",)
    piles = [
        rng.sample(pile, len(pile))
        for answer in rng.sample(answers, len(answers))
        if (pile := [example for example in examples if example.output == answer or not run.data.labels])
    ]
    turns = [pile[place] for place in range(count) for pile in piles if place < len(pile)]
    return turns[:count]
