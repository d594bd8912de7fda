"""What a measurement found, as data; subjects on the same prompts as paired differences from the first, with tests."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import msgspec
import numpy as np

from steady.compare.paired import Testing, paired_estimates
from steady.errors import SteadyError
from steady.measure.group_measures import KEYS, Judged, Measured
from steady.measure.subject import Facts
from steady.metrics.cells import CellValues
from steady.metrics.resampling import Estimate, one_blas_thread, ratio
from steady.metrics.statistics import holm, sign_flip, swap_tests

PSI = ("psi", "psi_same", "psi_diff")
PERMUTATIONS = 10_000


class SubjectDifference(msgspec.Struct):
    """What a measure of a subject is, less that of the first subject, on the groups that both answered.

    `p_holm` is corrected for all tests of headline measures of all subjects; null where the measure is none of them.
    """

    subject: str
    measure: str
    first: float
    other: float
    difference: Estimate
    p: float | None
    p_holm: float | None = None


class Comparison(NamedTuple):
    """The groups that all subjects answered, the differences from the first subject, and the level of their tests."""

    groups: int
    differences: list[SubjectDifference]
    alpha: float


@dataclass(frozen=True)
class Result:
    """One subject: what was asked of it (`facts`), what a reader must know (`notes`), its answers and its measures."""

    name: str
    facts: Facts
    notes: tuple[str, ...]
    skipped: dict[str, int]
    judged: Judged
    measured: Measured

    @property
    def measures(self) -> dict[str, Estimate]:
        """Every measure that has a value, by its name, each with its interval."""
        return self.measured.measures


@dataclass(frozen=True)
class Results:
    """Subjects on the same prompts; the first is what the others are compared with, and one alone is compared with none."""

    reports: Sequence[Result]
    comparison: Comparison | None = None


@one_blas_thread()
def compare_subjects(named: Sequence[tuple[str, Judged]], testing: Testing) -> Comparison:
    """Compare every subject with the first one; SteadyError where no group is common to all, or their matchers differ."""
    if len({judged.match for _, judged in named}) > 1:
        raise SteadyError("subjects can be compared only when their answers are read by one --match.")
    # ids of prompts are digests of their group and content
    identities = [
        {tuple(item.prompt_id for item in group.predictions): place for place, group in enumerate(judged.groups)}
        for _, judged in named
    ]
    # a group counts only where everybody answered all of its prompts
    common = [key for key in identities[0] if all(key in other for other in identities[1:])]
    if not common:
        names = " and ".join(name for name, _ in named)
        raise SteadyError(f"{names}: no group has the same prompts, so nothing can be paired.")
    pairs = zip(named, identities, strict=True)
    first, *others = (_chosen(judged, [places[key] for key in common]) for (_, judged), places in pairs)
    found = [
        difference
        for (name, _), other in zip(named[1:], others, strict=True)
        for difference in _differences(name, first, other, testing)
    ]
    # one family: whoever looks at the page looks at all of them
    tested = [item for item in found if item.measure in headline_keys(first) and item.p is not None]
    for item, adjusted in zip(tested, holm([item.p or 0.0 for item in tested]), strict=True):
        item.p_holm = adjusted
    return Comparison(len(first.groups), found, testing.alpha)


def headline_keys(judged: Judged) -> list[str]:
    """The measures that speak for a subject as a whole, by their keys."""
    return [KEYS.get(row.name, row.name) for row in judged.rows if row.headline]


def _chosen(judged: Judged, places: Sequence[int]) -> Judged:
    """Some of the groups, in the order given."""
    index, count = np.asarray(places, dtype=np.intp), len(judged.groups)

    def cut(holder: Judged | CellValues) -> dict[str, Any]:
        arrays = {name: value for name, value in vars(holder).items() if isinstance(value, np.ndarray)}
        return {name: value[index] for name, value in arrays.items() if len(value) == count}

    groups, values = tuple(judged.groups[place] for place in places), replace(judged.values, **cut(judged.values))
    return replace(judged, **cut(judged), groups=groups, values=values)


def _differences(name: str, first: Judged, other: Judged, testing: Testing) -> list[SubjectDifference]:
    # POSIX only where both have it: a mean over other groups would be compared otherwise
    unknown = np.isnan(first.values.psi) | np.isnan(other.values.psi)

    def known(values: CellValues) -> CellValues:
        psi: dict[str, Any] = {name: np.where(unknown, np.nan, getattr(values, name)) for name in PSI}
        return replace(values, **psi)

    one, two = known(first.values), known(other.values)
    first, other = replace(first, values=one), replace(other, values=two)
    rows, bootstrap = first.rows, testing.bootstrap
    # paired: both subjects are drawn with the same groups
    found = paired_estimates(first.statistic, other.statistic, rows, len(first.groups), bootstrap)
    # p by flipped signs over groups where a measure has a value for each
    flipped = [row for row in rows if row.test == "sign_flip" and row.of_groups]
    of_groups = [[ratio(*row.of_groups(values)) for row in flipped if row.of_groups] for values in (one, two)]
    columns = np.stack(of_groups[1], axis=1) - np.stack(of_groups[0], axis=1)
    by_signs = sign_flip(columns, testing.permutations, bootstrap.seed)
    known_columns = [not np.isnan(column).all() for column in columns.T]
    p_values = {row.name: float(p) for row, p, has in zip(flipped, by_signs, known_columns, strict=True) if has}
    # by swapped subjects where it is one of wordings, which has no value for one group
    swapped = {row.name: row.of_wordings for row in rows if row.test == "swap" and row.of_wordings}
    if swapped:
        by_swaps = swap_tests(one.scores, two.scores, swapped, testing.permutations, bootstrap.seed)
        p_values |= {name: swap.p for name, swap in by_swaps.items() if not np.isnan(swap.p)}
    differences = []
    for row in rows:
        # both values are numbers here: nothing was read back from a file, where null stands for NaN
        before, after = found[row.name].from_ or 0.0, found[row.name].to or 0.0
        if not np.isnan([before, after]).any():
            measure, moved = KEYS.get(row.name, row.name), found[row.name].difference
            p = p_values.get(row.name)
            differences.append(SubjectDifference(name, measure, before, after, moved, p))
    return differences
