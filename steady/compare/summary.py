"""`metrics/comparison.json` and `metrics/headline.json`."""

from collections.abc import Sequence

from steady.compare.claims import Claim
from steady.compare.paired import Testing, compare_arms
from steady.compare.verdicts import judge_claims
from steady.metrics.measures import QUALITY, headlines, on_page
from steady.metrics.resampling import one_blas_thread
from steady.metrics.results import Comparison, Settings
from steady.metrics.run import RunResults, steps

MOST_NUMBERS = 12
"""Of `metrics/headline.json`: so that `dvc metrics show` and `dvc exp show` fit a terminal."""


@one_blas_thread()
def comparison(run: RunResults, claims: Sequence[Claim], testing: Testing) -> Comparison:
    """Everything of `comparison.json`: the claims are primary, the steps exploratory."""
    arms = run.by_name
    # References answer without a model, so they are the same in the files of all arms.
    first = run.arms[0].evaluate
    return Comparison(
        settings=Settings(
            alpha=testing.alpha,
            correction="Holm, over the claims tested",
            permutations=testing.permutations,
            bootstrap_draws=testing.bootstrap.draws,
            confidence=testing.bootstrap.confidence,
            seed=testing.bootstrap.seed,
        ),
        arms={
            arm.name: {row.name: arm.evaluate.test.measures[row.name] for row in QUALITY if not row.of_sets}
            | arm.sensitivity.headline
            for arm in run.arms
        },
        references={
            name: {row.name: found.measures[row.name] for row in on_page(QUALITY)}
            for name, found in first.references.items()
        },
        claims=judge_claims(claims, arms, testing),
        steps={
            f"{base}_to_{other}": compare_arms(arms[base], arms[other], run.formatted.cells, testing)
            for base, other in steps(list(arms))
        },
    )


def headline(compared: Comparison) -> dict[str, dict[str, float | None]]:
    """`headline.json`: at most twelve numbers, by arm and measure.

    Every arm has the primary measures: accuracy on the test split, the worst of the held-out wordings, agreement and POSIX on L2;
    where there are more than three arms, the first of them. Of more than twelve arms the first eleven and the last are shown.
    """
    # fewer measures before fewer arms, and never without the last arm
    arms = list(compared.arms.items())
    arms = arms if len(arms) <= MOST_NUMBERS else [*arms[: MOST_NUMBERS - 1], arms[-1]]
    primary = [row.name for row in headlines() if row.primary][: MOST_NUMBERS // len(arms)]
    return {name: {measure: found[measure].value for measure in primary} for name, found in arms}
