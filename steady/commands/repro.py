"""Run the pipeline and say whether it gave the recorded results."""

from pathlib import Path

import click

from steady.commands import command, root_option

PROVENANCE = "metrics/provenance.json"


@command()
@root_option
@click.option("--force", is_flag=True, help="Run every stage, whether or not anything changed.")
@click.option("--profile", is_flag=True, help=f"Write the commit and the seconds of every stage to {PROVENANCE}.")
def main(root: Path, force: bool, profile: bool) -> None:
    """Run `dvc repro` with a few lines a stage, then hold the results against the recorded ones.

    Exits with 1 where a stage failed, a verdict is another one, or a figure lies outside its interval.
    """
    import subprocess

    from steady.commands.reproduced import hold_results
    from steady.records import write_json
    from steady.repro.pipeline import duration, remember, run_pipeline, unchanged

    if not force and unchanged(root):
        click.echo("Nothing has changed since the last run.")
    else:
        seconds = run_pipeline(root, force, click.echo)
        # so that the next call can say in a moment that nothing has changed
        remember(root)
        total = duration(sum(seconds.values()))
        click.echo(f"{len(seconds)} stages ran, in {total}." if seconds else "Everything was up to date.")
        if profile and seconds:
            # None outside Git: the seconds are worth recording all the same.
            head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=root, capture_output=True, text=True, check=False)
            write_json(root / PROVENANCE, {"commit": head.stdout.strip() or None, "seconds": seconds})
            click.echo(f"wrote {PROVENANCE}; `dvc repro report` puts it on the page")
    hold_results(root)
