"""How small an effect a sensitivity design could show, at the same number of prompts: from the answers that a run has kept.

`python -m benchmarks.power baseline tuned` draws designs of G groups and w wordings of each family from the kept groups, and
prints how far the difference of the arms varies from draw to draw. Groups are drawn with replacement, so that designs with more
groups than were kept stand for more groups of the same kind. In a crossed design all groups have the same w wordings; in a balanced
one each group has w of its own, and every wording as many groups as any other.
"""

from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray

from steady.metrics.resampling import Floats
from steady.records import CANONICAL, Prediction, Prompt, Wording, read_records

SEEN = 2.80  # z(.975) + z(.8): standard errors of the smallest effect that a test of 5 % sees with 80 % power
Columns = NDArray[np.intp]


def read_answers(root: Path, arm: str) -> tuple[Floats, Floats, list[Wording]]:
    """Answers as numbers and whether they are right, `(groups, wordings)`, of the L2 wordings of the test split."""
    prompts = read_records(root / "data/formatted/sensitivity.jsonl", Prompt)
    found = {item.prompt_id: item for item in read_records(root / f"reports/arms/{arm}/sensitivity.jsonl", Prediction)}
    known = {item.id: item for item in read_records(root / "data/formatted/wordings.jsonl", Wording)}
    rows = [
        one for one in prompts if one.split == "test" and one.wording != CANONICAL and known[one.wording].level == "L2"
    ]
    groups = {name: place for place, name in enumerate(dict.fromkeys(one.group_id for one in rows))}
    columns = {name: place for place, name in enumerate(dict.fromkeys(one.wording for one in rows))}
    codes: dict[str | None, int] = {}
    answers, right = (np.full((len(groups), len(columns)), np.nan) for _ in range(2))
    for one in rows:
        place = groups[one.group_id], columns[one.wording]
        answer = found[one.id].parsed
        answers[place] = codes.setdefault(answer, len(codes))
        right[place] = found[one.id].correct
    return answers, right, [known[name] for name in columns]


def chosen_wordings(
    families: list[list[int]], groups: int, count: int, balanced: bool, rng: np.random.Generator
) -> Columns:
    """The columns of each group, `(groups, chosen)`."""
    parts = []
    for family in families:
        order = rng.permutation(family)
        if not balanced:
            parts.append(np.tile(order[:count], (groups, 1)))
            continue
        # In a circle, so that every wording has the same number of groups.
        starts = rng.permutation(groups)[:, None] * count
        parts.append(order[(starts + np.arange(count)) % len(order)])
    return np.concatenate(parts, axis=1)


def agreement(answers: Floats) -> Floats:
    """Share of equal pairs of each group, `(groups,)`."""
    count = answers.shape[1]
    equal = (answers[:, :, None] == answers[:, None, :]).sum(axis=(1, 2)) - count
    return np.asarray(equal / (count * (count - 1)))


def worst(right: Floats, columns: Columns) -> float:
    """The accuracy of the worst wording."""
    totals = np.bincount(columns.ravel(), right.ravel())
    counts = np.bincount(columns.ravel())
    return float((totals[counts > 0] / counts[counts > 0]).min())


@click.command()
@click.argument("base")
@click.argument("other")
@click.option("--root", type=click.Path(path_type=Path, file_okay=False), default=Path())
@click.option("--draws", default=2000)
def main(base: str, other: str, root: Path, draws: int) -> None:
    """Print, for designs of one cost, the smallest difference of BASE and OTHER that a test could show."""
    arms = [read_answers(root, name) for name in (base, other)]
    wordings = arms[0][2]
    families = [
        [place for place, one in enumerate(wordings) if one.family == family]
        for family in dict.fromkeys(one.family for one in wordings)
    ]
    groups, most = len(arms[0][0]), max(map(len, families))
    click.echo(f"{groups} groups kept; L2 wordings by family: {', '.join(str(len(family)) for family in families)}")
    click.echo("| groups | wordings of a family | design | agreement | mean accuracy | worst wording | its value |")
    click.echo("|---|---|---|---|---|---|---|")
    for count in (most, most // 2, most // 4):
        size = groups * len(wordings) // sum(min(count, len(family)) for family in families)
        for balanced in (False, True) if count < most else (False,):
            rng = np.random.default_rng(0)
            found = np.array([_draw(arms, families, size, count, balanced, rng) for _ in range(draws)])
            errors = SEEN * found.std(axis=0, ddof=1)
            kind = "balanced" if balanced else "crossed"
            click.echo(
                f"| {size} | {count} | {kind} | {errors[0]:.3f} | {errors[1]:.3f} | {errors[2]:.3f} | {found[:, 3].mean():.3f} |"
            )


def _draw(
    arms: list[tuple[Floats, Floats, list[Wording]]],
    families: list[list[int]],
    groups: int,
    count: int,
    balanced: bool,
    rng: np.random.Generator,
) -> list[float]:
    rows = rng.integers(0, len(arms[0][0]), groups)
    columns = chosen_wordings(families, groups, count, balanced, rng)
    answers, right = ([arm[kind][rows[:, None], columns] for arm in arms] for kind in (0, 1))
    agreed, correct = ([measure(part) for part in parts] for measure, parts in ((agreement, answers), (np.mean, right)))
    lowest = [worst(part, columns) for part in right]
    return [
        float(np.mean(agreed[1] - agreed[0])),
        float(correct[1] - correct[0]),
        lowest[1] - lowest[0],
        lowest[1],
    ]


if __name__ == "__main__":
    main()
