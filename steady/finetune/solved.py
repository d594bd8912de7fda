"""Solved examples that stand before every prompt of an arm: in-context learning, a rival of training that costs tokens instead."""

import random

from steady.errors import SteadyError
from steady.finetune.run import TrainingRun
from steady.models.load import load_tokenizer
from steady.models.tokenizer import prompt_ids
from steady.records import CANONICAL


def solved_examples(run: TrainingRun) -> tuple[str, int]:
    """The text of the arm's solved examples, drawn from the training examples in their canonical wording, and its tokens.
    SteadyError where with the longest validation prompt they are longer than `format.max_length`.
    """
    count, params = run.arm.scoring.solved_examples, run.params
    if not count:
        return "", 0
    book, labels = run.data.prompts.book, run.data.labels
    rng = random.Random(f"{params.seed}:solved")
    # in random order, the labels taking turns where there are labels
    piles = [
        rng.sample(pile, len(pile))
        for answer in rng.sample(labels or ("",), len(labels) or 1)
        if (pile := [one for one in run.data.prompts.examples if one.output == answer or not labels])
    ]
    text = ""
    for example in [pile[place] for place in range(count) for pile in piles if place < len(pile)][:count]:
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
