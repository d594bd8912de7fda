"""Draw the page: what was found, with its pictures, in one file that opens offline."""

import time
from pathlib import Path

import click

from stages.options import FILE, FOLDER, params_option
from stages.process import stage_process
from steady.errors import reported


@click.command(help=__doc__)
@params_option
@click.option(
    "--metrics", type=FOLDER, default=Path("metrics/arms"), show_default=True, help="Metrics, a folder for each arm."
)
@click.option(
    "--reports", type=FOLDER, default=Path("reports/arms"), show_default=True, help="Predictions and curves, likewise."
)
@click.option("--comparison", type=FILE, default=Path("metrics/comparison.json"), show_default=True)
@click.option("--data", type=FILE, default=Path("metrics/data.json"), show_default=True, help="What prepare counted.")
@click.option(
    "--format", type=FILE, default=Path("metrics/format.json"), show_default=True, help="What format counted."
)
@click.option(
    "--prompts", type=FOLDER, default=Path("data/formatted"), show_default=True, help="The formatted prompts."
)
@click.option("--rejected", type=FILE, default=Path("data/prepared/rejected.jsonl"), show_default=True)
@click.option("--versions", type=FILE, default=Path("requirements.txt"), show_default=True, help="Pinned versions.")
@click.option("--provenance", type=FILE, multiple=True, help="JSON that says from which commit, on what, and how long.")
@click.option("--previews", type=FILE, default=Path("reports/previews.md"), show_default=True)
@click.option("--out", type=FILE, default=Path("reports/index.html"), show_default=True)
def main(provenance: tuple[Path, ...], previews: Path, out: Path, prompts: Path, **places: Path) -> None:  # noqa: D103
    with reported(), stage_process():
        from steady.records import write_bytes
        from steady.report.findings import Places, read_findings
        from steady.report.generated import previews_markdown
        from steady.report.page import render_page

        started = time.perf_counter()
        found = read_findings(Places(formatted=prompts, provenance=provenance, **places))
        page = render_page(found).encode()
        write_bytes(out, page)
        write_bytes(previews, previews_markdown(found.arms).encode())
        seconds = time.perf_counter() - started
        click.echo(f"report: read {len(found.arms)} arms, wrote {out}, {len(page) / 1e6:.2f} MB, in {seconds:.1f} s")


if __name__ == "__main__":
    main()
