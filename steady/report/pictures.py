"""The page's pictures: which numbers go into which chart, and what is said of each mark."""

from collections.abc import Iterator, Sequence

from steady.metrics.cells import ALL
from steady.metrics.measures import QUALITY, SENSITIVITY, SHARE, on_page
from steady.metrics.resampling import Estimate
from steady.metrics.results import Confusion
from steady.metrics.run import CURVES, ArmResults
from steady.report import charts
from steady.report.charts import Row
from steady.report.findings import Findings
from steady.report.markup import Markup, joined, tag
from steady.report.tables import estimated

MOST_LABELS = 20  # of a confusion matrix: larger ones cannot be read, and 77 labels made a page of 5 MB
OTHERS = "(other labels)"
LEVEL_TITLES = {
    "L2": "L2: families never trained on",
    "L1": "L1: new wordings of trained families",
    "L0": "L0: texts and wordings of the training",
}


def legend(arms: Sequence[ArmResults]) -> Markup:
    """Which colour and shape is which arm."""
    return tag("div", Markup(charts.draw(charts.legend([arm.name for arm in arms]))), class_="legend")


def _figure(spec: charts.Spec, caption: str) -> Markup:
    """A picture with its caption; the parts of the picture carry their own labels."""
    return tag("figure", tag("figcaption", caption), Markup(charts.draw(spec)))


def _side_by_side(pictures: Sequence[Markup]) -> Markup:
    return tag("div", *pictures, class_="charts") if pictures else Markup("")


def _row(place: str, arm: str, found: Estimate) -> Row | None:
    if found.value is None:
        return None
    return charts.point(place, arm, found.value, found.interval, f"{place}, {arm}: {estimated(found)}")


def quality_picture(found: Findings) -> Markup:
    """Task quality of the arms on the test split."""
    rows = [
        row
        for measure in on_page(QUALITY)
        for arm in found.arms
        if (row := _row(measure.label, arm.name, arm.evaluate.test.measures[measure.name]))
    ]
    # accuracies lie close together: an axis from 0 would hide their differences
    low = min(row["low"] for row in rows)
    names = [arm.name for arm in found.arms]
    spec = charts.intervals(rows, names, "test split", (max(0.0, round(low - 0.05, 1)), 1.0))
    return _figure(spec, "Task quality under the canonical wording, with 95 % intervals.")


def sensitivity_pictures(found: Findings) -> Markup:
    """For every measure, under its heading, a picture for each level: a row for each family, all of them pooled last."""
    names, parts = [arm.name for arm in found.arms], []
    for measure in on_page(SENSITIVITY):
        by_level = {level: list(_cells(found.arms, level, measure.name)) for level in LEVEL_TITLES}
        rows = [row for level in by_level.values() for row in level]
        is_share = measure.unit == SHARE  # a share ends at 1, a number of nats nowhere
        top = 1.0 if is_share else max((row["high"] for row in rows), default=0.0) * 1.02
        bottom = max(0.0, min((row["low"] for row in rows), default=0.0) - 0.02) if is_share else 0.0
        pictures = [
            _figure(charts.intervals(level, names, measure.title, (bottom, top)), LEVEL_TITLES[name])
            for name, level in by_level.items()
            if level
        ]
        heading = tag("h3", measure.title[:1].upper() + measure.title[1:])
        parts.append(tag("div", heading, _side_by_side(pictures)))
    return joined(parts)


def _cells(arms: Sequence[ArmResults], level: str, measure: str) -> Iterator[Row]:
    families = [family for family in arms[0].sensitivity.levels[level] if family != ALL]
    # of one family alone the pooled row would be its copy
    for family in [*families, *([ALL] if len(families) > 1 else [])]:
        for arm in arms:
            cell = arm.sensitivity.levels[level].get(family)
            row = _row(family, arm.name, cell.measures[measure]) if cell and cell.n_groups else None
            if row:
                yield row


