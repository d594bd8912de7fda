"""The metric files as tables for a terminal or a Markdown page."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from steady.metrics.cells import HELD_OUT, LEVELS

Metrics = Mapping[str, Any]
NOTHING = "–"
MEASURED = {
    "accuracy": "mean_accuracy",
    "worst wording": "worst_wording_accuracy",
    "agreement": "agreement",
    "POSIX": "posix",
    "POSIX scaled": "posix_scaled",
}
TESTED = ("mean_accuracy", "agreement", "posix")


class Table(NamedTuple):
    """A title, the names of the columns, and rows of as many cells."""

    title: str
    header: list[str]
    rows: list[list[str]]


def quality_table(arms: Mapping[str, Metrics]) -> Table:
    """Task quality on the test split: a row for each arm (its `evaluate.json`) and each reference."""
    header = ["arm", "accuracy", "macro F1", "weighted F1", "log loss", "ECE", "no label", "trainable"]
    rows = [
        [*_quality_row(name, found["test"]), percent(found.get("trainable_percent"))] for name, found in arms.items()
    ]
    references = next(iter(arms.values())).get("references", {})
    return Table(
        "Task quality, test split",
        header,
        rows + [[*_quality_row(name, found), NOTHING] for name, found in references.items()],
    )


def _quality_row(name: str, found: Metrics) -> list[str]:
    measures = ("accuracy", "macro_f1", "weighted_f1", "log_loss", "expected_calibration_error")
    return [name, *(estimated(found[measure]) for measure in measures), number(found["unparsed"]["value"])]


def sensitivity_table(arms: Mapping[str, Metrics]) -> Table:
    """Sensitivity of the arms (their `sensitivity.json`), level by level and family by family."""
    header = ["level, family", "arm", *MEASURED, "spread"]
    rows = []
    cells = {name: dict(_cells(found)) for name, found in arms.items()}
    for place in next(iter(cells.values())):
        for name, found in cells.items():
            measures = found[place]["measures"]
            shown = [estimated(measures[measure]) for measure in MEASURED.values()]
            rows.append([place, name, *shown, number(measures["spread"]["value"])])
    return Table("Sensitivity to the wording", header, rows)


def steps_table(comparison: Metrics) -> Table:
    """Differences of arm to arm (`comparison.json`), with the p of each; not corrected, exploratory."""
    header = ["level, family", "step"]
    for name in ("accuracy", "agreement", "POSIX"):
        header += [f"{name} difference", "p"]
    rows = [_step_row("test split", step, step["quality"]["measures"], ("accuracy",)) for step in _steps(comparison)]
    for step in _steps(comparison):
        rows += [_step_row(place, step, cell["measures"], TESTED) for place, cell in _cells(step)]
    order = list(dict.fromkeys(row[0] for row in rows))
    rows.sort(key=lambda row: order.index(row[0]))
    return Table("Differences (exploratory, p not corrected)", header, rows)


def _steps(comparison: Metrics) -> list[Metrics]:
    return list(comparison["steps"].values())


def _step_row(place: str, step: Metrics, measures: Metrics, names: Sequence[str]) -> list[str]:
    row = [place, f"{step['from']} → {step['to']}"]
    for name in names:
        row += [estimated(measures[name]["difference"], signed=True), p_value(measures[name].get("p"))]
    return row + [NOTHING] * (2 + 2 * len(TESTED) - len(row))


def claims_table(comparison: Metrics) -> Table:
    """The verdicts on the primary claims."""
    header = ["claim", "verdict", "difference", "p (Holm)", "could have seen"]
    rows = [
        [
            claim["id"],
            claim["verdict"],
            estimated(claim.get("difference"), signed=True),
            p_value(claim.get("p_holm")),
            number(claim.get("smallest_detectable")),
        ]
        for claim in comparison["claims"]
    ]
    return Table("Claims", header, rows)


def _cells(found: Metrics) -> Iterator[tuple[str, Metrics]]:
    yield "held-out, all", found[HELD_OUT]
    for level in reversed(LEVELS):
        for family, cell in found["levels"][level].items():
            yield f"{level}, {family}", cell


def number(value: float | None, signed: bool = False) -> str:
    """Three decimals without a leading zero, a dash for null."""
    if value is None:
        return NOTHING
    text = f"{value:+.3f}" if signed else f"{value:.3f}"
    return text.replace("0.", ".", 1) if abs(value) < 1 and not text.lstrip("+-").startswith("1") else text


def estimated(found: Metrics | None, signed: bool = False) -> str:
    """A value with its interval."""
    if found is None or found["value"] is None:
        return NOTHING
    interval = found["interval"]
    bounds = f" [{number(interval[0])} {number(interval[1])}]" if interval else ""
    return number(found["value"], signed) + bounds


def p_value(value: float | None) -> str:
    """A p-value with two significant digits."""
    return NOTHING if value is None else f"{value:.2g}"


def percent(value: float | None) -> str:
    """A share in percent."""
    return NOTHING if value is None else f"{value:.2f} %"


def as_text(table: Table) -> str:
    """Columns padded to one width, for a terminal."""
    lines = [table.header, *table.rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(table.header))]
    shown = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    return "\n".join([table.title, "", shown[0], "  ".join("-" * width for width in widths), *shown[1:]])


def as_markdown(table: Table) -> str:
    """A Markdown table under a heading."""
    lines = [table.header, ["---"] * len(table.header), *table.rows]
    return "\n".join([f"### {table.title}", "", *("| " + " | ".join(line) + " |" for line in lines)])
