"""Run the pipeline and record where the time goes."""

from pathlib import Path

import click

from steady.errors import SteadyError, reported

PROVENANCE = "metrics/provenance.json"


@click.command()
@click.option("--root", type=click.Path(path_type=Path, file_okay=False), default=Path(), help="The repository.")
@click.option("--force", is_flag=True, help="Run every stage, whether or not anything changed.")
def main(root: Path, force: bool) -> None:
    """Run `dvc repro`, and write the commit and the seconds of every stage that ran to metrics/provenance.json.

    The page shows that file; no other stage reads it. Nothing is written where no stage ran.
    """
    with reported():
        import os
        import subprocess
        import sys

        from steady.records import write_json
        from steady.repro.timing import stage_seconds

        command = [sys.executable, "-m", "dvc", "repro", *(["--force"] if force else [])]
        # Unbuffered, because a line's time is the time at which it is read.
        environment = os.environ | {"PYTHONUNBUFFERED": "1"}
        with subprocess.Popen(command, cwd=root, env=environment, stdout=subprocess.PIPE, text=True) as running:
            assert running.stdout is not None
            seconds = stage_seconds(running.stdout, lambda line: click.echo(line, nl=False))
        if running.returncode:
            raise SteadyError("`dvc repro` failed; the reason stands above.")
        if not seconds:
            click.echo("no stage ran, so there is nothing to record")
            return
        # None outside Git: the seconds are worth recording all the same.
        head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=root, capture_output=True, text=True, check=False)
        write_json(root / PROVENANCE, {"commit": head.stdout.strip() or None, "seconds": seconds})
        click.echo(f"{sum(seconds.values()):.1f} s in all; wrote {PROVENANCE}; `dvc repro report` puts it on the page")
