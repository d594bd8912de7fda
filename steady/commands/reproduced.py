"""Compare the outputs of the last run with the committed ones."""

import json
from pathlib import Path

import click

from steady.errors import SteadyError, reported

HEADLINE = "metrics/headline.json"
ENVIRONMENT = "metrics/environment.json"


@click.command()
@click.option("--root", type=click.Path(path_type=Path, file_okay=False), default=Path(), help="The repository.")
@click.option("--strict", is_flag=True, help="Exit with 1 where an output differs.")
@click.option(
    "--record", is_flag=True, help=f"Write this environment to {ENVIRONMENT}: do so before committing results."
)
def main(root: Path, strict: bool, record: bool) -> None:
    """Compare the outputs that dvc.lock records with those of the last commit: identical, or every difference."""
    with reported():
        from steady.records import write_json
        from steady.repro.lockfile import read_lock
        from steady.repro.provenance import changed_outputs, committed, environment

        if record:
            write_json(root / ENVIRONMENT, environment())
            click.echo(f"wrote {ENVIRONMENT}")
            return
        lock = root / "dvc.lock"
        if not lock.is_file():
            raise SteadyError(f"{lock}: no such file. Run `dvc repro` first.")
        after = read_lock(lock.read_text(encoding="utf-8"), str(lock))
        recorded = committed(root, "dvc.lock")
        if recorded is None:
            click.echo("no results are committed yet, so there is nothing to compare with")
            return
        before = read_lock(recorded, "HEAD:dvc.lock")
        outputs = [entry.path for entry in after if entry.written]
        changed = changed_outputs(before, after)
        if not changed:
            click.echo(f"identical to the committed results: all {len(outputs)} outputs, byte for byte")
            return
        _show_differences(root, changed, len(outputs))
        # By default a difference is no failure: another processor gives other last digits.
        if strict:
            raise SteadyError(f"{len(changed)} outputs differ from the committed ones")


def _show_differences(root: Path, changed: list[str], total: int) -> None:
    """Print what differs: files, headline figures, parameters, environments."""
    import msgspec

    from steady.repro.provenance import changed_json, changed_values, committed, environment

    click.echo(f"{len(changed)} of {total} outputs differ from the committed results:")
    for path in changed:
        click.echo(f"  {path}")
    for name, old, new in changed_json(root, HEADLINE):
        click.echo(f"  {HEADLINE}: {name}: committed {old}, here {new}")
    # Stated, since other parameters explain every other difference.
    if committed(root, "params.yaml") != (root / "params.yaml").read_text(encoding="utf-8"):
        click.echo("params.yaml is not the committed one, so differences are expected")
    recorded = committed(root, ENVIRONMENT)
    here = msgspec.to_builtins(environment())
    differences = changed_values(json.loads(recorded), here) if recorded else []
    click.echo(f"environment: {len(differences)} differences from the one of the committed results")
    for name, old, new in differences:
        click.echo(f"  {name}: committed {old}, here {new}")
