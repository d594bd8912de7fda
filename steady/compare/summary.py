"""`metrics/comparison.json` and `metrics/headline.json`."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

from steady.compare.claims import Claim
from steady.compare.paired import Testing, compare_arms
from steady.compare.results import ArmResults
from steady.compare.verdicts import judge_claims
from steady.metrics.arm_quality import SCALARS
from steady.metrics.cells import Cell
from steady.metrics.resampling import one_blas_thread

BESIDE = ("accuracy", "macro_f1", "weighted_f1")


def steps(arms: Sequence[ArmResults]) -> Iterator[tuple[ArmResults, ArmResults]]:
    """Each arm to the next, then the first to the last."""
    yield from pairwise(arms)
    if len(arms) > 2:
        yield arms[0], arms[-1]


@one_blas_thread()
def comparison(
    arms: Sequence[ArmResults], cells: Sequence[Cell], claims: Sequence[Claim], testing: Testing
) -> dict[str, Any]:
    """Everything of `comparison.json`.

    Returns:
        `settings`, `arms` (name -> its quality on test and the headline of its sensitivity), `references` (the same quality of
        majority and TF-IDF), `claims` (see `judge_claims`; these are primary) and `steps` (`A_to_B` -> see `compare_arms`;
        these are exploratory). Values are not rounded yet: `write_metrics`.
    """
    references = arms[0].evaluate.get("references", {})
    return {
        "settings": {
            "alpha": testing.alpha,
            "correction": "Holm, over the claims tested",
            "permutations": testing.permutations,
            "bootstrap_draws": testing.bootstrap.draws,
            "confidence": testing.bootstrap.confidence,
            "seed": testing.bootstrap.seed,
        },
        "arms": {
            arm.name: {name: arm.evaluate["test"][name] for name in SCALARS} | arm.sensitivity["headline"]
            for arm in arms
        },
        "references": {name: {key: found[key] for key in BESIDE} for name, found in references.items()},
        "claims": judge_claims(claims, {arm.name: arm for arm in arms}, testing),
        "steps": {
            f"{base.name}_to_{tuned.name}": compare_arms(base, tuned, cells, testing) for base, tuned in steps(arms)
        },
    }


def headline(compared: dict[str, Any], arms: Sequence[ArmResults]) -> dict[str, Any]:
    """`headline.json`: at most twelve numbers, the first arm as `baseline` and the last as `tuned`.

    `accuracy` is that of the test split, `worst_wording` the accuracy under the worst held-out wording, `agreement` and
    `posix` (lower is better) those of L2; `p` are the uncorrected p-values of the step from the one to the other.
    """
    first, last = arms[0], arms[-1]
    numbers = {"baseline": _headline_numbers(compared["arms"][first.name])}
    if last.name != first.name:
        step = compared["steps"][f"{first.name}_to_{last.name}"]
        level = step["levels"]["L2"]["all"]["measures"]
        numbers["tuned"] = _headline_numbers(compared["arms"][last.name])
        numbers["p"] = {
            "accuracy": step["quality"]["measures"]["accuracy"]["p"],
            "agreement": level["agreement"]["p"],
            "posix": level["posix"]["p"],
        }
    return {**numbers, "trainable_percent": last.evaluate.get("trainable_percent")}


def _headline_numbers(arm: dict[str, Any]) -> dict[str, float | None]:
    return {
        "accuracy": arm["accuracy"]["value"],
        "worst_wording": arm["worst_wording_accuracy"]["value"],
        "agreement": arm["agreement"]["value"],
        "posix": arm["posix"]["value"],
    }
