"""Compute every measure of saved runs again, without a model."""

from pathlib import Path

import click

from steady.errors import reported


@click.command()
@click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path, file_okay=False))
@click.option("--draws", type=click.IntRange(min=100), default=2000, show_default=True, help="Bootstrap draws.")
@click.option(
    "--confidence",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.95,
    show_default=True,
    help="Of intervals.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of the bootstrap.")
def main(folders: tuple[Path, ...], draws: int, confidence: float, seed: int) -> None:
    """Compute every measure in FOLDERS again from the saved matrices and answers; writes measures.json and index.html."""
    with reported():
        from steady.measure.measure import summarise
        from steady.measure.page import tables

        click.echo(tables([summarise(folder, draws, confidence, seed) for folder in folders]))
