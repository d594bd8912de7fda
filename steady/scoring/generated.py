"""The records of what a model that generates says to the prompts of a run."""

from collections.abc import Sequence

import numpy as np

from steady.inference.language import count_cut
from steady.inference.scorer import Scorer
from steady.labels import LabelTask
from steady.metrics.arm_text import references_of
from steady.metrics.text import exact_match, read_answer
from steady.records import Prediction, Prompt
from steady.scoring.answering import Said, answer_groups, response_text, scored_group
from steady.scoring.answers import ArmAnswers
from steady.scoring.groups import PromptGroup, prompt_groups
from steady.scoring.predictions import DECIMALS, log_softmax
from steady.scoring.resume import Partial


def generated_answers(
    scorer: Scorer,
    prompts: Sequence[Prompt],
    task: LabelTask,
    paired: bool,
    references: bool,
    partial: Partial,
    progress: bool = False,
) -> ArmAnswers:
    """Answers to prompts: free greedy text, and the choice among labels where there are labels.

    The choice is the label with the highest summed log-likelihood; `label_logprobs` are those, normalised over the labels. Where
    an answer may have several labels there are too many sets to choose among: it is read from the text, and has no
    `label_logprobs`.

    Args:
        task: without labels for open answers, which are right where they equal a reference.
        paired: make the matrix of every group.
        references: score the references of every prompt.

    Raises:
        SteadyError: a prompt does not fit the model, or its numbers are not finite.
    """
    chosen = () if task.multi_label else task.labels
    given = {prompt.id: _given(prompt, chosen, references) for prompt in prompts}
    groups = prompt_groups(prompts) if paired else [PromptGroup(one.id, (one.id,), (one.prompt,)) for one in prompts]
    rows = answer_groups(scorer, groups, given, paired, partial, progress)
    said = {item.prompt_id: item for group in rows for item in group}
    found = {prompt.id: _prediction(scorer, prompt, said[prompt.id], task) for prompt in prompts}
    matrices = [
        scored_group(group, row, [found[name] for name in group.prompt_ids])
        for group, row in zip(groups, rows, strict=True)
        if paired
    ]
    likeliest = [_likeliest(prompt, given[prompt.id], said[prompt.id]) for prompt in prompts if references]
    cut = count_cut(scorer.language, [prompt.prompt for prompt in prompts])
    return ArmAnswers([found[prompt.id] for prompt in prompts], likeliest, matrices, partial, cut)


def _given(prompt: Prompt, labels: Sequence[str], references: bool) -> list[str]:
    """The answers to score: the labels first, in their order."""
    return list(dict.fromkeys([*labels, *(references_of(prompt) if references else ())]))


def _prediction(scorer: Scorer, prompt: Prompt, said: Said, task: LabelTask) -> Prediction:
    text, labels = response_text(scorer, said), task.labels
    choosing = labels and not task.multi_label
    logprobs = log_softmax(np.asarray(said.given[: len(labels)])) if choosing else np.zeros(0)
    choice = labels[int(logprobs.argmax())] if choosing else read_answer(text, task)
    return Prediction(
        prompt_id=prompt.id,
        text=text,
        token_ids=said.tokens,
        parsed=choice,
        label_logprobs=[round(float(value), DECIMALS) for value in logprobs],
        logprob=round(said.logprob, DECIMALS),
        correct=choice == prompt.completion if labels else exact_match(text, references_of(prompt)),
    )


def _likeliest(prompt: Prompt, given: Sequence[str], said: Said) -> tuple[float, int]:
    """The log-probability and the tokens of the reference that is likeliest a token."""
    wanted = set(references_of(prompt))
    scored = [
        (logprob, tokens)
        for answer, logprob, tokens in zip(given, said.given, said.given_tokens, strict=True)
        if answer in wanted
    ]
    return max(scored, key=lambda pair: pair[0] / pair[1])
