"""Results over several training seeds: means, spread, and intervals that resample seeds and groups together."""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from steady.compare.paired import text_columns
from steady.compare.results import ArmResults
from steady.metrics.arm_sensitivity import cell_statistic
from steady.metrics.arm_text import text_statistic
from steady.metrics.cells import ALL, HELD_OUT, LEVELS
from steady.metrics.quality import quality_statistic
from steady.metrics.resampling import Bootstrap, Floats, group_weights, percentile_interval

Statistic = Callable[[Floats], Mapping[str, Floats]]
Arms = Mapping[str, ArmResults]

ENDPOINTS = {
    "accuracy": ("test", "accuracy"),
    "macro_f1": ("test", "macro_f1"),
    "mean_accuracy": (HELD_OUT, "mean_accuracy"),
    "worst_wording_accuracy": (HELD_OUT, "worst_wording_accuracy"),
    "agreement": ("L2", "agreement"),
    "posix": ("L2", "posix"),
    "posix_scaled": ("L2", "posix_scaled"),
}
"""The keys of `metrics/headline.json` and of `headline` in `sensitivity.json`: what is measured where."""
REFERENCES = ("accuracy", "macro_f1")
TEXT_MEASURES = ("exact_match", "rouge_l", "chrf", "reference_perplexity", "words")
"""What `generated` holds of the texts written to the test prompts; the keys of `generated` in `evaluate.json`."""
FAMILY_MEASURES = ("mean_accuracy", "worst_wording_accuracy", "spread", "agreement", "posix", "posix_scaled")
"""What `families` holds of every level and family; the keys of `levels` in `sensitivity.json`."""


def over_seeds(runs: Mapping[int, Arms], bootstrap: Bootstrap) -> dict[str, Any]:
    """Everything of `metrics/seeds.json`.

    Args:
        runs: for each training seed the arms by name, all on the same prompts.

    Returns:
        `seeds`; `rows` of the test split; `trainable_percent` of the last arm; `references` of the first seed; `arms` (arm
        -> endpoint -> value, interval, standard deviation over seeds, values of the seeds); `steps` (`A_to_B` -> endpoint ->
        the same of the differences B - A); `families` (level -> family -> `arms` and `steps` -> measure -> the same);
        `generated` (arm -> measure -> the same), empty where an arm writes nothing.
    """
    first = next(iter(runs.values()))
    names = list(first)
    steps = [*pairwise(names), *([(names[0], names[-1])] if len(names) > 2 else [])]
    return {
        "seeds": list(runs),
        "settings": bootstrap._asdict() | {"resampled": "seeds and groups"},
        "rows": len(first[names[0]].test.prompts),
        "trainable_percent": first[names[-1]].evaluate.get("trainable_percent"),
        "references": {
            name: {key: found[key] for key in REFERENCES}
            for name, found in first[names[0]].evaluate.get("references", {}).items()
        },
        "arms": {name: _endpoints([(None, arms[name]) for arms in runs.values()], bootstrap) for name in names},
        "steps": {
            f"{base}_to_{tuned}": _endpoints([(arms[base], arms[tuned]) for arms in runs.values()], bootstrap)
            for base, tuned in steps
        },
        "families": _families(runs, names, steps, bootstrap),
        "generated": {name: _texts([arms[name] for arms in runs.values()], bootstrap) for name in names}
        if all(arm.generated for arm in first.values())
        else {},
    }


def _texts(arms: Sequence[ArmResults], bootstrap: Bootstrap) -> dict[str, Any]:
    answered = arms[0].test.answered()
    statistics = [text_statistic(text_columns(arm), answered.groups, answered.group_count) for arm in arms]
    return resampled(statistics, TEXT_MEASURES, answered.group_count, bootstrap)


def shown_in_training(record: Mapping[str, Any]) -> dict[str, int | None]:
    """Optimizer steps of an arm, and tokens of prompts and answers that it was shown; null for arms that count none."""
    return {"steps": record.get("steps"), "tokens": record.get("truncation", {}).get("tokens_shown")}


