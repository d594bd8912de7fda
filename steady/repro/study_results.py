"""What a study found: a row for each method on each base, and the primary tests, corrected over all bases."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from steady.compare.claims import ENDPOINTS, Claim, Endpoint
from steady.compare.paired import Testing, group_measures
from steady.compare.verdicts import NOT_SUPPORTED, SUPPORTED, verdict
from steady.labels import Floats
from steady.metrics.cells import ALL
from steady.metrics.measures import SENSITIVITY
from steady.metrics.resampling import Bootstrap, ratio
from steady.metrics.run import ArmResults, RunResults
from steady.metrics.seed_results import SeedEstimate, SeedEstimates
from steady.metrics.statistics import detectable, detectable_mean, holm, sign_flip, swap_tests
from steady.report.measures import markdown_table
from steady.report.readme import estimated
from steady.repro.seeds import Place, at_place, group_count

# A column of the table, where it is measured, and the measure
COLUMNS: tuple[tuple[str, Place, str], ...] = (
    ("accuracy", None, "accuracy"),
    ("L1 agreement", ("L1", ALL), "agreement"),
    ("L1 spread", ("L1", ALL), "spread"),
    ("L2 agreement", ("L2", ALL), "agreement"),
    ("L2 mean accuracy", ("L2", ALL), "mean_accuracy"),
    ("L2 worst wording", ("L2", ALL), "worst_wording_accuracy"),
)


class MethodResults(msgspec.Struct):
    """A method on a base: the columns over seeds, in how many seeds it gave one answer to nearly everything, and the training."""

    columns: SeedEstimates
    degenerate: int
    steps: list[int | None]
    tokens: list[int | None]


class PrimaryResult(msgspec.Struct):
    """A claim on a base; the differences of the groups are means over seeds."""

    base: str
    id: str
    statement: str
    endpoint: str
    arm: str
    against: str
    difference: SeedEstimate
    groups: int
    smallest_detectable: float | None
    p: float
    p_holm: float = 1.0
    verdict: str = NOT_SUPPORTED


class StudyResults(msgspec.Struct):
    """`metrics/study-NAME.json`: base -> method, and the primary tests of all bases."""

    name: str
    seeds: list[int]
    bases: dict[str, dict[str, MethodResults]]
    primary: list[PrimaryResult]


# The runs of each base, in the order of the seeds
Runs = Mapping[str, Sequence[RunResults]]


def methods_of(
    runs: Sequence[RunResults], records: Mapping[str, Sequence[Mapping[str, Any]]], bootstrap: Bootstrap
) -> dict[str, MethodResults]:
    """Every method of a base; `records` are what the manifests of each method keep of the training, seed by seed."""
    found = {}
    for method in runs[0].by_name:
        arms = [run.by_name[method] for run in runs]
        found[method] = MethodResults(
            {title: at_place(arms, None, place, [name], bootstrap)[name] for title, place, name in COLUMNS},
            sum(arm.sensitivity.degeneracy.degenerate for arm in arms),
            [record.get("steps") for record in records[method]],
            [
                record.get("truncation", {}).get("tokens_shown", record.get("train_tokens_last_epoch"))
                for record in records[method]
            ],
        )
    return found


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
    of_wordings = next(row.of_wordings for row in SENSITIVITY if row.name == endpoint.measure)
    assert of_wordings is not None
    # The wordings of the seeds stand side by side; the measure is taken of each seed, then the mean over seeds.
    one, other = (np.concatenate([arm.cells[endpoint.cell].scores for arm in arms], axis=1) for arms in (before, after))

    def over_seeds(scores: Floats) -> Floats:
        each = scores.reshape(*scores.shape[:-1], len(before), -1)
        return np.asarray(of_wordings(each).mean(axis=-1))

    swap = swap_tests(one, other, {"it": over_seeds}, testing.permutations, testing.bootstrap.seed)["it"]
    return swap.p, detectable(swap.standard_error, testing.alpha)


def study_text(found: StudyResults) -> str:
    """The tables of a study in Markdown: the methods of each base, then the primary tests."""
    seeds = f"{len(found.seeds)} seed{'s' if len(found.seeds) > 1 else ''}"
    parts = [f"# {found.name}\n\nMeans over {seeds}, with intervals that resample seeds and groups."]
    for base, methods in found.bases.items():
        titles = ["method", *(title for title, _, _ in COLUMNS), "steps", "tokens"]
        rows = [
            [
                f"{name} (one answer to nearly everything)" if method.degenerate else name,
                *map(estimated, method.columns.values()),
                _each(method.steps),
                _each(method.tokens),
            ]
            for name, method in methods.items()
        ]
        parts.append(f"## {base}\n\n{markdown_table(titles, rows)}")
    titles = ["base", "claim", "difference", "smallest effect it could show", "p (Holm)", "verdict"]
    rows = []
    for one in found.primary:
        least = f"{one.smallest_detectable:.3f}" if one.smallest_detectable else "–"
        rows.append([one.base, one.statement, estimated(one.difference, "+"), least, f"{one.p_holm:.4f}", one.verdict])
    return "\n\n".join([*parts, f"## Primary tests\n\n{markdown_table(titles, rows)}\n"])


def _each(values: Sequence[int | None]) -> str:
    return "–" if None in values else " ".join(map(str, dict.fromkeys(values)))
