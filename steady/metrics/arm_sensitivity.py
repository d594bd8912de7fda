"""`sensitivity.json`: every measure per level and family; the same keys for every arm and model family."""

from collections.abc import Mapping, Sequence

import numpy as np

from steady.labels import Floats
from steady.metrics import sensitivity as measure
from steady.metrics.answers import Answers, numbered, target_of
from steady.metrics.cells import ALL, HELD_OUT, LEVELS, Cell, CellValues, cell_values, find_cells, score_table
from steady.metrics.matrices import ScoredGroup
from steady.metrics.measures import SENSITIVITY
from steady.metrics.resampling import (
    Bootstrap,
    Estimate,
    Statistic,
    estimate,
    estimate_columns,
    lowest_interval,
    one_blas_thread,
    ratio,
    weighted_mean,
)
from steady.metrics.results import CellResults, Degeneracy, SensitivityResults, WordingAccuracy
from steady.records import Wording

WORST = "worst_wording_accuracy"


@one_blas_thread()
def sensitivity_metrics(
    answers: Answers,
    wordings: Sequence[Wording],
    bootstrap: Bootstrap,
    temperature: float | None,
    matrices: Mapping[str, ScoredGroup] | None = None,
) -> SensitivityResults:
    """Prompt sensitivity of an arm.

    Args:
        answers: to all sensitivity prompts, canonical ones included.
        temperature: fitted on validation; None leaves `posix_scaled` null.
        matrices: saved matrices of models that generate, by group id; None for a classifier.
    """
    cells: dict[str, dict[str, CellResults]] = {level: {} for level in (HELD_OUT, *LEVELS)}
    for cell in find_cells(answers.prompts, wordings):
        values = cell_values(answers, cell, temperature, matrices)
        cells[cell.level][cell.family] = cell_metrics(answers, cell, values, bootstrap)
    # groups of the training split tell how steady memory is, not the arm: they are in L0 alone
    test = answers.rows([row for row, prompt in enumerate(answers.prompts) if prompt.split != "train"])
    headline = {row.name: cells[row.headline][ALL].measures[row.name] for row in SENSITIVITY if row.headline}
    return SensitivityResults(
        headline=headline,
        temperature=temperature,
        degeneracy=_degeneracy(test),
        prompts=len(answers.prompts),
        held_out=cells.pop(HELD_OUT)[ALL],
        levels=cells,
        wordings=_wording_metrics(test, wordings, bootstrap),
    )


def cell_metrics(answers: Answers, cell: Cell, values: CellValues, bootstrap: Bootstrap) -> CellResults:
    """One cell: counts, the degeneracy flag and every measure as an estimate."""
    measures = cell_estimates(cell_statistic(values), values, bootstrap)
    # without groups there is no column to take a maximum of
    null = (
        measure.spread_null(values.scores, bootstrap.draws, bootstrap.seed) if values.groups else np.asarray([np.nan])
    )
    # a maximum minus a minimum is above 0 by chance alone; the null says how far
    spread = measures["spread"]
    spread.null = [float(null.mean()), float(np.quantile(null, 0.95))]
    spread.p = measure.spread_p_value(spread.value or 0.0, null)
    return CellResults(
        n_groups=len(values.groups),
        n_wordings=len(values.wordings),
        n_prompts=len(cell.rows),
        skipped=values.skipped,
        degenerate=_degeneracy(answers.rows(cell.rows)).degenerate,
        measures=measures,
    )


def cell_estimates(statistic: Statistic, values: CellValues, bootstrap: Bootstrap) -> dict[str, Estimate]:
    """The measures of a cell as estimates; the interval of the worst wording is that of a minimum."""
    found = estimate(statistic, len(values.groups), bootstrap)
    worst = found.get(WORST)
    if worst is not None and worst.interval is not None:
        worst.interval = lowest_interval(values.scores, bootstrap)
    return found


def cell_statistic(values: CellValues) -> Statistic:
    """The statistic that the bootstrap draws: every measure of sensitivity under group weights, each `(draws,)`."""
    pooled = {row.name: row.of_groups(values) for row in SENSITIVITY if row.of_groups and not row.of_wordings}
    totals, counts = (np.stack(part, axis=1) for part in zip(*pooled.values(), strict=True))

    def statistic(weights: Floats) -> dict[str, Floats]:
        accuracy = weighted_mean(weights, values.scores)
        # one product of matrices for all measures of groups: the draws are thousands
        of_groups = dict(zip(pooled, ratio(weights @ totals, weights @ counts).T, strict=True))
        return {
            row.name: row.of_wordings(accuracy) if row.of_wordings else row.transform(of_groups[row.name])
            for row in SENSITIVITY
        }

    return statistic


def _degeneracy(answers: Answers) -> Degeneracy:
    """Whether the arm answers the same to groups of different intent."""
    return measure.degeneracy(answers.texts, [target_of(prompt) for prompt in answers.prompts])


def _wording_metrics(answers: Answers, wordings: Sequence[Wording], bootstrap: Bootstrap) -> dict[str, WordingAccuracy]:
    """Accuracy of every wording that a test group has, in the order of `wordings`, the canonical one included."""
    groups, group_ids = numbered(prompt.group_id for prompt in answers.prompts)
    columns, ids = numbered(prompt.wording for prompt in answers.prompts)
    table = score_table(answers.correct, groups, columns, (len(group_ids), len(ids)))
    found = estimate_columns(lambda weights: {"accuracy": weighted_mean(weights, table)}, len(group_ids), bootstrap)
    counts = np.bincount(columns, minlength=len(ids)).tolist()
    places = {name: place for place, name in enumerate(ids)}
    return {
        wording.id: WordingAccuracy(
            family=wording.family,
            level=wording.level,
            trained=wording.trained,
            prompts=counts[places[wording.id]],
            accuracy=found["accuracy"][places[wording.id]],
        )
        for wording in wordings
        if wording.id in places
    }
