"""Pin the model to a full commit."""

from pathlib import Path

import click

from steady.commands import command, params_option


@command()
@click.option("--revision", help="Branch, tag or commit to pin. Default: what model.revision says, else main.")
@params_option
def main(revision: str | None, params: Path) -> None:
    """Ask the Hub which full commit model.revision is, and write it into params.yaml, so that every later run gets the same."""
    from steady.repro.pinning import pin_revision

    pinned = pin_revision(params, revision)
    if pinned.before == pinned.commit:
        click.echo(f"model.revision is a full commit already: {pinned.commit}")
    else:
        click.echo(f"model.revision: {pinned.before or 'none'} -> {pinned.commit} ({pinned.model_id}, {params})")