def wording_pictures(found: Findings) -> Markup:
    """For each arm a dot for every wording: its accuracy on the test groups."""
    tables: dict[str, list[Row]] = {}
    for arm in found.arms:
        families: dict[str, list[Row]] = {}
        for name, entry in arm.sensitivity.wordings.items():
            if row := _row(f"{name} ({entry.level})", arm.name, entry.accuracy):
                families.setdefault(entry.family, []).append(row)
        # equal accuracies would hide one another without a lane each
        tables[arm.name] = [
            {**row, "family": family, "lane": round((place + 0.5) / len(members), 4)}
            for family, members in families.items()
            for place, row in enumerate(members)
        ]
    every = [row for rows in tables.values() for row in rows]
    if not every:
        return Markup("")
    domain = (max(0.0, min(row["low"] for row in every) - 0.01), min(1.0, max(row["high"] for row in every) + 0.01))
    placed = enumerate(tables.items())
    return _side_by_side([_figure(charts.dots(rows, place, domain), name) for place, (name, rows) in placed])


def confusion_pictures(found: Findings) -> Markup:
    """A matrix for each arm; a column without any answer is left out."""
    return _side_by_side([_confusion(arm) for arm in found.arms])


def most_confused(matrix: Confusion) -> Confusion:
    """The matrix, or the part of a large one whose labels are most often taken for another; other answers are one more column."""
    if len(matrix.actual) <= MOST_LABELS:
        return matrix
    place = {name: column for column, name in enumerate(matrix.predicted)}
    given = dict(zip(matrix.predicted, map(sum, zip(*matrix.counts, strict=True)), strict=True))
    wrong = {
        name: sum(counts) + given[name] - 2 * counts[place[name]]
        for name, counts in zip(matrix.actual, matrix.counts, strict=True)
    }
    chosen = set(sorted(wrong, key=lambda name: -wrong[name])[:MOST_LABELS])
    kept = [name for name in matrix.predicted if name in chosen or name not in wrong]
    rows = [
        [*(counts[place[name]] for name in kept), sum(counts) - sum(counts[place[name]] for name in kept)]
        for name, counts in zip(matrix.actual, matrix.counts, strict=True)
        if name in chosen
    ]
    return Confusion([name for name in matrix.actual if name in chosen], [*kept, OTHERS], rows)


def _confusion(arm: ArmResults) -> Markup:
    whole = arm.evaluate.test.confusion
    assert isinstance(whole, Confusion)
    matrix = most_confused(whole)
    # the column of answers without a label is empty for a classifier
    totals = dict(zip(matrix.predicted, map(sum, zip(*matrix.counts, strict=True)), strict=True))
    used = [name for name in matrix.predicted if name in matrix.actual or totals[name]]
    rows = [
        {
            "actual": actual,
            "predicted": predicted,
            "count": count,
            # of the row: of all rows that are this label
            "share": round(count / max(1, sum(counts)), 4),
            "words": f"{arm.name}: {count} rows of {actual} called {predicted}",
        }
        for actual, counts in zip(matrix.actual, matrix.counts, strict=True)
        for predicted, count in zip(matrix.predicted, counts, strict=True)
        if predicted in used
    ]
    right = estimated(arm.evaluate.test.measures["accuracy"])
    part = (
        f"; the {MOST_LABELS} labels of {len(whole.actual)} that are most often confused" if matrix is not whole else ""
    )
    return _figure(charts.matrix(rows, matrix.actual, used), f"{arm.name}: accuracy {right}{part}")


def curve_pictures(found: Findings) -> Markup:
    """Loss and accuracy over the training; nothing where no arm was trained by steps."""
    names = [arm.name for arm in found.arms]
    pictures = []
    for title in CURVES:
        rows = [
            {"step": step, "value": value, "arm": arm.name, "words": f"{arm.name}, step {step}: {title} {value:.4f}"}
            for arm in found.arms
            for step, value in arm.curves.get(title, [])
        ]
        if rows:
            pictures.append(_figure(charts.curves(rows, names, title), title[:1].upper() + title[1:]))
    return _side_by_side(pictures)
