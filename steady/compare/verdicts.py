"""The verdict on each claim: supported, not supported, contrary, or not tested."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from steady.compare.claims import ENDPOINTS, Claim
from steady.compare.paired import Testing, compare_cell, compare_quality, group_measures
from steady.compare.results import ArmResults
from steady.metrics.statistics import holm

SUPPORTED, NOT_SUPPORTED, CONTRARY, NOT_TESTED = "supported", "not supported", "contrary", "not tested"


def judge_claims(claims: Sequence[Claim], arms: Mapping[str, ArmResults], testing: Testing) -> list[dict[str, Any]]:
    """Test the claims whose arms are there, correct their p-values together (Holm), and say what came of each.

    `smallest_detectable` is the smallest effect that the test could have seen with 80 % power at Holm's strictest level,
    alpha divided by the number of claims tested.
    """
    missing = {claim.id: _what_is_missing(claim, arms) for claim in claims}
    tested = [claim for claim in claims if not missing[claim.id]]
    strict = testing._replace(alpha=testing.alpha / max(1, len(tested)))
    found = {claim.id: _measured(claim, arms, strict) for claim in tested}
    adjusted = dict(zip(found, holm([entry["p"] for entry in found.values()]), strict=True))
    return [
        _judged(claim, found.get(claim.id), adjusted.get(claim.id), missing[claim.id], testing.alpha)
        for claim in claims
    ]


def _what_is_missing(claim: Claim, arms: Mapping[str, ArmResults]) -> str | None:
    absent = [name for name in (claim.arm, claim.against) if name not in arms]
    if absent:
        return f"no arm {' and no arm '.join(absent)} in this run"
    cell = ENDPOINTS[claim.endpoint].cell
    if cell is None:
        return None if arms[claim.arm].test.prompts else "no test rows in this run"
    both = [arms[name].cells.get(cell) for name in (claim.arm, claim.against)]
    if any(values is None or not values.groups for values in both):
        return f"no {' '.join(cell)} prompts in this run"
    if any(np.isnan(group_measures(values)[ENDPOINTS[claim.endpoint].measure]).all() for values in both if values):
        return "the arms have no such measure in this run"
    return None


def _measured(claim: Claim, arms: Mapping[str, ArmResults], testing: Testing) -> dict[str, Any]:
    """The entry of the endpoint in the comparison of the two arms, with the number of groups or rows."""
    endpoint = ENDPOINTS[claim.endpoint]
    base, tuned = arms[claim.against], arms[claim.arm]
    if endpoint.cell is None:
        compared = compare_quality(base.test, tuned.test, testing)
        return {"n": compared["rows"], **compared["measures"][endpoint.measure]}
    compared = compare_cell(base.cells[endpoint.cell], tuned.cells[endpoint.cell], testing)
    return {"n": compared["n_groups"], **compared["measures"][endpoint.measure]}


def _judged(
    claim: Claim, found: dict[str, Any] | None, adjusted: float | None, missing: str | None, alpha: float
) -> dict[str, Any]:
    entry: dict[str, Any] = {**claim.model_dump(), "status": "primary"}
    if found is None or adjusted is None:
        return {**entry, "verdict": NOT_TESTED, "reason": missing}
    return {
        **entry,
        "verdict": verdict(found["difference"]["value"], adjusted, claim.direction, alpha),
        "from": found["from"],
        "to": found["to"],
        "difference": found["difference"],
        "relative_reduction": found["relative_reduction"],
        "p": found["p"],
        "p_holm": adjusted,
        "smallest_detectable": found["smallest_detectable"],
        "n": found["n"],
    }


def verdict(difference: float, adjusted_p: float, direction: str, alpha: float) -> str:
    """What a corrected p-value says of a claim; `difference` is arm - against."""
    if not adjusted_p < alpha or difference == 0:
        return NOT_SUPPORTED
    return SUPPORTED if (difference > 0) == (direction == "higher") else CONTRARY
