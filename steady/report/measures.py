"""The tables of `docs/measures.md`: every measure with its formula, from the one table of measures."""

from collections.abc import Sequence

from steady.metrics.measures import QUALITY, SENSITIVITY, TEXT


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def measures_tables() -> str:
    """Every measure with its formula, by kind."""
    kinds = {"Quality": QUALITY, "Sensitivity": SENSITIVITY, "Generated text": TEXT}
    header = ["measure", "formula", "unit", "better", "test", "source"]
    tables = []
    for title, measures in kinds.items():
        rows = []
        for row in measures:
            said = [row.unit, row.better, row.test or "–", row.source or "–"]
            rows.append([f"{row.label} (`{row.name}`)", _cell(row.formula), *said])
        tables.append(f"## {title}\n\n{markdown_table(header, rows)}")
    return "\n\n".join(tables)


def _cell(text: str) -> str:
    # a bar would end the cell, and an underscore or a star would be taken for Markdown
    return text.replace("|", "\\|").replace("_", "\\_").replace("*", "\\*")
