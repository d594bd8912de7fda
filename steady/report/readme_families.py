"""The README's table over seeds by family of rewording, and what it says in words."""

from collections.abc import Callable, Iterator, Sequence

from steady.metrics.measures import HIGHER, SENSITIVITY, Measure, in_tables, on_page
from steady.metrics.seed_results import FamilyOverSeeds, SeedEstimate, SeedsResults


def families_block(
    found: SeedsResults,
    estimated: Callable[[SeedEstimate], str],
    markdown_table: Callable[[Sequence[str], Sequence[Sequence[str]]], str],
) -> str:
    """What moved where, and the table by level, family and arm below it.

    Args:
        estimated: renders an entry with its interval; `markdown_table`: renders a header and rows.
    """
    shown = in_tables(SENSITIVITY)
    rows = [
        [level, family, arm, *(estimated(measures[row.name]) for row in shown)]
        for level, family, cell in _cells(found)
        for arm, measures in cell.arms.items()
    ]
    table = markdown_table(["level", "family", "arm", *(row.label for row in shown)], rows)
    moved = "\n".join(f"* {name.replace('_to_', ' → ')}: {_moved(found, name)}" for name in found.steps)
    return f"{moved}\n\n<details><summary>by level and family</summary>\n\n{table}\n\n</details>"


def _cells(found: SeedsResults) -> Iterator[tuple[str, str, FamilyOverSeeds]]:
    for level, families in found.families.items():
        for family, cell in families.items():
            yield level, family, cell


def _moved(found: SeedsResults, step: str) -> str:
    """Where a step made a family better or worse: those whose interval leaves zero out, on unseen groups (L1, L2)."""
    cells = [
        (f"{family} ({level})", cell) for level, family, cell in _cells(found) if level != "L0" and family != "all"
    ]
    better: list[tuple[Measure, str]] = []
    worse: list[tuple[Measure, str]] = []
    for place, cell in cells:
        for row in on_page(SENSITIVITY):
            # an undefined interval leaves nothing out
            low, high = cell.steps[step][row.name].bounds or (0.0, 0.0)
            if low > 0 or high < 0:
                (better if (low > 0) == (row.better == HIGHER) else worse).append((row, place))
    return f"better in {_listed(better)}; worse in {_listed(worse)}, of {len(cells)} families on unseen groups."


def _listed(places: Sequence[tuple[Measure, str]]) -> str:
    parts = []
    for row in on_page(SENSITIVITY):
        found = [place for measure, place in places if measure is row]
        if found:
            parts.append(f"{row.label}: {', '.join(found)}")
    return " · ".join(parts) or "nothing that the intervals would bear out"
