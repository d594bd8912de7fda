"""Render the figures of the README and of the guides."""

from pathlib import Path

import click

from steady.commands import command, root_option
from steady.errors import SteadyError


@command()
@root_option
@click.option("--check", is_flag=True, help="Write nothing; exit with 1 where a figure is not the one of metrics/.")
def main(root: Path, check: bool) -> None:
    """Render the figures of README.md and docs/*.md from metrics/, and draw the README's picture."""
    from steady.records import write_bytes
    from steady.report.front_figure import front_figures
    from steady.report.readme import render, replace_blocks
    from steady.report.study import studies

    blocks = render(root / "metrics") | {"studies": studies(root / "metrics")}
    pages = [root / "README.md", *sorted((root / "docs").glob("*.md"))]
    # a file without blocks stays as it is
    wanted = {path: replace_blocks(path.read_text(encoding="utf-8"), blocks) for path in pages}
    wanted |= {root / "docs/figures" / name: drawn for name, drawn in front_figures(root / "metrics").items()}
    for path, after in wanted.items():
        if path.is_file() and path.read_text(encoding="utf-8") == after:
            continue
        if check:
            raise SteadyError(f"{path}: figures are not those of metrics/. Render them: `make readme`.")
        path.parent.mkdir(exist_ok=True)
        write_bytes(path, after.encode())
        click.echo(f"rendered {path}")
