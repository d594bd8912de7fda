"""Results over several training seeds: means, spread, and intervals that resample seeds and groups together."""

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from steady.labels import Floats
from steady.metrics.arm_quality import quality_statistic
from steady.metrics.arm_sensitivity import WORST, cell_statistic
from steady.metrics.arm_text import text_statistic
from steady.metrics.cells import ALL, LEVELS
from steady.metrics.measures import QUALITY, SENSITIVITY, TEST_SPLIT, TEXT, headlines, in_tables, on_page
from steady.metrics.resampling import FEWEST_GROUPS, Bootstrap, group_weights, lowest_interval, percentile_interval
from steady.metrics.results import Comparison
from steady.metrics.run import ArmResults, RunResults, steps
from steady.metrics.seed_results import (
    ClaimOverSeeds,
    FamilyOverSeeds,
    SeedEstimate,
    SeedEstimates,
    SeedSettings,
    SeedsResults,
)

Statistic = Callable[[Floats], Mapping[str, Floats]]
# A level and a family; None for the test split
Place = tuple[str, str] | None


def over_seeds(
    runs: Mapping[int, RunResults], bootstrap: Bootstrap, compared: Iterable[tuple[str, str]] | None = None
) -> SeedsResults:
    """Everything but `training` and `claims`.

    Args:
        runs: the run of each training seed, all on the same prompts.
        compared: the pairs of arms that are the steps; None: those that a single run compares.
    """
    arms = {name: [run.by_name[name] for run in runs.values()] for name in next(iter(runs.values())).by_name}
    compared = steps(list(arms)) if compared is None else compared
    pairs = {f"{base}_to_{other}": (arms[other], arms[base]) for base, other in compared}
    first, last = next(iter(arms.values()))[0], list(arms.values())[-1][0]
    writes = all(found[0].texts for found in arms.values())

    def texts(arms: Sequence[ArmResults]) -> SeedEstimates:
        answered = arms[0].test.answered()
        statistics = [text_statistic(arm.texts, answered.groups, answered.group_count) for arm in arms]
        return resampled(statistics, [row.name for row in in_tables(TEXT)], answered.group_count, bootstrap)

    measures = [row.name for row in in_tables(SENSITIVITY)]
    families: dict[str, dict[str, FamilyOverSeeds]] = {level: {} for level in LEVELS}
    for (level, family), values in first.cells.items():
        # held-out is no level: it is among the headlines; a level without groups has nothing to resample
        if level in families and values.groups:
            place = (level, family)
            families[level][family] = FamilyOverSeeds(
                {name: at_place(seeds, None, place, measures, bootstrap) for name, seeds in arms.items()},
                {name: at_place(*pair, place, measures, bootstrap) for name, pair in pairs.items()},
            )
    return SeedsResults(
        seeds=list(runs),
        settings=SeedSettings(bootstrap.draws, bootstrap.confidence, bootstrap.seed),
        rows=len(first.test.prompts),
        trainable_percent=last.evaluate.trainable_percent,
        references={
            name: {row.name: found.measures[row.name] for row in on_page(QUALITY)}
            for name, found in first.evaluate.references.items()
        },
        arms={name: _headlines(found, None, bootstrap) for name, found in arms.items()},
        steps={name: _headlines(*pair, bootstrap) for name, pair in pairs.items()},
        families=families,
        generated={name: texts(found) for name, found in arms.items()} if writes else {},
    )


def _headlines(arms: Sequence[ArmResults], bases: Sequence[ArmResults] | None, bootstrap: Bootstrap) -> SeedEstimates:
    """The measures that speak for an arm, or how they differ from those of another one, over seeds."""
    found: SeedEstimates = {}
    for headline in dict.fromkeys(row.headline for row in headlines()):
        measures = [row.name for row in headlines() if row.headline == headline]
        place = None if headline == TEST_SPLIT else (str(headline), ALL)
        found |= at_place(arms, bases, place, measures, bootstrap)
    return {row.name: found[row.name] for row in headlines()}


