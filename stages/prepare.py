"""Raw files to clean, split examples."""

from pathlib import Path

import click

from stages.options import file_option, params_option
from stages.process import stage_process
from steady.errors import reported


@click.command()
@params_option
@file_option("--train", required=True, help="Examples to train on, written.")
@file_option("--validation", required=True, help="Examples to tune on, written.")
@file_option("--test", required=True, help="Examples to score for the record, written.")
@file_option("--rejected", required=True, help="Rows that were not accepted, with the reason, written.")
@file_option("--metrics", required=True, help="What was counted, written.")
def main(params: Path, train: Path, validation: Path, test: Path, rejected: Path, metrics: Path) -> None:
    """Read the sources, reject what is wrong, keep copies and groups together, and split."""
    # Imports stand within, so that `--help` and a mistyped option need no library.
    with reported(), stage_process():
        import time

        from steady.parameters import read_params
        from steady.prepare.params import PrepareParams
        from steady.prepare.prepare import Outputs, prepare

        started = time.perf_counter()
        settings = read_params(params, PrepareParams)
        outputs = Outputs({"train": train, "validation": validation, "test": test}, rejected, metrics)
        summary = prepare(settings.data, settings.data.seed, outputs)
        rows, splits = summary.rows, summary.splits
        sizes = ", ".join(f"{name} {split.rows}" for name, split in splits.items())
        click.echo(
            f"prepare: read {rows['read']} rows of {len(settings.data.sources)} sources, {rows['accepted']} accepted "
            f"({sizes}), {rows['rejected']} rejected, {rows['duplicates']} duplicates, "
            f"{rows['left_out']} left out, in {time.perf_counter() - started:.1f} s"
        )
        known = {label for split in splits.values() for label in split.labels}
        advice = "it can be missed and never learned. Add rows of it, or leave it out."
        for label in sorted(known - set(splits["train"].labels)):
            click.echo(f"label {label!r} has no row in train: {advice}")


if __name__ == "__main__":
    main()
