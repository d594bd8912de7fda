"""The metric files as tables for a terminal or a Markdown page; columns are the measures of `steady.metrics.measures`."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, TypeVar

from steady.metrics.cells import LEVELS
from steady.metrics.measures import QUALITY, SENSITIVITY, TEXT, in_tables, on_page
from steady.metrics.resampling import Estimate
from steady.metrics.results import (
    CellResults,
    CellStep,
    Comparison,
    Differences,
    EvaluateResults,
    GeneratedQuality,
    SensitivityResults,
    SplitQuality,
    Step,
)

NOTHING = "–"
COUNTS = {
    "true_positive": "found",
    "false_negative": "missed",
    "false_positive": "wrongly given",
    "true_negative": "rightly not given",
}
AnyCell = TypeVar("AnyCell", CellResults, CellStep)


class Table(NamedTuple):
    """A title, the names of the columns, and rows of as many cells."""

    title: str
    header: list[str]
    rows: list[list[str]]


def quality_table(arms: Mapping[str, EvaluateResults]) -> Table:
    """Task quality on the test split: a row for each arm and each reference."""
    shown = [row for row in in_tables(QUALITY) if not row.of_sets]

    def cells(name: str, found: SplitQuality) -> list[str]:
        return [name, *(estimated(found.measures[row.name]) for row in shown)]

    rows = [[*cells(name, found.test), percent(found.trainable_percent)] for name, found in arms.items()]
    # the same for every arm: they know nothing of the model
    references = next(iter(arms.values())).references
    rows += [[*cells(name, found), NOTHING] for name, found in references.items()]
    return Table("Task quality, test split", ["arm", *(row.label for row in shown), "trainable"], rows)


def sensitivity_table(arms: Mapping[str, SensitivityResults]) -> Table:
    """Sensitivity of the arms, level by level and family by family."""
    shown = in_tables(SENSITIVITY)
    cells = {name: dict(_cells(found.held_out, found.levels)) for name, found in arms.items()}
    rows = []
    for place in next(iter(cells.values())):
        for name, found in cells.items():
            numbers = [(row, found[place].measures[row.name]) for row in shown]
            # intervals of the measures that speak for an arm: a table with all of them is wider than a terminal
            shorter = [estimated(value) if row.headline else number(value.value) for row, value in numbers]
            rows.append([place, name, *shorter])
    return Table("Sensitivity to the wording", ["level, family", "arm", *(row.label for row in shown)], rows)


def steps_table(comparison: Comparison) -> Table:
    """Differences of arm to arm, with the p of each; not corrected, exploratory."""
    tested = [row for row in on_page(SENSITIVITY) if row.test]
    names, steps = [row.name for row in tested], list(comparison.steps.values())
    rows = [_step_row("test split", step, step.quality.measures, ["accuracy"], len(tested)) for step in steps]
    for step in steps:
        cells = _cells(step.held_out, step.levels)
        rows += [_step_row(place, step, cell.measures, names, len(tested)) for place, cell in cells]
    # all steps of one cell stand below one another, in the order of the cells
    order = list(dict.fromkeys(row[0] for row in rows))
    rows.sort(key=lambda row: order.index(row[0]))
    header = ["level, family", "step", *(cell for row in tested for cell in (f"{row.label} difference", "p"))]
    return Table("Differences (exploratory, p not corrected)", header, rows)


def _step_row(place: str, step: Step, measures: Differences, names: Sequence[str], columns: int) -> list[str]:
    row = [place, f"{step.from_} → {step.to}"]
    for name in names:
        row += [estimated(measures[name].difference, signed=True), p_value(measures[name].p)]
    return row + [NOTHING] * (2 + 2 * columns - len(row))


def label_tables(arms: Mapping[str, EvaluateResults]) -> list[Table]:
    """The tables, from the results of the arms; none where a row has one label."""
    # with one label a row the confusion matrix says it all
    if not all(found.multi_label for found in arms.values()):
        return []
    # scores of whole sets (accuracy: all labels right): a row for each arm and each reference
    measures = [*on_page(QUALITY), *(row for row in QUALITY if row.of_sets)]
    first = next(iter(arms.values()))
    scored = {name: found.test for name, found in arms.items()} | first.references
    sets = [[name, *(estimated(found.measures[row.name]) for row in measures)] for name, found in scored.items()]
    # each label, arm by arm: precision, recall, F1, and the two-by-two counts of its rows
    rows = []
    for label in first.labels:
        for name, found in arms.items():
            scores = found.test.per_class[label]
            estimates = [estimated(one) for one in (scores.precision, scores.recall, scores.f1)]
            counts = [str(getattr(scores, key)) for key in COUNTS]
            rows.append([label, name, str(scores.support), *estimates, *counts])
    header = ["label", "arm", "rows", "precision", "recall", "F1", *COUNTS.values()]
    return [
        Table("Sets of labels, test split", ["arm", *(row.label for row in measures)], sets),
        Table("Every label by itself, test split", header, rows),
    ]


def generated_tables(arms: Mapping[str, EvaluateResults], comparison: Comparison) -> list[Table]:
    """What the arms write when nothing constrains them, on the test split, and the differences from arm to arm."""
    writing = {
        name: found.generated
        for name, found in arms.items()
        if isinstance(found.generated, GeneratedQuality) and found.within_words is not None
    }
    if not writing:
        return []
    # whether a measure has a value depends on the data, not on the arm
    first = next(iter(writing.values()))
    measures = [row for row in TEXT if first.test[row.name].value is not None]
    names = [*(row.name for row in measures), "distinct_answers"]
    rows = [[arm, *(estimated(found.test[name]) for name in names)] for arm, found in writing.items()]
    limit = f" (short: at most {first.within_words_limit} words)"
    written = ["arm", *(row.label for row in measures), "distinct answers"]
    steps = [step for step in comparison.steps.values() if step.generated.rows]
    moved = []
    for row in measures:
        tests = [step.generated.measures[row.name] for step in steps]
        cells = [[estimated(one.difference, signed=True), p_value(one.p)] for one in tests]
        moved.append([row.label, *(cell for pair in cells for cell in pair)])
    header = ["measure", *(cell for step in steps for cell in (f"{step.from_} → {step.to}", "p"))]
    return [
        Table(f"Free answers to the test prompts{limit}", written, rows),
        Table("Free answers, differences (exploratory, p not corrected)", header, moved),
    ]


def claims_table(comparison: Comparison) -> Table:
    """The verdicts on the primary claims."""
    header = ["claim", "verdict", "difference", "p (Holm)", "could have seen"]
    rows = []
    for claim in comparison.claims:
        moved = estimated(claim.difference, signed=True)
        rows.append([claim.id, claim.verdict, moved, p_value(claim.p_holm), number(claim.smallest_detectable)])
    return Table("Claims", header, rows)


def _cells(held_out: AnyCell, levels: Mapping[str, Mapping[str, AnyCell]]) -> Iterator[tuple[str, AnyCell]]:
    yield "held-out, all", held_out
    for level in reversed(LEVELS):  # L2 first: claims of steadiness are about it
        for family, cell in levels[level].items():
            yield f"{level}, {family}", cell


def number(value: float | None, signed: bool = False) -> str:
    """Three decimals without a leading zero, a dash for null."""
    if value is None:
        return NOTHING
    text = f"{value:+.3f}" if signed else f"{value:.3f}"
    # 0.9996 is shown as 1.000, in which "0." is no leading zero
    return text.replace("0.", ".", 1) if abs(value) < 1 and not text.lstrip("+-").startswith("1") else text


def estimated(found: Estimate | None, signed: bool = False) -> str:
    """A value with its interval."""
    if found is None or found.value is None:
        return NOTHING
    bounds = f" [{number(found.interval[0])} {number(found.interval[1])}]" if found.interval else ""
    return number(found.value, signed) + bounds


def p_value(value: float | None) -> str:
    """A p-value with two significant digits."""
    return NOTHING if value is None else f"{value:.2g}"


def percent(value: float | None) -> str:
    """A share in percent."""
    return NOTHING if value is None else f"{value:.2f} %"


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def as_text(table: Table) -> str:
    """Columns padded to one width, for a terminal."""
    lines = [table.header, *table.rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(table.header))]
    shown = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    return "\n".join([table.title, "", shown[0], "  ".join("-" * width for width in widths), *shown[1:]])


def as_markdown(table: Table) -> str:
    """A Markdown table under a heading."""
    return f"### {table.title}\n\n{markdown_table(table.header, table.rows)}"
