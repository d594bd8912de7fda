"""Two arms on identical prompts: differences with bootstrap intervals, paired tests, relative reductions."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from steady.compare.results import ArmResults
from steady.metrics import sensitivity as measure
from steady.metrics.answers import Answers
from steady.metrics.arm_sensitivity import HIGHER, MEASURES, cell_statistic
from steady.metrics.arm_text import BETTER, MEANS, score_columns, text_statistic
from steady.metrics.cells import ALL, HELD_OUT, LEVELS, Cell, CellValues
from steady.metrics.noise import noise_floors
from steady.metrics.quality import Codes, group_sums, quality_statistic
from steady.metrics.resampling import Bootstrap, Floats, Statistic, estimate, ratio
from steady.metrics.statistics import detectable_difference, detectable_mean, mcnemar, sign_flip, swap_tests

QUALITY = {"accuracy": "higher", "macro_f1": "higher", "weighted_f1": "higher", "log_loss": "lower"}
SWAPPED = {
    "worst_wording_accuracy": measure.worst_wording,
    "spread": measure.spread,
    "cps": measure.combined_performance_score,
}


class Testing(NamedTuple):
    """How arms are compared: the bootstrap of the intervals, the permutations and the level of the tests."""

    bootstrap: Bootstrap
    permutations: int
    alpha: float


def compare_arms(base: ArmResults, tuned: ArmResults, cells: Sequence[Cell], testing: Testing) -> dict[str, Any]:
    """One step, `base` to `tuned`; all of it is exploratory, the claims are not.

    Returns:
        `quality` (see `compare_quality`), `generated` (see `compare_texts`), `held_out` (a cell) and `levels` (level -> family
        -> cell, see `compare_cell`), each cell with its `noise_floor`: how far the base moves from itself under other wordings
        (`noise_floors`).
    """
    compared: dict[str, dict[str, Any]] = {level: {} for level in (HELD_OUT, *LEVELS)}
    for cell in cells:
        key = (cell.level, cell.family)
        entry = compare_cell(base.cells[key], tuned.cells[key], testing)
        floors = noise_floors(base.reworded, cell, testing.bootstrap.draws, testing.bootstrap.seed, base.matrices)
        compared[cell.level][cell.family] = {**entry, "noise_floor": floors}
    return {
        "from": base.name,
        "to": tuned.name,
        "status": "exploratory",
        "quality": compare_quality(base.test, tuned.test, testing),
        "generated": compare_texts(base, tuned, testing),
        HELD_OUT: compared.pop(HELD_OUT)[ALL],
        "levels": compared,
    }


def paired_estimates(
    base: Statistic, tuned: Statistic, better: Mapping[str, str], groups: int, bootstrap: Bootstrap
) -> dict[str, dict[str, Any]]:
    """Both values of every measure, their difference and the relative reduction, with intervals from shared draws.

    The difference is tuned - base. The relative reduction is 1 - tuned / base of what is bad: of the measure itself where
    lower is better, of 1 - measure (error, disagreement) where higher is better; null where the base has none of it.

    Args:
        better: the measures to compare, and whether `higher` or `lower` is better.
    """

    def statistic(weights: Floats) -> dict[str, Floats]:
        before, after = base(weights), tuned(weights)
        drawn = {("difference", name): after[name] - before[name] for name in better}
        bad = {
            name: (1 - before[name], 1 - after[name]) if better[name] == HIGHER else (before[name], after[name])
            for name in better
        }
        drawn |= {("relative_reduction", name): 1 - ratio(bad[name][1], bad[name][0]) for name in better}
        return {"|".join(key): value for key, value in drawn.items()}

    found = estimate(statistic, groups, bootstrap)
    once = np.ones((1, groups))
    before, after = base(once), tuned(once)
    return {
        name: {
            "from": float(before[name][0]),
            "to": float(after[name][0]),
            "difference": found[f"difference|{name}"],
            "relative_reduction": found[f"relative_reduction|{name}"],
        }
        for name in better
    }


def compare_quality(base: Answers, tuned: Answers, testing: Testing) -> dict[str, Any]:
    """Task quality on the same rows: exact McNemar for accuracy, the rows won and lost, and intervals of differences."""
    one, other = base.answered(), tuned.answered()
    won = np.flatnonzero((other.correct == 1) & (one.correct == 0))
    lost = np.flatnonzero((other.correct == 0) & (one.correct == 1))
    measures = paired_estimates(
        quality_statistic(one), quality_statistic(other), QUALITY, one.group_count, testing.bootstrap
    )
    measures["accuracy"] |= {
        "p": mcnemar(len(won), len(lost)) if len(one.gold) else float("nan"),
        "smallest_detectable": detectable_difference(len(one.gold), len(won) + len(lost), testing.alpha),
    }
    return {
        "rows": len(one.gold),
        "groups": one.group_count,
        "won": len(won),
        "lost": len(lost),
        "measures": measures,
        "won_prompts": [base.prompts[row].id for row in won],
        "lost_prompts": [base.prompts[row].id for row in lost],
    }


def compare_texts(base: ArmResults, tuned: ArmResults, testing: Testing) -> dict[str, Any]:
    """The generated texts of both arms on the same rows: differences of every measure, and sign-flip p over groups.

    Everything is null where an arm generates nothing; `words` has no better direction, and is listed as lower is better.
    """
    answered = base.test.answered()
    both = [text_columns(arm) for arm in (base, tuned)]
    count = answered.group_count if base.generated and tuned.generated else 0
    groups = answered.groups[: len(answered.groups) if count else 0]
    one, other = (
        text_statistic({name: column[: len(groups)] for name, column in arm.items()}, groups, count) for arm in both
    )
    measures = paired_estimates(one, other, BETTER, count, testing.bootstrap)
    p_values = _text_p_values(both, groups, count, testing) if count else {}
    return {
        "rows": len(groups),
        "measures": {name: found | {"p": p_values.get(name, float("nan"))} for name, found in measures.items()},
    }


def text_columns(arm: ArmResults) -> dict[str, Floats]:
    """The scores of the texts that an arm wrote to the test prompts (`score_columns`); no rows for a classifier."""
    limit = arm.evaluate.get("generated", {}).get("within_words_limit")
    return score_columns(arm.test.prompts[: len(arm.generated)], arm.generated, arm.test.labels, limit or 0)


def _text_p_values(both: Sequence[dict[str, Floats]], groups: Codes, count: int, testing: Testing) -> dict[str, float]:
    """Of group means; the reference's is that of its log-probability a token."""
    tables = []
    for columns in both:
        means = {name: column for name, column in columns.items() if name in MEANS}
        means["reference_perplexity"] = ratio(columns["logprob"], columns["tokens"])
        tables.append(group_sums(np.stack(list(means.values()), axis=1), groups, count))
    differences = ratio(tables[1] - tables[0], group_sums(np.ones(len(groups)), groups, count)[:, None])
    found = sign_flip(differences, testing.permutations, testing.bootstrap.seed)
    names = [*(name for name in both[0] if name in MEANS), "reference_perplexity"]
    return {name: float(found[place]) for place, name in enumerate(names) if not np.isnan(differences[:, place]).all()}


