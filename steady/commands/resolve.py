"""Pin the model to a full commit."""

from pathlib import Path

import click

from steady.errors import reported


@click.command()
@click.option("--revision", help="Branch, tag or commit to pin. Default: what model.revision says, else main.")
@click.option(
    "--params", type=click.Path(path_type=Path, dir_okay=False), default=Path("params.yaml"), show_default=True
)
def main(revision: str | None, params: Path) -> None:
    """Ask the Hub which full commit model.revision is, and write it into params.yaml, so that every later run gets the same."""
    with reported():
        from steady.repro.pinning import pin_revision

        pinned = pin_revision(params, revision)
        if pinned.before == pinned.commit:
            click.echo(f"model.revision is a full commit already: {pinned.commit}")
        else:
            click.echo(f"model.revision: {pinned.before or 'none'} -> {pinned.commit} ({pinned.model_id}, {params})")
