"""`python -m steady sources`: the formats that `data.sources` may name."""

import click

from steady.commands import command


@command()
def main() -> None:
    """List the formats of raw data, with an example row each."""
    import json

    from steady.prepare import formats

    for name in formats.names():
        module = formats.module(name)
        click.secho(name, fg="green", bold=True)
        click.echo(f"  {' '.join((module.__doc__ or '').split())}")
        click.secho(f"  {json.dumps(module.SAMPLE, ensure_ascii=False)}", fg="blue")
    click.echo(
        "\nFiles: .jsonl, .json, .csv, .tsv, .parquet, .arrow, a folder, a pattern, or hub:OWNER/NAME; the first four also as "
        ".gz, .zst, .zip. Columns with other names: `columns: {text: body}`. Try one: python -m steady check-data PATH --format NAME"
    )
