"""Render the figures of the README and of the guides."""

from pathlib import Path

import click

from steady.commands import command, root_option
from steady.errors import SteadyError


@command()
@root_option
@click.option("--check", is_flag=True, help="Write nothing; exit with 1 where a figure is not the one of metrics/.")
def main(root: Path, check: bool) -> None:
    """Render the figures of README.md and docs/*.md from metrics/."""
    from steady.records import write_bytes
    from steady.report.readme import render, replace_blocks

    blocks = render(root / "metrics")
    for path in [root / "README.md", *sorted((root / "docs").glob("*.md"))]:
        before = path.read_text(encoding="utf-8")
        # a file without blocks stays as it is
        after = replace_blocks(before, blocks)
        if check and after != before:
            raise SteadyError(f"{path}: figures are not those of metrics/. Render them: `make readme`.")
        if after != before:
            write_bytes(path, after.encode())
            click.echo(f"rendered {path}")
