"""Look at what the model is given."""

from pathlib import Path
from typing import Literal

import click

from steady.commands import FOLDER, command, listed_option, params_option


@command()
@click.argument("ids", nargs=-1)
@click.option("--split", type=click.Choice(["train", "validation", "test"]), default="train")
@click.option("--wording", "wordings", multiple=True, help="A wording's id, a family, or `all`; default: canonical.")
@click.option("--rows", type=click.IntRange(min=1), default=3, help="How many rows, where no id is given.")
@click.option(
    "--lengths", is_flag=True, help="Only the lengths: of every row of the split under the wordings asked for."
)
@params_option
@click.option("--prepared", type=FOLDER, default="data/prepared")
@listed_option
def main(
    ids: tuple[str, ...],
    split: Literal["train", "validation", "test"],
    wordings: tuple[str, ...],
    rows: int,
    lengths: bool,
    **places: Path,
) -> None:
    """Show rendered prompts as the model reads them: tokens in turn underlined, special ones and what is cut marked.

    IDS are ids of examples or of their groups, or the beginnings of them; the split is searched for them, then the others.
    """
    from steady.inspection.prompts import lengths_table, open_inspection, shown_row

    inspection = open_inspection(**places, split=split, selectors=wordings)
    # a table, for nobody reads a thousand prompts to see how long they are
    if lengths:
        click.echo(lengths_table(inspection))
        return
    for example in inspection.select(ids, rows):
        for wording in inspection.wordings_of(example):
            click.echo("".join(click.style(text, **style) for text, style in shown_row(inspection, example, wording)))
