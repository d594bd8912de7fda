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
    """Read what the seeds left behind in their folders, summarise and tell."""
    from steady.compare.params import CompareStage
    from steady.compare.results import read_arms, read_formatted
    from steady.metrics.files import read_metrics, write_metrics
    from steady.metrics.resampling import Bootstrap
    from steady.models.arm import read_manifest
    from steady.parameters import read_params
    from steady.repro.seeds import over_seeds, shown_in_training, verdicts

    one = next(iter(folders.values()))
    settings = read_params(one / "params.yaml", CompareStage)
    formatted = read_formatted(one / "data" / "formatted")
    runs = {
        seed: {arm.name: arm for arm in read_arms(list(settings.arms), place / "metrics", place / "reports", formatted)}
        for seed, place in folders.items()
    }
    compare = settings.compare
    found = over_seeds(runs, Bootstrap(compare.bootstrap_draws, 1 - compare.alpha, settings.seed))
    found["training"] = {
        arm: [shown_in_training(read_manifest(place / "models" / arm).training) for place in folders.values()]
        for arm in settings.arms
    }
    compared = {seed: read_metrics(place / "metrics" / "comparison.json") for seed, place in folders.items()}
    write_metrics(out, found | {"claims": verdicts(compared)})
    for name, endpoints in (found["arms"] | found["steps"]).items():
        for endpoint in ("accuracy", "mean_accuracy", "agreement"):
            entry = endpoints[endpoint]
            low, high = entry["interval"]
            click.echo(f"{name} {endpoint}: {entry['value']:.3f} [{low:.3f}, {high:.3f}], std {entry['std']:.3f}")
    click.echo(f"wrote {out}")
