"""Rotate the family of rewordings that training never sees."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from steady.commands import FILE, cluster_options, collect_option, command, root_option


def trained_without(family: str, families: Sequence[str], trained: Sequence[str]) -> list[str]:
    """The families to train on without one: in the order of `params.yaml`, so that what has run there is not run again."""
    return [name for name in dict.fromkeys([*trained, *families]) if name != family and name in families]


@command()
@root_option
@click.option("--out", type=FILE, default="metrics/leave-one-out.json", show_default=False)
@collect_option
@cluster_options("local")
def main(root: Path, out: Path, collect: bool, **given: Any) -> None:
    """Train once for each family of sensitivity.families without it, and write how steady the arms are on it.

    What has run before comes from DVC's cache. Each family has a copy of the repository under .cluster/. With --cluster slurm
    the runs are jobs, and the same command with --collect writes the results when they are done.
    """
    from steady.cluster.copies import Copies, results
    from steady.metrics.files import read_metrics, write_metrics
    from steady.metrics.measures import SENSITIVITY
    from steady.metrics.results import Comparison
    from steady.parameters import read_params
    from steady.prompts.params import FormatStage
    from steady.report.tables import number, p_value
    from steady.repro.workspaces import make_workspace

    view = read_params(root / "params.yaml", FormatStage)
    families = view.sensitivity.families
    trained = [trained_without(family, families, view.format.trained_families) for family in families]

    def make(place: int, folder: Path) -> None:
        # a copy of its own, so that the repository's outputs stay those of the committed run
        make_workspace(root, folder, {"format.trained_families": trained[place]})

    points = [[f"format.trained_families=[{','.join(names)}]"] for names in trained]
    folders = results(root, Copies("leave-one-out", "steady leave-one-out", points, make), given, collect, click.echo)
    if not folders:
        return
    found = {}
    for family, folder in zip(families, folders, strict=True):
        # only the comparison is needed: the copy stays for whoever wants more
        compared = read_metrics(folder / "metrics/comparison.json", Comparison)
        # the family that training did not see is of level 2
        found[family] = {
            name: {row.name: step.levels["L2"][family].measures[row.name] for row in SENSITIVITY if row.headline}
            for name, step in compared.steps.items()
        }
    write_metrics(root / out, {"held_out_family": found})
    for family, steps in found.items():
        for name, measures in steps.items():
            entry = measures["agreement"]
            click.echo(f"{family} {name}: agreement {number(entry.from_)} -> {number(entry.to)}, p {p_value(entry.p)}")
    click.echo(f"wrote {root / out}")