def at_place(
    arms: Sequence[ArmResults],
    bases: Sequence[ArmResults] | None,
    place: Place,
    measures: Sequence[str],
    bootstrap: Bootstrap,
) -> SeedEstimates:
    """Measures of an arm at one place over seeds or, with `bases`, how they differ from those of another arm."""
    statistics = [_statistic(arm, place) for arm in arms]
    if bases is not None:
        pairs = zip(bases, statistics, strict=True)
        statistics = [_minus(_statistic(base, place), statistic) for base, statistic in pairs]
    found = resampled(statistics, measures, group_count(arms[0], place), bootstrap)
    worst = found.get(WORST)
    if place is not None and bases is None and worst is not None and worst.interval is not None:
        # Of resampled minima the percentiles lie low, and can miss the value (lowest_interval); those of seeds stay in.
        ends = np.mean([lowest_interval(arm.cells[place].scores, bootstrap) for arm in arms], axis=0)
        bounds = [end for end in worst.interval if end is not None]
        worst.interval = [float(min(ends[0], *bounds)), float(max(ends[1], *bounds))]
    return found


def group_count(arm: ArmResults, place: Place) -> int:
    """How many groups there are at a place; as many for every arm."""
    return arm.test.answered().group_count if place is None else len(arm.cells[place].groups)


def _statistic(arm: ArmResults, place: Place) -> Statistic:
    return quality_statistic(arm.test.answered()) if place is None else cell_statistic(arm.cells[place])


def _minus(before: Statistic, after: Statistic) -> Statistic:
    """The statistic `after` less `before`, on the same draws of groups."""

    def statistic(weights: Floats) -> dict[str, Floats]:
        one, other = before(weights), after(weights)
        return {name: other[name] - one[name] for name in one}

    return statistic


def resampled(
    statistics: Sequence[Statistic], measures: Sequence[str], groups: int, bootstrap: Bootstrap
) -> SeedEstimates:
    """The mean over seeds of some measures, with an interval from drawing seeds and groups with replacement.

    There is no interval where there are fewer than five groups.

    Args:
        statistics: one per seed, each mapping group weights `(draws, groups)` to measures `(draws,)`; all seeds see the same
            draws of groups, for they were scored on the same ones.
    """
    # weights of one give the values themselves
    once = [statistic(np.ones((1, groups))) for statistic in statistics]
    values = {name: [float(each[name][0]) for each in once] for name in measures}
    bounds: dict[str, list[float | None] | None] = dict.fromkeys(measures)
    if groups >= FEWEST_GROUPS:
        seeds = len(statistics)
        # of its own: the groups' draws are shared with the results of a single run
        generator = np.random.default_rng([bootstrap.seed, seeds, groups])
        drawn: dict[str, list[Floats]] = {name: [] for name in measures}
        for weights in group_weights(groups, bootstrap.draws, bootstrap.seed):
            # as many seeds are drawn as there are, with replacement: weights of their means
            counts = generator.multinomial(seeds, [1 / seeds] * seeds, size=len(weights)) / seeds
            found = [statistic(weights) for statistic in statistics]
            for name, chunks in drawn.items():
                chunks.append(np.sum([counts[:, n] * each[name] for n, each in enumerate(found)], axis=0))
        for name, chunks in drawn.items():
            ends = percentile_interval(np.concatenate(chunks), bootstrap.confidence)
            bounds[name] = None if np.isnan(ends).any() else [float(end) for end in ends]
    return {
        name: SeedEstimate(
            value=float(np.mean(each)),
            interval=bounds[name],
            std=float(np.std(each, ddof=1)) if len(each) > 1 else float("nan"),
            values=list(each),
        )
        for name, each in values.items()
    }


def verdicts(compared: Sequence[Comparison]) -> list[ClaimOverSeeds]:
    """What became of each claim; `compared` has the comparison of each seed."""
    found = []
    for same in zip(*(one.claims for one in compared), strict=True):
        claim, outcomes = same[0], [one.verdict for one in same]
        p_values = [one.p_holm for one in same]
        found.append(
            ClaimOverSeeds(claim.id, claim.statement, claim.endpoint, claim.arm, claim.against, outcomes, p_values)
        )
    return found
