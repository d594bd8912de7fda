"""The records of what a model that generates answers to the prompts of a run."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from steady.inference.language import whole_prompt
from steady.inference.scorer import Scorer
from steady.labels import LabelTask
from steady.metrics.arm_text import references_of
from steady.metrics.text import exact_match, read_answer
from steady.records import Prediction, Prompt
from steady.scoring.answering import Scored, answer_groups, response_text, scored_group
from steady.scoring.groups import PromptGroup, prompt_groups
from steady.scoring.predictions import DECIMALS, ArmAnswers, log_softmax
from steady.scoring.resume import Partial


class Wanted(NamedTuple):
    """What is scored beside the responses: the matrix of every group (`paired`), and the references of every prompt."""

    paired: bool
    references: bool


def generated_answers(
    scorer: Scorer, prompts: Sequence[Prompt], task: LabelTask, wanted: Wanted, partial: Partial, progress: bool = False
) -> ArmAnswers:
    """Answers to prompts: free greedy text, and the choice among labels where there are labels.

    The choice is the label with the highest summed log-likelihood; `label_logprobs` are those, normalised over the labels. Where
    an answer may have several labels there are too many sets to choose among: it is read from the text, and has no
    `label_logprobs`. Open answers, of a task without labels, are right where they equal a reference.

    Raises:
        SteadyError: a prompt does not fit the model, or its numbers are not finite.
    """
    chosen = () if task.multi_label else task.labels
    # the labels first, in their order; one may be the reference as well, and is scored once
    given = {
        prompt.id: list(dict.fromkeys([*chosen, *(references_of(prompt) if wanted.references else ())]))
        for prompt in prompts
    }
    # without a matrix a prompt is a group of its own, so that bundles can be cut anywhere
    alone = [PromptGroup(one.id, (one.id,), (one.prompt,)) for one in prompts]
    groups = prompt_groups(prompts) if wanted.paired else alone
    rows = answer_groups(scorer, groups, given, wanted.paired, partial, progress)
    scored = {item.prompt_id: item for group in rows for item in group}
    found = {prompt.id: _prediction(scorer, prompt, scored[prompt.id], task) for prompt in prompts}
    matrices = [
        scored_group(group, row, [found[name] for name in group.prompt_ids])
        for group, row in zip(groups, rows, strict=True)
        if wanted.paired
    ]
    likeliest = [_likeliest(prompt, given[prompt.id], scored[prompt.id]) for prompt in prompts if wanted.references]
    limit = scorer.language.max_length
    cut = sum(len(whole_prompt(scorer.language, one.prompt)) > limit for one in prompts) if limit is not None else 0
    return ArmAnswers([found[prompt.id] for prompt in prompts], likeliest, matrices, partial, cut)


def _prediction(scorer: Scorer, prompt: Prompt, scored: Scored, task: LabelTask) -> Prediction:
    text, labels = response_text(scorer, scored), task.labels
    # several labels of L give 2 ** L answers, too many to score each
    choosing = labels and not task.multi_label
    logprobs = log_softmax(np.asarray(scored.given[: len(labels)])) if choosing else np.zeros(0)
    choice = labels[int(logprobs.argmax())] if choosing else read_answer(text, task)
    return Prediction(
        prompt_id=prompt.id,
        text=text,
        token_ids=scored.tokens,
        parsed=choice,
        label_logprobs=[round(float(value), DECIMALS) for value in logprobs],
        logprob=round(scored.logprob, DECIMALS),
        correct=choice == prompt.completion if labels else exact_match(text, references_of(prompt)),
    )


def _likeliest(prompt: Prompt, given: Sequence[str], scored: Scored) -> tuple[float, int]:
    """The log-probability and the tokens of the reference that is likeliest a token."""
    references = set(references_of(prompt))
    pairs = zip(given, scored.given, scored.given_tokens, strict=True)
    # per token: summed over tokens the shortest reference would win
    scored_references = [(logprob, tokens) for answer, logprob, tokens in pairs if answer in references]
    return max(scored_references, key=lambda pair: pair[0] / pair[1])
