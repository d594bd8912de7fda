"""A study in Markdown and as a page: its primary tests, a dot plot of every method on each base, the tables."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from steady.metrics.cells import ALL
from steady.metrics.files import read_metrics
from steady.metrics.measures import QUALITY, SENSITIVITY, Measure, by_name
from steady.metrics.seed_results import SeedEstimate, SeedsResults
from steady.metrics.study_results import PrimaryResult, StudyResults
from steady.report import charts
from steady.report.markup import Markup, joined, table, tag
from steady.report.page import html_page
from steady.report.readme import NOT_COMMITTED, estimated, families_text
from steady.report.tables import markdown_table, p_value

# The columns of the table, each with the level where it is measured; None is the test split
COLUMNS: list[tuple[str | None, Measure]] = [
    (None, by_name(QUALITY, "accuracy")),
    ("L1", by_name(SENSITIVITY, "agreement")),
    ("L1", by_name(SENSITIVITY, "spread")),
    ("L2", by_name(SENSITIVITY, "agreement")),
    ("L2", by_name(SENSITIVITY, "mean_accuracy")),
    ("L2", by_name(SENSITIVITY, "worst_wording_accuracy")),
]


def _at(level: str | None, words: str) -> str:
    """The name of a column: the level before the label or title of the measure."""
    return f"{level} {words}" if level else words


def _cell(base: SeedsResults, method: str, level: str | None, measure: str) -> SeedEstimate | None:
    if level is None:
        return base.arms[method][measure]
    cell = base.families[level].get(ALL)
    return cell.arms[method][measure] if cell else None


def _rows(found: StudyResults, base: str) -> tuple[list[str], list[list[str]]]:
    """The table of a base: a method to a row."""
    results = found.bases[base]
    header = ["method", *(_at(level, row.label) for level, row in COLUMNS), "steps", "tokens"]
    rows = []
    for name in results.arms:
        constant = found.degenerate[base][name]
        title = f"{name} (one answer to nearly everything in {constant} of {len(found.seeds)})" if constant else name
        cells = [estimated(_cell(results, name, level, row.name)) for level, row in COLUMNS]
        trained = results.training[name]
        rows.append([title, *cells, *(_each([getattr(one, key) for one in trained]) for key in ("steps", "tokens"))])
    return header, rows


def _each(values: Sequence[int | None]) -> str:
    """The values of the seeds, equal ones once."""
    return "–" if None in values else " ".join(map(str, dict.fromkeys(values)))


def _primary(one: PrimaryResult) -> list[str]:
    least = f"{one.smallest_detectable:.3f}" if one.smallest_detectable else "–"
    return [one.base, one.statement, estimated(one.difference, "+"), least, p_value(one.p_holm), one.verdict]


PRIMARY = ["base", "claim", "difference", "smallest effect it could show", "p (Holm)", "verdict"]


def _seeds(found: StudyResults) -> str:
    return f"{len(found.seeds)} seed{'s' if len(found.seeds) > 1 else ''}"


def study_text(found: StudyResults, level: int = 1) -> str:
    """The tables of a study in Markdown, under a heading of this level: the primary tests, then the methods of each base."""
    marks = "#" * level
    parts = [
        f"{marks} {found.name}\n\nMeans over {_seeds(found)}, with intervals that resample seeds and groups.",
        markdown_table(PRIMARY, list(map(_primary, found.primary))),
    ]
    for base, results in found.bases.items():
        parts += [f"{marks}# {base}", markdown_table(*_rows(found, base)), families_text(results)]
    return "\n\n".join(parts) + "\n"


def studies(metrics: Path) -> str:
    """The text of every study that was committed, for `docs/results.md`."""
    paths = sorted(metrics.glob("study-*.json"))
    return "\n".join(study_text(read_metrics(path, StudyResults), 3) for path in paths) or NOT_COMMITTED


def study_page(found: StudyResults) -> str:
    """The page of a study: HTML that needs nothing beside it; equal results give equal bytes."""
    supported = sum(one.verdict == "supported" for one in found.primary)
    sentence = f"{supported} of {len(found.primary)} primary tests are supported, over {_seeds(found)}."
    rows = [_primary(one) for one in found.primary]
    sections = [tag("section", tag("h2", "Primary tests"), table("Corrected by Holm over all bases", PRIMARY, rows))]
    for base in found.bases:
        drawn = tag("div", *_pictures(found, base), class_="charts")
        numbers = table("Means over seeds; intervals resample seeds and groups", *_rows(found, base))
        sections.append(tag("section", tag("h2", base), drawn, numbers, id=base))
    header = tag("header", tag("h1", f"Steady: the study {found.name}"), tag("p", sentence, class_="answer"))
    return html_page(f"Steady: {found.name}", joined([header, tag("main", *sections, id="findings")]), "findings")


def _pictures(found: StudyResults, base: str) -> Iterator[Markup]:
    """For every column a dot and an interval for each method."""
    results = found.bases[base]
    for level, measure in COLUMNS:
        title = _at(level, measure.label)
        points = []
        for name in results.arms:
            one = _cell(results, name, level, measure.name)
            if one is not None and one.value is not None:
                points.append(charts.point(name, base, one.value, one.bounds, f"{name}, {title}: {estimated(one)}"))
        if points:
            lowest = min(point["low"] for point in points)
            spec = charts.intervals(points, [base], title, (max(0.0, round(lowest - 0.05, 1)), 1.0))
            yield tag("figure", tag("figcaption", _at(level, measure.title)), Markup(charts.draw(spec)))
