"""Ask every arm, side by side."""

from pathlib import Path

import click

from steady.errors import reported

FILE = click.Path(path_type=Path, dir_okay=False)
FOLDER = click.Path(path_type=Path, file_okay=False)


@click.command()
@click.argument("texts", nargs=-1)
@click.option("--in", "source", type=FILE, help="JSONL or CSV with a text in each row, instead of TEXTS.")
@click.option(
    "--column", help="Field of the text; found where a row has one of text, input, question, message, prompt."
)
@click.option("--out", type=FILE, help="JSONL or CSV to write: the rows, with every arm's label, probability and text.")
@click.option("--arm", "arms", multiple=True, help="Ask this arm alone; may be repeated. Default: every arm.")
@click.option(
    "--wording",
    "wordings",
    multiple=True,
    help="A wording's id, a family, or `all`; may be repeated. Default: canonical.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON Lines with all log-probabilities.")
@click.option("--params", type=FILE, default=Path("params.yaml"), show_default=True)
@click.option("--models", type=FOLDER, default=Path("models"), show_default=True, help="The arms' folders.")
@click.option(
    "--listed", type=FILE, default=Path("data/formatted/wordings.jsonl"), show_default=True, help="All wordings."
)
def main(
    texts: tuple[str, ...],
    source: Path | None,
    column: str | None,
    out: Path | None,
    arms: tuple[str, ...],
    wordings: tuple[str, ...],
    as_json: bool,
    params: Path,
    models: Path,
    listed: Path,
) -> None:
    """Ask the arms about TEXTS, the lines of standard input, or the rows of a file: for a label, or for the text that they write.

    The prompt is the training prompt by construction: the arm's own phrasebook, the same renderer; a template that changed
    since the training is refused.
    """
    with reported():
        from steady.serve.asking import Request, open_asker, predict, spare_quantisation

        spare_quantisation(params)
        asker = open_asker(params, models, listed, arms, wordings)
        request = Request(texts=texts, source=source, column=column, out=out, as_json=as_json)
        for line in predict(asker, request):
            click.echo(line)
