"""The primary tests of a study, corrected over all bases."""

from collections.abc import Mapping, Sequence

import numpy as np

from steady.compare.claims import ENDPOINTS, Claim, Endpoint
from steady.compare.paired import Testing, group_measures
from steady.compare.verdicts import NOT_SUPPORTED, SUPPORTED, verdict
from steady.labels import Floats
from steady.metrics.measures import SENSITIVITY, by_name
from steady.metrics.resampling import ratio
from steady.metrics.run import ArmResults, RunResults
from steady.metrics.statistics import detectable, detectable_mean, holm, sign_flip, swap_tests
from steady.metrics.study_results import PrimaryResult
from steady.repro.seeds import at_place, group_count

# The runs of each base, in the order of the seeds
Runs = Mapping[str, Sequence[RunResults]]


def primary_tests(runs: Runs, claims: Sequence[Claim], testing: Testing) -> list[PrimaryResult]:
    """Every claim on every base: the groups' differences, averaged over seeds, have their signs flipped; then Holm."""
    found = []
    # what a claim could have shown depends on the level that Holm's first step leaves it
    strict = testing._replace(alpha=testing.alpha / (len(runs) * len(claims)))
    for base, of_seeds in runs.items():
        for claim in claims:
            endpoint = ENDPOINTS[claim.endpoint]
            one, other = ([run.by_name[name] for run in of_seeds] for name in (claim.against, claim.arm))
            p, least = (_swapped if endpoint.test == "swap" else _flipped)(one, other, endpoint, strict)
            difference = at_place(other, one, endpoint.cell, [endpoint.measure], testing.bootstrap)
            result = PrimaryResult(
                base=base,
                id=claim.id,
                statement=claim.statement,
                endpoint=claim.endpoint,
                arm=claim.arm,
                against=claim.against,
                difference=difference[endpoint.measure],
                groups=group_count(one[0], endpoint.cell),
                smallest_detectable=least,
                p=p,
            )
            found.append(result)
    for result, adjusted in zip(found, holm([result.p for result in found]), strict=True):
        claim = next(claim for claim in claims if claim.id == result.id)
        result.p_holm = adjusted
        result.verdict = verdict(result.difference.value or 0.0, adjusted, claim.direction, testing.alpha)
        constant = any(run.by_name[claim.arm].sensitivity.degeneracy.degenerate for run in runs[result.base])
        # Whoever gives one answer to everything agrees with itself.
        if constant and ENDPOINTS[claim.endpoint].cell and result.verdict == SUPPORTED:
            result.verdict = f"{NOT_SUPPORTED}: {claim.arm} gives one answer to nearly everything"
    return found


def _flipped(
    before: Sequence[ArmResults], after: Sequence[ArmResults], endpoint: Endpoint, testing: Testing
) -> tuple[float, float]:
    """P of flipping the signs of the groups' differences, which are means over seeds, and the smallest effect it could show."""
    pairs = zip(before, after, strict=True)
    differences = np.mean([_of_groups(other, endpoint) - _of_groups(one, endpoint) for one, other in pairs], axis=0)
    p = float(sign_flip(differences, testing.permutations, testing.bootstrap.seed)[0])
    return p, detectable_mean(differences, testing.alpha)


def _of_groups(arm: ArmResults, endpoint: Endpoint) -> Floats:
    """The endpoint of each group, `(groups,)`."""
    if endpoint.cell is not None:
        return group_measures(arm.cells[endpoint.cell])[endpoint.measure]
    test = arm.test.answered()
    counts = np.bincount(test.groups, minlength=test.group_count)
    return ratio(np.bincount(test.groups, test.correct, minlength=test.group_count), counts)


def _swapped(
    before: Sequence[ArmResults], after: Sequence[ArmResults], endpoint: Endpoint, testing: Testing
) -> tuple[float, float]:
    """P of swapping the arms within groups, in all seeds at once, for a measure of wordings."""
    assert endpoint.cell is not None
    of_wordings = by_name(SENSITIVITY, endpoint.measure).of_wordings
    assert of_wordings is not None
    # The wordings of the seeds stand side by side; the measure is taken of each seed, then the mean over seeds.
    one, other = (np.concatenate([arm.cells[endpoint.cell].scores for arm in arms], axis=1) for arms in (before, after))

    def over_seeds(scores: Floats) -> Floats:
        each = scores.reshape(*scores.shape[:-1], len(before), -1)
        return np.asarray(of_wordings(each).mean(axis=-1))

    swap = swap_tests(one, other, {"it": over_seeds}, testing.permutations, testing.bootstrap.seed)["it"]
    return swap.p, detectable(swap.standard_error, testing.alpha)
