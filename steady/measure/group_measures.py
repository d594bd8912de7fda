"""Every measure of a user's own groups, from saved matrices and predictions; no model is needed."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np

from steady.metrics import sensitivity as measure
from steady.metrics.answers import Answers, normalised, read_answers
from steady.metrics.arm_sensitivity import cell_statistic
from steady.metrics.cells import ALL, Cell, CellValues, cell_values
from steady.metrics.matrices import ScoredGroup, sensitivity
from steady.metrics.resampling import Bootstrap, Floats, Statistic, estimate, one_blas_thread, weighted_mean
from steady.records import Prediction, Prompt

MEASURES = (
    "posix",
    "posix_same",
    "posix_diff",
    "consistent_groups",
    "answer_entropy",
    "worst_prompt_accuracy",
    "agreement",
)
OF_WORDINGS = ("worst_wording_accuracy", "spread")
"""Measures that need the same wordings in every group; the others need none."""


class GroupSummary(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One group: psi in nats per response token, agreement, accuracy over its prompts (null without outputs), and its fault."""

    id: str
    prompts: int
    unique_responses: int
    psi: float | None
    psi_same: float | None
    psi_diff: float | None
    agreement: float
    accuracy: float | None
    fault: str | None


def judged(prediction: Prediction, prompt: Prompt) -> Prediction:
    """The prediction with `correct`: equal to the output once case and white space are normalised; null without an output."""
    if not prompt.completion:
        return prediction
    right = prediction.logprob is not None and normalised(prediction.text) == normalised(prompt.completion)
    return msgspec.structs.replace(prediction, correct=right)


@one_blas_thread()
def measure_groups(
    groups: Sequence[ScoredGroup], prompts: Mapping[str, Prompt], labels: Sequence[str], bootstrap: Bootstrap
) -> dict[str, Any]:
    """All measures with their intervals, counts, the degeneracy flag, and a summary of each group from worst to best.

    Args:
        prompts: by id, for the outputs.
        labels: of a classifier; empty for models that generate, whose entropy is divided by log(prompts of the group).
    """
    worded = _has_wordings(groups, prompts)
    answers = _answers(groups, prompts, labels, worded)
    values = _values(answers, groups)
    unique = np.asarray([len(set(group.responses)) for group in groups], dtype=np.float64)
    summaries = [_summary(group, values, place) for place, group in enumerate(groups)]
    summaries.sort(key=lambda item: (item.psi is None, -(item.psi or 0.0), item.id))
    targets = [prompt.completion or f"\0{prompt.group_id}" for prompt in answers.prompts]  # no output: one of its own
    return {
        "groups": len(groups),
        "prompts": len(answers.prompts),
        "not_scored": dict(sorted(Counter(group.fault for group in groups if group.fault).items())),
        "empty_answers": sum(not item.text for group in groups for item in group.predictions),
        "sampled_pairs": any(group.sampled is not None for group in groups),
        "degeneracy": measure.degeneracy(answers.texts, targets)._asdict(),
        "measures": msgspec.to_builtins(estimate(_statistic(values, unique, worded), len(groups), bootstrap)),
        "by_group": [msgspec.to_builtins(item) for item in summaries],
    }


def _has_wordings(groups: Sequence[ScoredGroup], prompts: Mapping[str, Prompt]) -> bool:
    """Whether every prompt names its wording and has an output."""
    items = [item for group in groups for item in group.predictions]
    return all(prompts[item.prompt_id].wording and item.correct is not None for item in items)


def _answers(
    groups: Sequence[ScoredGroup], prompts: Mapping[str, Prompt], labels: Sequence[str], worded: bool
) -> Answers:
    """The answers as the pipeline measures them; without wordings a prompt's place in its group is its wording.

    An empty answer, or one that is not finite, agrees with none; without an output it is neither right nor wrong.
    """
    asked, given = [], []
    for group in groups:
        for place, item in enumerate(group.predictions):
            named = {} if worded else {"wording": str(place)}
            asked.append(msgspec.structs.replace(prompts[item.prompt_id], group_id=group.id, **named))
            given.append(item)
    read = read_answers(asked, given, ())
    correct = [np.nan if item.correct is None else float(item.correct) for item in given]
    failed = read.failed | np.asarray([item.logprob is None for item in given], dtype=bool)
    return replace(read, labels=tuple(labels), correct=np.asarray(correct), failed=failed)


def _values(answers: Answers, groups: Sequence[ScoredGroup]) -> CellValues:
    """All prompts as one cell; POSIX comes from the matrices, of which only some pairs may be known."""
    values = cell_values(answers, Cell(ALL, ALL, np.arange(len(answers.prompts))), None)
    rows = [[np.nan] * 3 if group.fault else list(sensitivity(group)) for group in groups]
    psi, same, different = np.asarray(rows, dtype=np.float64).reshape(-1, 3).T
    return replace(values, psi=psi, psi_same=same, psi_diff=different)


def _statistic(values: CellValues, unique: Floats, worded: bool) -> Statistic:
    of_cells = cell_statistic(values)
    columns = np.stack([measure.mean_over_wordings(values.scores), unique], axis=1)
    names = MEASURES + (OF_WORDINGS if worded else ())

    def statistic(weights: Floats) -> dict[str, Floats]:
        found = of_cells(weights)
        accuracy, different = weighted_mean(weights, columns).T
        chosen = {name: found[name] for name in names}
        return chosen | {"accuracy": accuracy, "unique_responses": different}

    return statistic


def _summary(group: ScoredGroup, values: CellValues, place: int) -> GroupSummary:
    pairs, accuracy = values.pairs[place], measure.mean_over_wordings(values.scores[place])
    return GroupSummary(
        id=group.id,
        prompts=len(group.predictions),
        unique_responses=len(set(group.responses)),
        psi=_known(values.psi[place]),
        psi_same=_known(values.psi_same[place]),
        psi_diff=_known(values.psi_diff[place]),
        agreement=float(values.equal[place] / pairs) if pairs else float("nan"),
        accuracy=_known(accuracy),
        fault=group.fault,
    )


def _known(value: Any) -> float | None:
    return None if np.isnan(value) else float(value)