def compare_cell(base: CellValues, tuned: CellValues, testing: Testing) -> dict[str, Any]:
    """Sensitivity on the same groups: differences of every measure, and tests for those that a test serves.

    Measures with a value for each group are tested by flipping signs over groups, scores of wordings by swapping the arms
    within groups; `p` is null for the rest. `smallest_detectable` is the difference that the sign test sees with 80 % power.
    """
    groups = len(base.groups)
    measures = paired_estimates(cell_statistic(base), cell_statistic(tuned), MEASURES, groups, testing.bootstrap)
    tested = _sign_flips(base, tuned, testing) | _swaps(base, tuned, testing)
    nothing = {"p": float("nan"), "smallest_detectable": float("nan")}
    return {
        "n_groups": groups,
        "n_wordings": len(base.wordings),
        "measures": {name: found | tested.get(name, nothing) for name, found in measures.items()},
    }


def group_measures(values: CellValues) -> dict[str, Floats]:
    """The measures that have a value for each group, `(groups,)`, NaN for a group without one."""
    return {
        "mean_accuracy": measure.mean_over_wordings(values.scores),
        "worst_prompt_accuracy": measure.worst_prompt_scores(values.scores),
        "pss": measure.score_differences(values.scores),
        "agreement": ratio(values.equal, values.pairs),
        "consistent_groups": values.consistent,
        "answer_entropy": values.entropy,
        "posix": values.psi,
        "posix_same": values.psi_same,
        "posix_diff": values.psi_diff,
        "posix_scaled": values.psi_scaled,
    }


def _sign_flips(base: CellValues, tuned: CellValues, testing: Testing) -> dict[str, dict[str, float]]:
    before, after = group_measures(base), group_measures(tuned)
    differences = np.stack([after[name] - before[name] for name in before], axis=1)
    measured = ~np.isnan(differences).all(axis=0)
    p_values = np.where(measured, sign_flip(differences, testing.permutations, testing.bootstrap.seed), np.nan)
    return {
        name: {
            "p": float(p_values[place]),
            "smallest_detectable": detectable_mean(differences[:, place], testing.alpha),
        }
        for place, name in enumerate(before)
    }


def _swaps(base: CellValues, tuned: CellValues, testing: Testing) -> dict[str, dict[str, float]]:
    p_values = swap_tests(base.scores, tuned.scores, SWAPPED, testing.permutations, testing.bootstrap.seed)
    return {name: {"p": p_value, "smallest_detectable": float("nan")} for name, p_value in p_values.items()}
