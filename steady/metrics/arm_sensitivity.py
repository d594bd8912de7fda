"""`metrics/ARM/sensitivity.json`: every measure per level and family; the same keys for every arm and model family."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from steady.metrics import sensitivity as measure
from steady.metrics.answers import Answers, numbered, read_answers, target_of
from steady.metrics.cells import (
    ALL,
    HELD_OUT,
    LEVELS,
    Cell,
    CellValues,
    GroupScores,
    cell_values,
    find_cells,
    score_table,
)
from steady.metrics.resampling import Bootstrap, Floats, Statistic, estimate, one_blas_thread, ratio, weighted_mean
from steady.records import Prediction, Prompt, Wording

HIGHER, LOWER = "higher", "lower"
MEASURES = {
    "mean_accuracy": HIGHER,
    "worst_wording_accuracy": HIGHER,
    "best_wording_accuracy": HIGHER,
    "std_over_wordings": LOWER,
    "spread": LOWER,
    "cps": HIGHER,
    "worst_prompt_accuracy": HIGHER,
    "pss": LOWER,
    "pdr": LOWER,
    "agreement": HIGHER,
    "agreement_with_canonical": HIGHER,
    "consistent_groups": HIGHER,
    "answer_entropy": LOWER,
    "posix": LOWER,
    "posix_same": LOWER,
    "posix_diff": LOWER,
    "posix_scaled": LOWER,
    "unparsed": LOWER,
}
"""Every measure of a cell and the direction in which it is better."""

HEADLINE = {
    "agreement": ("L2", "agreement"),
    "worst_wording_accuracy": (HELD_OUT, "worst_wording_accuracy"),
    "mean_accuracy": (HELD_OUT, "mean_accuracy"),
    "posix": ("L2", "posix"),
    "posix_scaled": ("L2", "posix_scaled"),
}


@one_blas_thread()
def sensitivity_metrics(
    prompts: Sequence[Prompt],
    predictions: Sequence[Prediction],
    wordings: Sequence[Wording],
    labels: Sequence[str],
    *,
    temperature: float | None,
    draws: int,
    confidence: float,
    seed: int,
    matrices: Mapping[str, GroupScores] | None = None,
    multi_label: bool = False,
) -> dict[str, Any]:
    """Everything of `sensitivity.json`.

    Args:
        prompts: all sensitivity prompts, canonical ones included; `predictions` in the same order.
        labels: the label list, empty for free text.
        temperature: fitted on validation; None leaves `posix_scaled` null.
        matrices: saved matrices of models that generate, by group id; None for a classifier.
        multi_label: whether an answer may have several of the labels.

    Returns:
        `headline` (agreement and POSIX on L2; accuracies over the held-out wordings of L1 and L2), `temperature`,
        `degeneracy`, `prompts`, `held_out` and `levels` (level -> family -> cell, see `cell_metrics`), and `wordings` (id ->
        accuracy on test groups). Values are not rounded yet: `write_metrics`.
    """
    answers = read_answers(prompts, predictions, labels, multi_label)
    bootstrap = Bootstrap(draws, confidence, seed)
    cells: dict[str, dict[str, Any]] = {level: {} for level in (HELD_OUT, *LEVELS)}
    for cell in find_cells(prompts, wordings):
        values = cell_values(answers, cell, temperature, matrices)
        cells[cell.level][cell.family] = cell_metrics(answers, cell, values, bootstrap)
    test = [row for row, prompt in enumerate(prompts) if prompt.split != "train"]
    return {
        "headline": {name: cells[level][ALL]["measures"][measured] for name, (level, measured) in HEADLINE.items()},
        "temperature": temperature,
        "degeneracy": _degeneracy(answers.rows(test))._asdict(),
        "prompts": len(prompts),
        HELD_OUT: cells.pop(HELD_OUT)[ALL],
        "levels": cells,
        "wordings": _wording_metrics(answers.rows(test), wordings, bootstrap),
    }


def cell_metrics(answers: Answers, cell: Cell, values: CellValues, bootstrap: Bootstrap) -> dict[str, Any]:
    """One cell: counts, the degeneracy flag and every measure of `MEASURES` as an estimate.

    `spread` also holds its permutation null (mean and 95th percentile) and `p`; `skipped` counts the groups without POSIX.
    """
    measures = estimate(cell_statistic(values), len(values.groups), bootstrap)
    null = (
        measure.spread_null(values.scores, bootstrap.draws, bootstrap.seed) if values.groups else np.asarray([np.nan])
    )
    measures["spread"] |= {
        "null": [float(null.mean()), float(np.quantile(null, 0.95))],
        "p": measure.spread_p_value(measures["spread"]["value"], null),
    }
    return {
        "n_groups": len(values.groups),
        "n_wordings": len(values.wordings),
        "n_prompts": len(cell.rows),
        "skipped": values.skipped,
        "degenerate": _degeneracy(answers.rows(cell.rows)).degenerate,
        "measures": measures,
    }


def cell_statistic(values: CellValues) -> Statistic:
    """The statistic that the bootstrap draws: every measure of `MEASURES` under group weights, each `(draws,)`."""
    per_group = np.stack(
        [
            measure.worst_prompt_scores(values.scores),
            measure.score_differences(values.scores),
            values.consistent,
            values.entropy,
            values.psi,
            values.psi_same,
            values.psi_diff,
            values.psi_scaled,
        ],
        axis=1,
    )
    with_canonical = ~np.isnan(values.canonical)
    reworded = np.where(with_canonical, measure.mean_over_wordings(values.scores), np.nan)
    compared = np.where(with_canonical, values.prompts, 0.0)

    def statistic(weights: Floats) -> dict[str, Floats]:
        accuracy = measure.wording_scores(values.scores, weights)
        worst_prompt, pss, consistent, entropy, psi, same, different, scaled = weighted_mean(weights, per_group).T
        return {
            "mean_accuracy": measure.mean_over_wordings(accuracy),
            "worst_wording_accuracy": measure.worst_wording(accuracy),
            "best_wording_accuracy": measure.best_wording(accuracy),
            "std_over_wordings": measure.std_over_wordings(accuracy),
            "spread": measure.spread(accuracy),
            "cps": measure.combined_performance_score(accuracy),
            "worst_prompt_accuracy": worst_prompt,
            "pss": pss,
            "pdr": measure.performance_drop_rate(
                weighted_mean(weights, reworded), weighted_mean(weights, values.canonical)
            ),
            "agreement": ratio(weights @ values.equal, weights @ values.pairs),
            "agreement_with_canonical": ratio(weights @ np.nan_to_num(values.canonical_equal), weights @ compared),
            "consistent_groups": consistent,
            "answer_entropy": entropy,
            "posix": psi,
            "posix_same": same,
            "posix_diff": different,
            "posix_scaled": scaled,
            "unparsed": ratio(weights @ values.unparsed, weights @ values.prompts),
        }

    return statistic


def _degeneracy(answers: Answers) -> measure.Degeneracy:
    """Whether the arm answers the same to groups of different intent."""
    return measure.degeneracy(answers.texts, [target_of(prompt) for prompt in answers.prompts])


def _wording_metrics(answers: Answers, wordings: Sequence[Wording], bootstrap: Bootstrap) -> dict[str, Any]:
    """Accuracy of every wording that a test group has, in the order of `wordings`, the canonical one included."""
    groups, group_ids = numbered(prompt.group_id for prompt in answers.prompts)
    columns, ids = numbered(prompt.wording for prompt in answers.prompts)
    table = score_table(answers.correct, groups, columns, (len(group_ids), len(ids)))
    counts = np.bincount(columns, minlength=len(ids))
    found = estimate(lambda weights: {"accuracy": weighted_mean(weights, table)}, len(group_ids), bootstrap)["accuracy"]
    by_id = dict(zip(ids, zip(found, counts.tolist(), strict=True), strict=True))
    return {
        wording.id: {
            "family": wording.family,
            "level": wording.level,
            "trained": wording.trained,
            "prompts": by_id[wording.id][1],
            "accuracy": by_id[wording.id][0],
        }
        for wording in wordings
        if wording.id in by_id
    }
