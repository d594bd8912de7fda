"""Cells: the prompts of one level and family, and what one arm did on them, group by group."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from steady.errors import SteadyError
from steady.labels import Floats
from steady.metrics.answers import Answers, numbered
from steady.metrics.matrices import ScoredGroup
from steady.metrics.posix import FAULTS, Group, classifier_group, group_fault, prompt_sensitivity
from steady.metrics.quality import Codes
from steady.metrics.resampling import ratio
from steady.metrics.sensitivity import answer_agreement, answer_entropy
from steady.records import CANONICAL, Prompt, Wording

ALL = "all"
HELD_OUT = "held_out"
LEVELS = ("L0", "L1", "L2")


class Cell(NamedTuple):
    """Prompts that are measured together: `rows` of the sensitivity file, by level and family.

    `level` is L0, L1, L2 or `held_out` (test prompts under any wording not trained on, of L1 and of L2); `family` is `all`
    where families are pooled. The canonical wording is in no cell: it is what the others are compared with.
    """

    level: str
    family: str
    rows: Codes


@dataclass(frozen=True)
class CellValues:
    """One arm on one cell; groups in order of first appearance.

    `scores` is `(groups, wordings)`, NaN where there is no such prompt; every other array is `(groups,)`, NaN where the
    group has no such value (a group of one has no agreement). `skipped` counts the groups that POSIX cannot score, by name;
    they are none where the arm has no log-probabilities at all, and POSIX is null.
    """

    groups: tuple[str, ...]
    wordings: tuple[str, ...]
    scores: Floats
    canonical: Floats
    unparsed: Floats
    prompts: Floats
    equal: Floats
    pairs: Floats
    consistent: Floats
    entropy: Floats
    canonical_equal: Floats
    psi: Floats
    psi_same: Floats
    psi_diff: Floats
    psi_scaled: Floats
    skipped: dict[str, int]


def find_cells(prompts: Sequence[Prompt], wordings: Sequence[Wording]) -> list[Cell]:
    """Every cell that the wordings define, held-out first, then by level; a cell without prompts has no rows.

    A prompt of the train split is L0, and only under a wording that is trained on: seen groups under unseen wordings belong
    to no level. SteadyError where a prompt names a wording that is not in the list.
    """
    places = {wording.id: wording for wording in wordings}
    # Before the cells are filled: a KeyError there would name no prompt.
    for prompt in prompts:
        if prompt.wording not in places:
            raise SteadyError(
                f"prompt {prompt.id}: unknown wording {prompt.wording!r}. Run `dvc repro` to format again."
            )
    keys = {key for wording in wordings for seen in (True, False) for key in _cells_of(wording, seen)}
    families = dict.fromkeys(wording.family for wording in wordings)
    found: dict[tuple[str, str], list[int]] = {(HELD_OUT, ALL): []}
    for level in LEVELS:
        found[level, ALL] = []
        found |= {(level, family): [] for family in families if (level, family) in keys}
    for row, prompt in enumerate(prompts):
        for key in _cells_of(places[prompt.wording], prompt.split == "train"):
            found[key].append(row)
    return [Cell(*key, np.asarray(rows, dtype=np.intp)) for key, rows in found.items()]


def _cells_of(wording: Wording, seen_group: bool) -> list[tuple[str, str]]:
    # a seen text under an unseen wording would mix memory of the text with the newness of the wording
    if wording.id == CANONICAL or (seen_group and not wording.trained):
        return []
    level = "L0" if seen_group else wording.level
    cells: list[tuple[str, str]] = [(level, ALL), (level, wording.family)]
    return cells if seen_group or wording.trained else [*cells, (HELD_OUT, ALL)]


def cell_values(
    answers: Answers, cell: Cell, temperature: float | None, matrices: Mapping[str, ScoredGroup] | None = None
) -> CellValues:
    """Measure one arm on one cell, group by group.

    Args:
        answers: all sensitivity prompts of the arm, canonical ones included.
        temperature: divides the log-probabilities of a classifier for `psi_scaled`; None gives NaN.
        matrices: for models that generate, the saved matrix of each group id, and for `psi_scaled` the scaled one; a
            classifier needs none.
    """
    prompts = [answers.prompts[row] for row in cell.rows]
    # groups are numbered within the cell: a group may lack the family of this one
    codes, groups = numbered(prompt.group_id for prompt in prompts)
    columns, wordings = numbered(prompt.wording for prompt in prompts)
    members = split_groups(cell.rows, codes, len(groups))
    # the canonical prompt is in no cell, so it is looked up among all answers
    canonical = {prompt.group_id: row for row, prompt in enumerate(answers.prompts) if prompt.wording == CANONICAL}
    pairs = zip(groups, members, strict=True)
    psi, skipped = _psi_values(answers, groups, members, temperature, matrices)
    values = [_group_values(answers, rows, canonical.get(group)) for group, rows in pairs]
    table = np.asarray(values, dtype=np.float64).reshape(len(groups), len(GROUP_COLUMNS))
    return CellValues(
        groups=tuple(groups),
        wordings=tuple(wordings),
        scores=score_table(answers.correct[cell.rows], codes, columns, (len(groups), len(wordings))),
        **dict(zip(GROUP_COLUMNS, table.T, strict=True)),
        **dict(zip(PSI_COLUMNS, psi.T, strict=True)),
        skipped=skipped,
    )


def split_groups(rows: Codes, groups: Codes, count: int) -> list[Codes]:
    """The rows of each group, in file order."""
    if not count:
        return []
    # a stable sort, since the rows of saved matrices and predictions lie in file order
    return np.split(rows[np.argsort(groups, kind="stable")], np.cumsum(np.bincount(groups, minlength=count))[:-1])


def score_table(correct: Floats, groups: Codes, columns: Codes, shape: tuple[int, int]) -> Floats:
    """Mean score of each group under each wording, NaN where it has no such prompt."""
    sums, counts = np.zeros(shape), np.zeros(shape)
    # `sums[groups, columns] += correct` would count one of several prompts of a group under a wording
    np.add.at(sums, (groups, columns), correct)
    np.add.at(counts, (groups, columns), 1.0)
    return ratio(sums, counts)


GROUP_COLUMNS = ("canonical", "unparsed", "prompts", "equal", "pairs", "consistent", "entropy", "canonical_equal")
PSI_COLUMNS = ("psi", "psi_same", "psi_diff", "psi_scaled")


def _group_values(answers: Answers, rows: Codes, canonical: int | None) -> tuple[float, ...]:
    """One row of `GROUP_COLUMNS`."""
    codes, failed = answers.codes[rows], answers.failed[rows]
    equal, pairs = answer_agreement(codes, failed)
    # a group of one is consistent whatever the arm does
    several = len(rows) > 1
    score, same = np.nan, np.nan
    if canonical is not None:
        score = float(answers.correct[canonical])
        same = float((~failed & (codes == answers.codes[canonical])).sum()) if not answers.failed[canonical] else 0.0
    return (
        score,
        float(failed.sum()),
        float(len(rows)),
        float(equal),
        float(pairs),
        float(equal == pairs) if several else np.nan,
        # free text has no list of answers: there are at most as many as prompts
        answer_entropy(codes, answers.choices or len(rows)) if several else np.nan,
        same,
    )


def _psi_values(
    answers: Answers,
    groups: Sequence[str],
    members: Sequence[Codes],
    temperature: float | None,
    matrices: Mapping[str, ScoredGroup] | None,
) -> tuple[Floats, dict[str, int]]:
    """Rows of `PSI_COLUMNS`, and the groups that could not be scored, by name."""
    table = np.full((len(groups), len(PSI_COLUMNS)), np.nan)
    # A group that cannot be scored keeps its NaN, which no mean counts.
    faults: Counter[str] = Counter()
    if answers.logprobs is None and matrices is None:
        return table, dict.fromkeys(FAULTS, 0)
    for place, (group, rows) in enumerate(zip(groups, members, strict=True)):
        scored = group_matrix(answers, group, rows, matrices)
        fault = group_fault(scored.matrix, scored.lengths)
        if fault:  # counted, not scored as 0: a blind group would look perfectly steady
            faults[fault] += 1
            continue
        table[place, :3] = prompt_sensitivity(*scored)
        if matrices is None:
            scaled = None if temperature is None else classifier_group(answers.scaled(rows, temperature))
        else:
            saved = matrices[group]
            scaled = None if saved.scaled is None else _cut(saved, saved.scaled, answers, rows)
        if scaled is not None:
            table[place, 3] = prompt_sensitivity(*scaled).psi
    return table, {fault: faults[fault] for fault in FAULTS}


def group_matrix(answers: Answers, group: str, rows: Codes, matrices: Mapping[str, ScoredGroup] | None) -> Group:
    """The matrix of some prompts of one group: made from label log-probabilities, or cut out of the saved one."""
    if matrices is None:
        assert answers.logprobs is not None
        return classifier_group(answers.logprobs[rows])
    if group not in matrices:
        raise SteadyError(f"group {group}: no saved matrix. Run `dvc repro` to score again.")
    return _cut(matrices[group], matrices[group].matrix, answers, rows)


def _cut(saved: ScoredGroup, matrix: Floats, answers: Answers, rows: Codes) -> Group:
    """The rows and columns of some prompts of a saved group."""
    # the saved matrix has every wording of the group; a level or a family has some of them
    asked = [item.prompt_id for item in saved.predictions]
    places = [asked.index(answers.prompts[row].id) for row in rows]
    responses = saved.responses
    return Group(matrix[np.ix_(places, places)], saved.lengths[places], [responses[place] for place in places])
