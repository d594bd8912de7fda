"""The current parameters over several training seeds."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from steady.commands import FILE, cluster_options, collect_option, command, root_option
from steady.errors import SteadyError


@command()
@click.argument("seeds", nargs=-1, type=int, required=True)
@root_option
@click.option("--recipe", help="A name of recipe/; the parameters as they are where none is given.")
@click.option("--out", type=FILE, help="Default: metrics/seeds.json, with a recipe metrics/seeds-RECIPE.json.")
@collect_option
@cluster_options("local")
def main(seeds: tuple[int, ...], root: Path, recipe: str | None, out: Path | None, collect: bool, **given: Any) -> None:
    """Run the pipeline once for each of SEEDS (the data and the prompts stay), and write means, spread and intervals.

    What has run before comes from DVC's cache. Each seed has a copy of the repository under .cluster/. With --cluster slurm the
    seeds are jobs, and the same command with --collect writes the summary when they are done.
    """
    if len(set(seeds)) != len(seeds):
        raise SteadyError(f"seeds: {' '.join(map(str, seeds))} names one twice.")
    from steady.cluster.copies import Copies, results
    from steady.repro.workspaces import make_workspace

    def make(number: int, folder: Path) -> None:
        # the seed of the training alone: data and prompts have seeds of their own, and come from the cache
        make_workspace(root, folder, {"seed": seeds[number]}, recipe)

    name, base = (f"seeds-{recipe}", [f"+recipe={recipe}"]) if recipe else ("seeds", [])
    typed = f"steady seeds {' '.join(map(str, seeds))}{f' --recipe {recipe}' if recipe else ''}"
    copies = Copies(name, typed, [[*base, f"seed={seed}"] for seed in seeds], make)
    folders = results(root, copies, given, collect, click.echo)
    if folders:
        summarize(dict(zip(seeds, folders, strict=True)), root / (out or f"metrics/{name}.json"))


def summarize(folders: Mapping[int, Path], out: Path) -> None:
    """Read what the runs of the seeds left in their folders, and write and print the summary."""
    from steady.compare.params import CompareStage
    from steady.metrics.files import read_metrics, write_metrics
    from steady.metrics.measures import headlines
    from steady.metrics.resampling import Bootstrap
    from steady.metrics.results import Comparison
    from steady.parameters import read_params
    from steady.report.readme import with_spread
    from steady.repro.seeds import over_seeds, verdicts
    from steady.repro.workspaces import read_runs, trainings

    places = list(folders.values())
    settings = read_params(places[0] / "params.yaml", CompareStage)
    compare, names = settings.compare, list(settings.arms)
    runs = dict(zip(folders, read_runs(names, places), strict=True))
    found = over_seeds(runs, Bootstrap(compare.bootstrap_draws, 1 - compare.alpha, settings.seed))
    found.training = trainings(names, places)
    found.claims = verdicts([read_metrics(place / "metrics/comparison.json", Comparison) for place in places])
    write_metrics(out, found)
    for name, endpoints in (found.arms | found.steps).items():
        for measure in headlines():
            # the others are in the file
            if measure.primary:
                click.echo(f"{name} {measure.label}: {with_spread(endpoints[measure.name])}")
    click.echo(f"wrote {out}")
