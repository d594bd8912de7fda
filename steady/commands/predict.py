"""Ask every arm, side by side."""

from pathlib import Path
from typing import Any

import click

from steady.commands import FILE, command, listed_option, models_option, params_option


@command()
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
@params_option
@models_option
@listed_option
def main(
    arms: tuple[str, ...], wordings: tuple[str, ...], params: Path, models: Path, listed: Path, **asked: Any
) -> None:
    """Ask the arms about TEXTS, the lines of standard input, or the rows of a file: for a label, or for the text that they write.

    The prompt is the training prompt by construction: the arm's own phrasebook, the same renderer; a template that changed
    since the training is refused.
    """
    from steady.serve.asking import Request, open_asker, predict, spare_quantisation

    spare_quantisation(params)
    asker = open_asker(params, models, listed, arms, wordings)
    for line in predict(asker, Request(**asked)):
        click.echo(line)
