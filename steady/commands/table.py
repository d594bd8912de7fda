"""The arms' detail as tables."""

from pathlib import Path

import click

from steady.commands import FOLDER, command


@command()
@click.option("--metrics", type=FOLDER, default="metrics")
@click.option("--md", is_flag=True, help="Print Markdown, for a README.")
def main(metrics: Path, md: bool) -> None:
    """Print the arms side by side: quality, sensitivity per level and family, differences with p, verdicts."""
    from steady.metrics.files import read_metrics
    from steady.metrics.results import Comparison, EvaluateResults, SensitivityResults
    from steady.report import tables

    compared = read_metrics(metrics / "comparison.json", Comparison)
    # the arms of the comparison: a folder left behind by an arm that is gone is not shown
    folders = {name: metrics / "arms" / name for name in compared.arms}
    quality = {name: read_metrics(path / "evaluate.json", EvaluateResults) for name, path in folders.items()}
    moved = {name: read_metrics(path / "sensitivity.json", SensitivityResults) for name, path in folders.items()}
    found = [
        tables.claims_table(compared),
        tables.quality_table(quality),
        *tables.label_tables(quality),
        *tables.generated_tables(quality, compared),
        tables.sensitivity_table(moved),
        tables.steps_table(compared),
    ]
    click.echo("\n\n".join(map(tables.as_markdown if md else tables.as_text, found)))
