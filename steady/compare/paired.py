"""Two arms on identical prompts: differences with bootstrap intervals, paired tests, relative reductions."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from steady.labels import Floats
from steady.metrics.answers import Answers
from steady.metrics.arm_quality import quality_measures, quality_statistic
from steady.metrics.arm_sensitivity import cell_statistic
from steady.metrics.arm_text import text_statistic, text_sums
from steady.metrics.cells import ALL, HELD_OUT, LEVELS, Cell, CellValues
from steady.metrics.measures import HIGHER, SENSITIVITY, TEXT, Measure
from steady.metrics.noise import noise_floors
from steady.metrics.resampling import Bootstrap, Statistic, estimate, ratio
from steady.metrics.results import CellStep, Difference, Differences, QualityStep, Step, TextStep
from steady.metrics.run import ArmResults
from steady.metrics.statistics import detectable, detectable_difference, detectable_mean, mcnemar, sign_flip, swap_tests


class Testing(NamedTuple):
    """How arms are compared: the bootstrap of the intervals, the permutations and the level of the tests."""

    bootstrap: Bootstrap
    permutations: int
    alpha: float


def compare_arms(base: ArmResults, other: ArmResults, cells: Sequence[Cell], testing: Testing) -> Step:
    """One step from arm to arm: quality, texts, and every cell with the noise floor of the first arm (`noise_floors`)."""
    compared: dict[str, dict[str, CellStep]] = {level: {} for level in (HELD_OUT, *LEVELS)}
    for cell in cells:
        key = (cell.level, cell.family)
        entry = compare_cell(base.cells[key], other.cells[key], testing)
        # Of the first arm alone: it is what the other one is said to differ from.
        bootstrap = testing.bootstrap
        entry.noise_floor.update(noise_floors(base.reworded, cell, bootstrap.draws, bootstrap.seed, base.matrices))
        compared[cell.level][cell.family] = entry
    return Step(
        from_=base.name,
        to=other.name,
        quality=compare_quality(base.test, other.test, testing),
        generated=compare_texts(base, other, testing),
        held_out=compared.pop(HELD_OUT)[ALL],
        levels=compared,
    )


def paired_estimates(
    base: Statistic, other: Statistic, measures: Sequence[Measure], groups: int, bootstrap: Bootstrap
) -> Differences:
    """Both values of every measure, their difference and the relative reduction, with intervals from shared draws.

    The difference is other - base. The relative reduction is 1 - other / base of what is bad: of the measure itself where
    lower is better, of 1 - measure (error, disagreement) where higher is better; NaN where the base has none of it.
    """

    def statistic(weights: Floats) -> dict[str, Floats]:
        before, after = base(weights), other(weights)
        drawn = {f"difference|{row.name}": after[row.name] - before[row.name] for row in measures}
        for row in measures:
            one, two = before[row.name], after[row.name]
            # what is reduced is an error or a disagreement, never a success
            bad = (1 - one, 1 - two) if row.better == HIGHER else (one, two)
            drawn[f"reduction|{row.name}"] = 1 - ratio(bad[1], bad[0])
        return drawn

    found = estimate(statistic, groups, bootstrap)
    # weights of one give the values themselves, by the code that gives the draws
    once = np.ones((1, groups))
    before, after = base(once), other(once)
    return {
        row.name: Difference(
            from_=float(before[row.name][0]),
            to=float(after[row.name][0]),
            difference=found[f"difference|{row.name}"],
            relative_reduction=found[f"reduction|{row.name}"],
        )
        for row in measures
    }


def compare_quality(base: Answers, other: Answers, testing: Testing) -> QualityStep:
    """Task quality on the same rows: exact McNemar for accuracy, the rows won and lost, and intervals of differences."""
    one, two = base.answered(), other.answered()
    # rows that both arms get right or wrong say nothing in McNemar's test
    won = np.flatnonzero((two.correct == 1) & (one.correct == 0))
    lost = np.flatnonzero((two.correct == 0) & (one.correct == 1))
    table, statistics = quality_measures(one), (quality_statistic(one), quality_statistic(two))
    measures = paired_estimates(*statistics, table, one.group_count, testing.bootstrap)
    for row in table:
        if row.test == "mcnemar":
            found = measures[row.name]
            found.p = mcnemar(len(won), len(lost)) if len(one.gold) else float("nan")
            found.smallest_detectable = detectable_difference(len(one.gold), len(won) + len(lost), testing.alpha)
    return QualityStep(
        rows=len(one.gold),
        groups=one.group_count,
        won=len(won),
        lost=len(lost),
        measures=measures,
        won_prompts=[base.prompts[row].id for row in won],
        lost_prompts=[base.prompts[row].id for row in lost],
    )


def compare_texts(base: ArmResults, other: ArmResults, testing: Testing) -> TextStep:
    """The generated texts of both arms on the same rows: differences of every measure, and sign-flip p over groups.
    Everything is null where an arm generates nothing.
    """
    answered = base.test.answered()
    count = answered.group_count if base.texts and other.texts else 0
    # no rows where an arm writes nothing: every measure is then null, under the same keys
    groups = answered.groups[: len(answered.groups) if count else 0]
    both = [arm.texts[: len(groups)] for arm in (base, other)]
    one, two = (text_statistic(rows, groups, count) for rows in both)
    measures = paired_estimates(one, two, TEXT, count, testing.bootstrap)
    if count:
        before, after = (ratio(*text_sums(rows, groups, count)) for rows in both)
        _add_sign_flips(measures, TEXT, after - before, testing)
    return TextStep(len(groups), measures)


def compare_cell(base: CellValues, other: CellValues, testing: Testing) -> CellStep:
    """Sensitivity on the same groups: differences of every measure, and tests for those that a test serves.

    Measures with a value for each group are tested by flipping signs over groups, scores of wordings by swapping the arms
    within groups; `p` is null for the rest.
    """
    groups, bootstrap = len(base.groups), testing.bootstrap
    measures = paired_estimates(cell_statistic(base), cell_statistic(other), SENSITIVITY, groups, bootstrap)
    # tests take the differences of groups: prompts of one group are not independent
    before, after = group_measures(base), group_measures(other)
    differences = np.stack([after[name] - before[name] for name in before], axis=1)
    _add_sign_flips(measures, [row for row in SENSITIVITY if row.name in before], differences, testing)
    swapped = {row.name: row.of_wordings for row in SENSITIVITY if row.test == "swap" and row.of_wordings}
    for name, swap in swap_tests(base.scores, other.scores, swapped, testing.permutations, bootstrap.seed).items():
        measures[name].p = swap.p
        measures[name].smallest_detectable = detectable(swap.standard_error, testing.alpha)
    return CellStep(groups, len(base.wordings), measures, {})


def _add_sign_flips(measures: Differences, table: Sequence[Measure], differences: Floats, testing: Testing) -> None:
    """Test the differences of groups `(groups, measures of the table)`; a measure without any value keeps no p."""
    p_values = sign_flip(differences, testing.permutations, testing.bootstrap.seed)
    for place, row in enumerate(table):
        column = differences[:, place]
        if not np.isnan(column).all():
            measures[row.name].p = float(p_values[place])
            measures[row.name].smallest_detectable = detectable_mean(column, testing.alpha)


def group_measures(values: CellValues) -> dict[str, Floats]:
    """The measures whose groups are tested, `(groups,)` each, NaN for a group without a value."""
    return {row.name: ratio(*row.of_groups(values)) for row in SENSITIVITY if row.test == "sign_flip" and row.of_groups}
