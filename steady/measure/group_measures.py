"""Every measure of a user's own groups, from saved matrices and predictions; no model is needed."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from steady.metrics import sensitivity as measure
from steady.metrics.answers import normalised, numbered
from steady.metrics.cells import score_table
from steady.metrics.matrices import ScoredGroup, sensitivity
from steady.metrics.resampling import Bootstrap, Floats, Statistic, estimate, one_blas_thread, ratio, weighted_mean
from steady.records import Prediction, Prompt

NOT_FINITE, EMPTY_RESPONSE = "not_finite", "empty_response"
COLUMNS = (
    "psi",
    "psi_same",
    "psi_diff",
    "equal",
    "pairs",
    "consistent",
    "entropy",
    "accuracy",
    "worst_prompt",
    "unique",
)


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
    table = np.asarray([_group_row(group, labels) for group in groups], dtype=np.float64).reshape(-1, len(COLUMNS))
    columns = dict(zip(COLUMNS, table.T, strict=True))
    measures = msgspec.to_builtins(estimate(_statistic(columns), len(groups), bootstrap))
    measures |= _wording_measures(groups, prompts, bootstrap)
    summaries = sorted(
        (_summary(group, row) for group, row in zip(groups, table, strict=True)),
        key=lambda item: (item.psi is None, -(item.psi or 0.0), item.id),
    )
    faults = Counter(group.fault for group in groups if group.fault)
    predictions = [item for group in groups for item in group.predictions]
    return {
        "groups": len(groups),
        "prompts": len(predictions),
        "not_scored": dict(sorted(faults.items())),
        "empty_answers": sum(not item.text for item in predictions),
        "sampled_pairs": any(group.sampled is not None for group in groups),
        "degeneracy": _degeneracy(groups, prompts)._asdict(),
        "measures": measures,
        "by_group": [msgspec.to_builtins(item) for item in summaries],
    }


def _group_row(group: ScoredGroup, labels: Sequence[str]) -> list[float]:
    """One row of `COLUMNS`; an empty answer, or one that is not finite, agrees with none."""
    texts = [normalised(item.text) for item in group.predictions]
    failed = np.asarray([not text or item.logprob is None for text, item in zip(texts, group.predictions, strict=True)])
    codes = numbered(texts)[0]
    equal, pairs = measure.answer_agreement(codes, failed)
    psi = [float("nan")] * 3 if group.fault else list(sensitivity(group))
    scores = [float(item.correct) for item in group.predictions if item.correct is not None]
    return [
        *psi,
        float(equal),
        float(pairs),
        float(equal == pairs),
        measure.answer_entropy(codes, len(labels) or len(texts)),
        float(np.mean(scores)) if scores else float("nan"),
        min(scores, default=float("nan")),
        float(len(set(group.responses))),
    ]


def _statistic(columns: Mapping[str, Floats]) -> Statistic:
    means = {
        "posix": "psi",
        "posix_same": "psi_same",
        "posix_diff": "psi_diff",
        "consistent_groups": "consistent",
        "answer_entropy": "entropy",
        "accuracy": "accuracy",
        "worst_prompt_accuracy": "worst_prompt",
        "unique_responses": "unique",
    }

    def statistic(weights: Floats) -> dict[str, Floats]:
        found = {name: weighted_mean(weights, columns[column]) for name, column in means.items()}
        return found | {"agreement": ratio(weights @ columns["equal"], weights @ columns["pairs"])}

    return statistic


def _wording_measures(
    groups: Sequence[ScoredGroup], prompts: Mapping[str, Prompt], bootstrap: Bootstrap
) -> dict[str, Any]:
    """Accuracy by wording, where every prompt names its wording and has an output; nothing otherwise."""
    items = [(place, item) for place, group in enumerate(groups) for item in group.predictions]
    if not items or not all(prompts[item.prompt_id].wording and item.correct is not None for _, item in items):
        return {}
    columns, wordings = numbered(prompts[item.prompt_id].wording for _, item in items)
    rows = np.asarray([place for place, _ in items], dtype=np.intp)
    scores = np.asarray([float(bool(item.correct)) for _, item in items])
    table = score_table(scores, rows, columns, (len(groups), len(wordings)))

    def statistic(weights: Floats) -> dict[str, Floats]:
        accuracy = measure.wording_scores(table, weights)
        return {"worst_wording_accuracy": measure.worst_wording(accuracy), "spread": measure.spread(accuracy)}

    found: dict[str, Any] = msgspec.to_builtins(estimate(statistic, len(groups), bootstrap))
    return found


def _summary(group: ScoredGroup, row: Floats) -> GroupSummary:
    values = {name: None if np.isnan(value) else float(value) for name, value in zip(COLUMNS, row, strict=True)}
    pairs = values["pairs"] or 0.0
    return GroupSummary(
        id=group.id,
        prompts=len(group.predictions),
        unique_responses=int(values["unique"] or 0),
        psi=values["psi"],
        psi_same=values["psi_same"],
        psi_diff=values["psi_diff"],
        agreement=(values["equal"] or 0.0) / pairs if pairs else float("nan"),
        accuracy=values["accuracy"],
        fault=group.fault,
    )


def _degeneracy(groups: Sequence[ScoredGroup], prompts: Mapping[str, Prompt]) -> measure.Degeneracy:
    """Targets are the outputs; a group without one is a target of its own."""
    answers = [normalised(item.text) for group in groups for item in group.predictions]
    targets = [prompts[item.prompt_id].completion or f"\0{group.id}" for group in groups for item in group.predictions]
    return measure.degeneracy(answers, targets)
