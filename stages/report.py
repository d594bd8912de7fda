"""Draw the page: what was found, with its pictures, in one file that opens offline."""

import time
from pathlib import Path

import click

from stages.options import file_option, folder_option, params_option
from stages.process import stage_process
from steady.errors import reported


@click.command(help=__doc__)
@params_option
@folder_option("--metrics", default="metrics/arms", help="Metrics, a folder for each arm.")
@folder_option("--reports", default="reports/arms", help="Predictions and curves, likewise.")
@file_option("--comparison", default="metrics/comparison.json")
@file_option("--data", default="metrics/data.json", help="What prepare counted.")
@file_option("--format", default="metrics/format.json", help="What format counted.")
@folder_option("--prompts", default="data/formatted", help="The formatted prompts.")
@file_option("--rejected", default="data/prepared/rejected.jsonl")
@file_option("--versions", default="requirements.txt", help="Pinned versions.")
@file_option("--provenance", multiple=True, help="JSON that says from which commit, on what, and how long.")
@file_option("--previews", default="reports/previews.md")
@file_option("--out", default="reports/index.html")
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
