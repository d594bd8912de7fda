"""Score groups of prompts with a sequence classifier: the response is the predicted label, one pass for each unique prompt."""

from collections.abc import Sequence
from dataclasses import replace

import msgspec
import numpy as np

from steady.inference.named import LabelScorer
from steady.labels import LabelTask
from steady.metrics.label_sets import label_sets, set_logprobs
from steady.metrics.matrices import ScoredGroup
from steady.records import Prediction, Prompt
from steady.scoring.groups import Floats, PromptGroup, prompt_groups
from steady.scoring.predictions import classify


def score_label_groups(scorer: LabelScorer, groups: Sequence[PromptGroup]) -> list[ScoredGroup]:
    """Predictions and matrices of groups, M[i][j] = log P(label predicted for x_j | x_i)."""
    prompts = [
        Prompt(id=name, group_id=group.id, example_id="", wording="", prompt=str(text), completion="")
        for group in groups
        for name, text in zip(group.prompt_ids, group.prompts, strict=True)
    ]
    predictions = classify(scorer.score, prompts, scorer.labels, scorer.batch_size)
    scored = label_groups(prompts, predictions, LabelTask(scorer.labels))
    return [replace(group, predictions=tuple(map(_unjudged, group.predictions))) for group in scored]


def _unjudged(prediction: Prediction) -> Prediction:
    """A prediction before it is compared with an output; JSON has no NaN, so without numbers there is no label either."""
    if np.isfinite(prediction.label_logprobs).all():
        return msgspec.structs.replace(prediction, correct=None)
    return msgspec.structs.replace(prediction, correct=None, parsed=None, label_logprobs=[], logprob=None)


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
