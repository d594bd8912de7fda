"""Every measure of a user's own groups, from saved matrices and predictions; no model is needed."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import msgspec
import numpy as np

from steady.labels import Floats
from steady.measure.matching import Matcher, unequal_but_contained
from steady.measure.prompt_files import AskedPrompt
from steady.metrics import sensitivity as measure
from steady.metrics.answers import Answers, numbered, read_answers
from steady.metrics.arm_sensitivity import cell_estimates, cell_statistic
from steady.metrics.cells import ALL, Cell, CellValues, cell_values
from steady.metrics.matrices import ScoredGroup, sensitivity
from steady.metrics.measures import HIGHER, LOWER, SENSITIVITY, SensitivityMeasure
from steady.metrics.resampling import Bootstrap, Estimate, Statistic, one_blas_thread, ratio, weighted_mean
from steady.metrics.results import Degeneracy
from steady.records import Prediction

# What people call measures whose names in the pipeline's files mean its wordings and labels
KEYS = {"mean_accuracy": "accuracy", "unparsed": "format_loss"}

RESPONSES = SensitivityMeasure("unique_responses", "different responses", LOWER, "group", unit="a group")
REPEATS = SensitivityMeasure("repeat_agreement", "agreement between repeats of one prompt", HIGHER, "group")
# Rows of the table of measures by the key they have in `measures.json`; those that have no value are left out of it
ROWS = {KEYS.get(row.name, row.name): row for row in (*SENSITIVITY, RESPONSES, REPEATS)}


class GroupSummary(msgspec.Struct, frozen=True, kw_only=True):
    """One group: psi in nats per response token, agreement, accuracy over its prompts (null without outputs), and its fault."""

    id: str
    prompts: int
    unique_responses: int
    unread: int
    psi: float | None
    psi_same: float | None
    psi_diff: float | None
    agreement: float
    accuracy: float | None
    fault: str | None


class AnswerCounts(msgspec.Struct, frozen=True, kw_only=True):
    """Answers that are right and wrong, those without an output to compare with, and those of which nothing could be read.

    `unread` are among the wrong ones nowhere; `empty` are some of them. `contained`: wrong ones with the output somewhere in them.
    """

    right: int
    wrong: int
    without_output: int
    unread: int
    empty: int
    contained: int


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """All measures of a subject with intervals, counts, the degeneracy flag, and its groups from worst to best."""

    groups: int
    prompts: int
    match: str
    answers: AnswerCounts
    not_scored: dict[str, int]
    sampled_pairs: bool
    degeneracy: Degeneracy
    measures: dict[str, Estimate]
    by_group: list[GroupSummary]


@dataclass(frozen=True)
class Judged:
    """Groups whose answers have been read; `worded`: every prompt names its wording, so wordings can be compared over groups.

    `repeated` `(groups, 2)`: pairs of answers to one and the same prompt that agree, and all such pairs.
    """

    groups: tuple[ScoredGroup, ...]
    prompts: Mapping[str, AskedPrompt]
    answers: Answers
    values: CellValues
    worded: bool
    match: str
    repeated: Floats

    @property
    def rows(self) -> list[SensitivityMeasure]:
        """The measures that these groups can have."""
        return [row for row in SENSITIVITY if row.of_groups or self.worded]

    @property
    def statistic(self) -> Statistic:
        """Those measures under group weights, by the names of the table."""
        of_cells, names = cell_statistic(self.values), [row.name for row in self.rows]
        unique = np.asarray([len(set(group.responses)) for group in self.groups], dtype=np.float64)
        columns = np.stack([measure.mean_over_wordings(self.values.scores), unique], axis=1)

        def statistic(weights: Floats) -> dict[str, Floats]:
            found = of_cells(weights)
            # a group counts once, however many prompts it has and whether wordings are shared or not
            accuracy, different = weighted_mean(weights, columns).T
            repeated = ratio(*(weights @ self.repeated).T)  # over pairs, as agreement is
            others = {"mean_accuracy": accuracy, RESPONSES.name: different, REPEATS.name: repeated}
            return {name: found[name] for name in names} | others

        return statistic


def judge(
    groups: Sequence[ScoredGroup],
    prompts: Mapping[str, AskedPrompt],
    matcher: Matcher,
    labels: Sequence[str] = (),
    repeats: Mapping[str, Sequence[str]] | None = None,
) -> Judged:
    """Read and judge the answers of groups.

    Args:
        prompts: by id, for the outputs.
        labels: of a classifier; empty for free text, whose entropy is divided by log(prompts of the group).
        repeats: all answers to a prompt that was asked more than once, by its id.
    """
    repeated = np.asarray([_repeated(group, prompts, matcher, repeats or {}) for group in groups], dtype=np.float64)

    def judged(item: Prediction, group: ScoredGroup) -> Prediction:
        # without a matrix nobody gave log-probabilities, so a missing one says nothing about the answer
        return matcher.judged(item, prompts[item.prompt_id], not group.matrix.size or item.logprob is not None)

    groups = tuple(
        replace(group, predictions=tuple(judged(item, group) for item in group.predictions)) for group in groups
    )
    items = [item for group in groups for item in group.predictions]
    worded = all(prompts[item.prompt_id].wording and item.correct is not None for item in items)
    # as the pipeline has them, so that its measures serve here
    answers = _answers(groups, prompts, labels, worded)
    # all prompts are one cell; POSIX comes from the matrices, of which only some pairs may be known
    values = cell_values(answers, Cell(ALL, ALL, np.arange(len(answers.prompts))), None)
    rows = [list(sensitivity(group)) if group.matrix.size and not group.fault else [np.nan] * 3 for group in groups]
    psi, same, different = np.asarray(rows, dtype=np.float64).reshape(-1, 3).T
    values = replace(values, psi=psi, psi_same=same, psi_diff=different)
    return Judged(groups, prompts, answers, values, worded, matcher.spec, repeated)


@one_blas_thread()
def measured(judged: Judged, bootstrap: Bootstrap) -> Measured:
    """All measures of judged groups that have a value."""
    answers, groups = judged.answers, judged.groups
    summaries = [_summary(group, judged.values, place) for place, group in enumerate(groups)]
    items = [item for group in groups for item in group.predictions]
    unread = [item for item in items if item.parsed is None]
    asked = [judged.prompts[item.prompt_id] for item in items]
    targets = [prompt.completion or f"\0{prompt.group_id}" for prompt in answers.prompts]  # no output: one of its own
    found = cell_estimates(judged.statistic, judged.values, bootstrap)
    known = {KEYS.get(name, name): value for name, value in found.items() if not np.isnan(value.value or 0.0)}
    return Measured(
        groups=len(groups),
        prompts=len(answers.prompts),
        match=judged.match,
        answers=AnswerCounts(
            right=sum(item.correct is True for item in items),
            wrong=sum(item.correct is False and item.parsed is not None for item in items),
            without_output=sum(item.correct is None and item.parsed is not None for item in items),
            unread=len(unread),
            empty=sum(not item.text for item in unread),
            contained=0 if judged.match == "contains" else unequal_but_contained(items, asked),
        ),
        not_scored=dict(sorted(Counter(fault for group in groups if (fault := posix_fault(group))).items())),
        sampled_pairs=any(group.sampled is not None for group in groups),
        degeneracy=measure.degeneracy(answers.texts, targets),
        measures=known,
        by_group=sorted(summaries, key=from_worst),
    )


def from_worst(item: GroupSummary) -> tuple[Any, ...]:
    """Sorts groups from worst to best: by POSIX, and by agreement where nobody gave log-probabilities."""
    return item.psi is None, -(item.psi or 0.0), item.agreement, item.id


def posix_fault(group: ScoredGroup) -> str | None:
    """Why a group has no POSIX although it has log-probabilities, or None."""
    return group.fault if group.matrix.size else None


def _repeated(
    group: ScoredGroup, prompts: Mapping[str, AskedPrompt], matcher: Matcher, repeats: Mapping[str, Sequence[str]]
) -> tuple[int, int]:
    """Pairs of answers to one prompt that read the same, and all such pairs; an unread answer agrees with none."""
    equal = pairs = 0
    for item in group.predictions:
        texts = repeats.get(item.prompt_id, ())
        judged = [matcher.judged(msgspec.structs.replace(item, text=text), prompts[item.prompt_id]) for text in texts]
        for one, other in combinations(judged, 2):
            equal += one.parsed is not None and one.parsed == other.parsed
            # each pair of repeats once, whatever their order
            pairs += 1
    return equal, pairs


def _answers(
    groups: Sequence[ScoredGroup], prompts: Mapping[str, AskedPrompt], labels: Sequence[str], worded: bool
) -> Answers:
    """The answers as the pipeline measures them; without wordings a prompt's place in its group is its wording.

    An answer of which nothing is read agrees with none; without an output it is neither right nor wrong.
    """
    given = [item for group in groups for item in group.predictions]
    # numbers, for one wording has a meaning of its own: `canonical`
    names = sorted({prompts[item.prompt_id].wording for item in given})
    places = {name: str(place) for place, name in enumerate(names)}
    asked = []
    for group in groups:
        for place, item in enumerate(group.predictions):
            prompt = prompts[item.prompt_id]
            wording = places[prompt.wording] if worded else str(place)
            asked.append(msgspec.structs.replace(prompt, group_id=group.id, wording=wording))
    texts = [f"\0{item.text}" if item.parsed is None else item.parsed for item in given]
    return replace(
        read_answers(asked, given, ()),
        labels=tuple(labels),
        texts=tuple(texts),
        codes=numbered(texts)[0],
        correct=np.asarray([np.nan if item.correct is None else float(item.correct) for item in given]),
        failed=np.asarray([item.parsed is None for item in given], dtype=bool),
    )


def _summary(group: ScoredGroup, values: CellValues, place: int) -> GroupSummary:
    # the group's own values, without weights
    pairs, accuracy = values.pairs[place], measure.mean_over_wordings(values.scores[place])
    return GroupSummary(
        id=group.id,
        prompts=len(group.predictions),
        unique_responses=len(set(group.responses)),
        unread=int(values.unparsed[place]),
        psi=_known(values.psi[place]),
        psi_same=_known(values.psi_same[place]),
        psi_diff=_known(values.psi_diff[place]),
        agreement=float(values.equal[place] / pairs) if pairs else float("nan"),
        accuracy=_known(accuracy),
        fault=posix_fault(group),
    )


def _known(value: Any) -> float | None:
    return None if np.isnan(value) else float(value)
