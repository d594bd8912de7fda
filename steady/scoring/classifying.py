"""Score groups of prompts with a sequence classifier: the response is the predicted label, one pass for each unique prompt."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from steady.inference.classifier import Logits, in_batches
from steady.labels import LabelTask
from steady.metrics.label_sets import label_sets, set_logprobs
from steady.metrics.matrices import ScoredGroup
from steady.records import Prediction, Prompt
from steady.scoring.groups import Floats, PromptGroup, prompt_groups
from steady.scoring.predictions import DECIMALS, log_softmax


@dataclass(frozen=True)
class LabelScorer:
    """Logits of batches of prompts, and the names of their columns."""

    score: Logits
    labels: tuple[str, ...]
    batch_size: int


def score_label_groups(scorer: LabelScorer, groups: Sequence[PromptGroup]) -> list[ScoredGroup]:
    """Predictions and matrices of groups, M[i][j] = log P(label predicted for x_j | x_i)."""
    prompts = [prompt for group in groups for prompt in group.prompts]
    rows = np.round(log_softmax(in_batches(scorer.score, prompts, scorer.batch_size)), DECIMALS)
    stops = np.cumsum([len(group.prompts) for group in groups])[:-1]
    return [_scored(scorer, group, part) for group, part in zip(groups, np.split(rows, stops), strict=True)]


def _scored(scorer: LabelScorer, group: PromptGroup, logprobs: Floats) -> ScoredGroup:
    answers = logprobs.argmax(axis=1)
    matrix: Floats = logprobs[:, answers]
    predictions = tuple(
        _prediction(prompt_id, row, scorer.labels[answer])
        for prompt_id, row, answer in zip(group.prompt_ids, logprobs, answers, strict=True)
    )
    return ScoredGroup(group.id, matrix, np.ones(len(answers)), predictions)


def _prediction(prompt_id: str, logprobs: Floats, label: str) -> Prediction:
    finite = bool(np.isfinite(logprobs).all())
    return Prediction(
        prompt_id=prompt_id,
        text=label,
        parsed=label if finite else None,
        label_logprobs=[float(value) + 0.0 for value in logprobs] if finite else [],
        logprob=float(logprobs.max()) if finite else None,
    )


def label_groups(prompts: Sequence[Prompt], predictions: Sequence[Prediction], task: LabelTask) -> list[ScoredGroup]:
    """The matrices of predictions that are made already; an answer that is no label has a column of NaN."""
    found = {item.prompt_id: item for item in predictions}
    return [_label_group(group, [found[name] for name in group.prompt_ids], task) for group in prompt_groups(prompts)]


def _label_group(group: PromptGroup, members: Sequence[Prediction], task: LabelTask) -> ScoredGroup:
    labels: Sequence[str] = task.labels
    logprobs: Floats = np.asarray([item.label_logprobs for item in members], dtype=np.float64)
    if task.multi_label:
        sets = label_sets([item.text for item in members], labels)
        labels, logprobs = sets.names, set_logprobs(logprobs, sets.members)
    places = {label: place for place, label in enumerate(labels)}
    logprobs = np.concatenate([logprobs, np.full((len(members), 1), np.nan)], axis=1)
    answers = np.asarray([places.get(str(item.parsed), len(labels)) for item in members], dtype=np.intp)
    return ScoredGroup(group.id, logprobs[:, answers], np.ones(len(members)), tuple(members))
