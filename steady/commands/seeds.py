"""The current parameters over several training seeds."""

from collections.abc import Mapping
from pathlib import Path

import click

from steady.errors import SteadyError, reported

FOLDER = Path(".seeds")


@click.command()
@click.argument("seeds", nargs=-1, type=int, required=True)
@click.option("--root", type=click.Path(path_type=Path, file_okay=False), default=Path(), help="The repository.")
@click.option("--recipe", help="A name of recipe/; the parameters as they are where none is given.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Default: metrics/seeds.json, with a recipe metrics/seeds-RECIPE.json.",
)
def main(seeds: tuple[int, ...], root: Path, recipe: str | None, out: Path | None) -> None:
    """Run the pipeline once for each of SEEDS (the data and the prompts stay), and write means, spread and intervals.

    What has run before comes from DVC's cache. Each seed has a copy of the repository under .seeds/.
    """
    with reported():
        if len(set(seeds)) != len(seeds):
            raise SteadyError(f"seeds: {' '.join(map(str, seeds))} names one twice.")
        from steady.repro.workspaces import make_workspace, reproduce

        folders = {seed: root / FOLDER / (recipe or "") / f"seed-{seed}" for seed in seeds}
        for seed, folder in folders.items():
            click.echo(f"seed {seed}")
            make_workspace(root, folder, {"seed": seed}, recipe)
            reproduce(folder)
        collect(folders, root / (out or f"metrics/seeds{f'-{recipe}' if recipe else ''}.json"))


def collect(folders: Mapping[int, Path], out: Path) -> None:
    """Read what the runs of the seeds left in their folders, and write and print the summary."""
    from steady.compare.params import CompareStage
    from steady.metrics.files import read_metrics, write_metrics
    from steady.metrics.measures import headlines
    from steady.metrics.resampling import Bootstrap
    from steady.metrics.results import Comparison
    from steady.metrics.run import read_run
    from steady.metrics.seed_results import Training
    from steady.models.arm import read_manifest
    from steady.parameters import read_params
    from steady.report.readme import with_spread as over_seeds_text
    from steady.repro.seeds import over_seeds, verdicts

    one = next(iter(folders.values()))
    settings = read_params(one / "params.yaml", CompareStage)
    compare, names = settings.compare, list(settings.arms)
    runs = {
        seed: read_run(names, place / "metrics/arms", place / "reports/arms", one / "data/formatted")
        for seed, place in folders.items()
    }
    found = over_seeds(runs, Bootstrap(compare.bootstrap_draws, 1 - compare.alpha, settings.seed))
    for name in names:
        records = [read_manifest(place / "models" / name).training for place in folders.values()]
        found.training[name] = [
            Training(record.get("steps"), record.get("truncation", {}).get("tokens_shown")) for record in records
        ]
    comparisons = [read_metrics(place / "metrics/comparison.json", Comparison) for place in folders.values()]
    found.claims = verdicts(comparisons)
    write_metrics(out, found)
    for name, endpoints in (found.arms | found.steps).items():
        for measure in headlines():
            entry = endpoints[measure.name]
            if measure.primary:
                click.echo(f"{name} {measure.label}: {over_seeds_text(entry)}")
    click.echo(f"wrote {out}")
