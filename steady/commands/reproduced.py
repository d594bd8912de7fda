"""Hold the results that lie here against the recorded ones."""

from pathlib import Path

import click

from steady.commands import command, root_option
from steady.errors import SteadyError

ENVIRONMENT = "metrics/environment.json"


@command()
@root_option
@click.option("--bytes", "list_files", is_flag=True, help="List the outputs whose bytes differ.")
@click.option("--record", is_flag=True, help="Record the results that lie here: do so before committing them.")
def main(root: Path, list_files: bool, record: bool) -> None:
    """Hold verdicts and figures against the recorded ones, and exit with 1 where they are not reproduced.

    They are where every verdict is the same and every figure lies within the interval it was recorded with: another processor
    adds floats up in another order, so bytes and last digits may differ. --record writes metrics/recorded.json and
    metrics/environment.json.
    """
    if not record:
        hold_results(root, list_files)
        return
    from steady.metrics.files import write_metrics
    from steady.records import write_json
    from steady.repro.lockfile import lock_entries
    from steady.repro.provenance import environment
    from steady.repro.recorded import RECORD, make_record

    write_metrics(root / RECORD, make_record(root, lock_entries(root)))
    write_json(root / ENVIRONMENT, environment())
    click.echo(f"wrote {RECORD} and {ENVIRONMENT}")


def hold_results(root: Path, list_files: bool = False) -> None:
    """Print whether the results are the recorded ones.

    SteadyError where a verdict is another one, or a figure lies outside its interval.
    """
    from steady.metrics.files import read_metrics
    from steady.metrics.results import Comparison
    from steady.repro import recorded
    from steady.repro.lockfile import lock_entries

    entries = lock_entries(root)
    record = recorded.read_record(root)
    if record is None:
        click.echo("No results are recorded, so there is nothing to hold these against (`steady reproduced --record`).")
        return
    here = recorded.input_digests(root)
    # other settings give other results: there is nothing to hold them against
    if own := [name for name, digest in record.inputs.items() if here[name] != digest]:
        click.echo(
            f"Results of your own: {' and '.join(own)} changed since results were recorded. See reports/index.html."
        )
        return
    changed = recorded.changed_outputs(record.outputs, recorded.output_hashes(entries))
    faults, largest, of = recorded.hold(record, read_metrics(root / recorded.COMPARISON, Comparison))
    verdicts, figures = len(record.verdicts), sum(map(len, record.figures.values()))
    where = f"; bytes differ for {len(changed)} of {len(record.outputs)} outputs: {_causes(root)}" if changed else ""
    # before a fault is raised: the list says where to look
    for path in changed if list_files else ():
        click.echo(f"  {path}")
    if faults:
        count = f"{len(faults)} of {verdicts} verdicts and {figures} figures{where}"
        raise SteadyError("\n  ".join(["not reproduced:", *faults]) + f"\n{count}")
    found = f"{verdicts} verdicts and {figures} figures, all {len(record.outputs)} outputs byte for byte"
    if changed:
        found = (
            f"{verdicts} of {verdicts} verdicts the same, all {figures} figures within their intervals "
            f"(largest difference {largest:.2g}, {of or 'none'}){where}"
        )
    click.echo(f"Reproduced: {found}.")


def _causes(root: Path) -> str:
    """What of the environment is other than that of the recorded results."""
    import json

    import msgspec

    from steady.repro.provenance import changed_values, environment

    path = root / ENVIRONMENT
    before = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    names = [name.removeprefix("packages.") for name, *_ in changed_values(before, msgspec.to_builtins(environment()))]
    same = "other code or kernels, for packages and processor are those of the record"
    return f"other {', '.join(names)}" if names else same