def _families(
    runs: Mapping[int, Arms], names: Sequence[str], steps: Sequence[tuple[str, str]], bootstrap: Bootstrap
) -> dict[str, Any]:
    """Every level and family that has groups: its arms, and the differences from arm to arm."""
    found: dict[str, Any] = {level: {} for level in LEVELS}
    for (level, family), values in next(iter(runs.values()))[names[0]].cells.items():
        if level not in found or not values.groups:
            continue
        place = (level, family)
        arms = {name: [_cell(arms[name], place) for arms in runs.values()] for name in names}
        moved = {
            f"{base}_to_{tuned}": [_minus(*pair) for pair in zip(arms[base], arms[tuned], strict=True)]
            for base, tuned in steps
        }
        found[level][family] = {
            kind: {
                name: resampled(statistics, FAMILY_MEASURES, len(values.groups), bootstrap)
                for name, statistics in of_kind.items()
            }
            for kind, of_kind in (("arms", arms), ("steps", moved))
        }
    return found


def _cell(arm: ArmResults, place: tuple[str, str]) -> Statistic:
    return cell_statistic(arm.cells[place])


def _minus(before: Statistic, after: Statistic) -> Statistic:
    def statistic(weights: Floats) -> dict[str, Floats]:
        one, other = before(weights), after(weights)
        return {name: other[name] - one[name] for name in one}

    return statistic


def _endpoints(pairs: Sequence[tuple[ArmResults | None, ArmResults]], bootstrap: Bootstrap) -> dict[str, Any]:
    """The endpoints of an arm, or of the difference of two, over seeds."""
    found: dict[str, Any] = {}
    for place in dict.fromkeys(place for place, _ in ENDPOINTS.values()):
        measures = {name: measure for name, (where, measure) in ENDPOINTS.items() if where == place}
        statistics = [_difference(base, arm, place) for base, arm in pairs]
        estimates = resampled(statistics, list(measures.values()), _groups(pairs[0][1], place), bootstrap)
        found |= {name: estimates[measure] for name, measure in measures.items()}
    return {name: found[name] for name in ENDPOINTS}


def _difference(base: ArmResults | None, arm: ArmResults, place: str) -> Statistic:
    after = _statistic(arm, place)
    return after if base is None else _minus(_statistic(base, place), after)


def _statistic(arm: ArmResults, place: str) -> Statistic:
    if place == "test":
        return quality_statistic(arm.test.answered())
    return _cell(arm, (place, ALL))


def _groups(arm: ArmResults, place: str) -> int:
    return arm.test.answered().group_count if place == "test" else len(arm.cells[place, ALL].groups)


def resampled(
    statistics: Sequence[Statistic], measures: Sequence[str], groups: int, bootstrap: Bootstrap
) -> dict[str, dict[str, Any]]:
    """The mean over seeds of some measures, with an interval from drawing seeds and groups with replacement.

    Args:
        statistics: one per seed, each mapping group weights `(draws, groups)` to measures `(draws,)`; all seeds see the same
            draws of groups, for they were scored on the same ones.

    Returns:
        For each measure `value`, `interval`, `std` (over seeds, n - 1; NaN for one seed) and `values` of the seeds.
    """
    once = [statistic(np.ones((1, groups))) for statistic in statistics]
    seeds = len(statistics)
    generator = np.random.default_rng([bootstrap.seed, seeds, groups])
    drawn: dict[str, list[Floats]] = {name: [] for name in measures}
    for weights in group_weights(groups, bootstrap.draws, bootstrap.seed):
        counts = generator.multinomial(seeds, [1 / seeds] * seeds, size=len(weights)) / seeds
        found = [statistic(weights) for statistic in statistics]
        for name, chunks in drawn.items():
            chunks.append(np.sum([counts[:, n] * each[name] for n, each in enumerate(found)], axis=0))
    return {
        name: _summary([float(each[name][0]) for each in once], np.concatenate(chunks), bootstrap.confidence)
        for name, chunks in drawn.items()
    }


def _summary(values: list[float], drawn: Floats, confidence: float) -> dict[str, Any]:
    return {
        "value": float(np.mean(values)),
        "interval": [float(bound) for bound in percentile_interval(drawn, confidence)],
        "std": float(np.std(values, ddof=1)) if len(values) > 1 else float("nan"),
        "values": values,
    }


def verdicts(compared: Mapping[int, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What became of each claim, seed by seed; `compared` has the `comparison.json` of each seed.

    Returns:
        For each claim its text, its endpoint and arms, and `verdicts`, `p_holm` in the order of the seeds.
    """
    told = [found["claims"] for found in compared.values()]
    return [
        {key: same[0][key] for key in ("id", "statement", "endpoint", "arm", "against")}
        | {"verdicts": [claim["verdict"] for claim in same], "p_holm": [claim.get("p_holm") for claim in same]}
        for same in zip(*told, strict=True)
    ]
