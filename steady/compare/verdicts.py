"""The verdict on each claim: supported, not supported, contrary, or not tested."""

from collections.abc import Mapping, Sequence

import numpy as np
from msgspec.structs import asdict

from steady.compare.claims import ENDPOINTS, Claim
from steady.compare.paired import Testing, compare_cell, compare_quality, group_measures
from steady.metrics.results import ClaimResult, Difference
from steady.metrics.run import ArmResults
from steady.metrics.statistics import holm

SUPPORTED, NOT_SUPPORTED, CONTRARY, NOT_TESTED = "supported", "not supported", "contrary", "not tested"


def judge_claims(claims: Sequence[Claim], arms: Mapping[str, ArmResults], testing: Testing) -> list[ClaimResult]:
    """Test the claims whose arms are there, correct their p-values together (Holm), and say what came of each.

    `smallest_detectable` is the smallest effect that the test could have seen with 80 % power at Holm's strictest level,
    alpha divided by the number of claims tested.
    """
    missing = {claim.id: _what_is_missing(claim, arms) for claim in claims}
    tested = [claim for claim in claims if not missing[claim.id]]
    # the strictest of Holm's levels: what the test could have seen must not depend on the other p-values
    strict = testing._replace(alpha=testing.alpha / max(1, len(tested)))
    found = {claim.id: _measured(claim, arms, strict) for claim in tested}
    # A claim whose measure has no test value shows nothing, and still counts in the family of tests.
    p_values = [1.0 if figures.p is None else figures.p for figures, _ in found.values()]
    adjusted = dict(zip(found, holm(p_values), strict=True))
    judged = []
    for claim in claims:
        known = claim.model_dump() | {"status": "primary"}
        if claim.id not in found:
            judged.append(ClaimResult(**known, verdict=NOT_TESTED, reason=missing[claim.id]))
            continue
        figures, count = found[claim.id]
        known |= asdict(figures) | {"p_holm": adjusted[claim.id], "n": count}
        said = verdict(figures.difference.value or 0.0, adjusted[claim.id], claim.direction, testing.alpha)
        # An arm that answers the same to everything is as steady as can be, and useless.
        same = ENDPOINTS[claim.endpoint].cell and arms[claim.arm].sensitivity.degeneracy.degenerate
        if said == SUPPORTED and same:
            said, known["reason"] = NOT_SUPPORTED, f"{claim.arm} gives one answer to nearly everything"
        judged.append(ClaimResult(**known, verdict=said))
    return judged


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
    # a measure over wordings has no value for a group, and needs no more than scores, which every arm has
    nothing = np.zeros(1)
    measures = [group_measures(values).get(ENDPOINTS[claim.endpoint].measure, nothing) for values in both if values]
    if any(np.isnan(each).all() for each in measures):
        return "the arms have no such measure in this run"
    return None


def _measured(claim: Claim, arms: Mapping[str, ArmResults], testing: Testing) -> tuple[Difference, int]:
    """The endpoint in the comparison of the two arms, and the number of groups or rows."""
    endpoint = ENDPOINTS[claim.endpoint]
    base, other = arms[claim.against], arms[claim.arm]
    if endpoint.cell is None:
        quality = compare_quality(base.test, other.test, testing)
        return quality.measures[endpoint.measure], quality.rows
    cell = compare_cell(base.cells[endpoint.cell], other.cells[endpoint.cell], testing)
    return cell.measures[endpoint.measure], cell.n_groups


def verdict_text(claim: ClaimResult) -> str:
    """The verdict and, of a claim that was tested, the difference and the smallest one that the test sees with 80 % power."""
    reason = f" ({claim.reason})" if claim.reason else ""
    line = f"{claim.verdict}{reason}: {claim.statement}"
    if claim.difference is None or claim.difference.value is None:
        return line
    bounds = claim.difference.interval
    interval = f" [{bounds[0]:+.3f}, {bounds[1]:+.3f}]" if bounds else ""
    least = claim.smallest_detectable
    seen = "not known, no two groups differ" if least is None or np.isnan(least) else f"{least:.3f}"
    unit = "rows" if ENDPOINTS[claim.endpoint].cell is None else "groups"
    found = f"{claim.endpoint} {claim.difference.value:+.3f}{interval}"
    return f"{line}\n  {found}; smallest effect that {claim.n} {unit} could have shown: {seen}"


def verdict(difference: float, adjusted_p: float, direction: str, alpha: float) -> str:
    """What a corrected p-value says of a claim; `difference` is arm - against."""
    # `not <`: an undefined p-value supports nothing
    if not adjusted_p < alpha or difference == 0:
        return NOT_SUPPORTED
    return SUPPORTED if (difference > 0) == (direction == "higher") else CONTRARY
