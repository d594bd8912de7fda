"""Methods, seeds and bases as one grid of runs, ending in a table."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from steady.errors import reported

if TYPE_CHECKING:
    from steady.repro.study import Run, Study
    from steady.repro.study_results import StudyResults


@click.command()
@click.argument("path", metavar="STUDY.yaml", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--root", type=click.Path(path_type=Path, file_okay=False), default=Path(), help="The repository.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Default: metrics/study-NAME.json; the tables beside it, as .md.",
)
def main(path: Path, root: Path, out: Path | None) -> None:
    """Run every method of STUDY.yaml with every seed on every base, and write tables with intervals and tests.

    What has run before comes from DVC's cache; a study that was stopped goes on where it was. Each run has a copy of the
    repository under .seeds/.
    """
    with reported():
        from steady.metrics.files import write_metrics
        from steady.records import write_bytes
        from steady.repro.study import grid, prepare_run, read_study
        from steady.repro.study_results import study_text
        from steady.repro.workspaces import reproduce

        study = read_study(path)
        runs = list(grid(study, root))
        for number, run in enumerate(runs, start=1):
            made = "" if prepare_run(study, run, root) else ", going on"
            click.echo(f"{number} of {len(runs)}: {run.base}, seed {run.seed}{made}")
            reproduce(run.folder)
        found = collect(study, runs)
        target = root / (out or f"metrics/study-{study.name}.json")
        write_metrics(target, found)
        text = study_text(found)
        write_bytes(target.with_suffix(".md"), text.encode())
        click.echo(f"{text}\nwrote {target} and {target.with_suffix('.md').name}")


def collect(study: "Study", runs: "list[Run]") -> "StudyResults":
    """Read what the runs left, and test it."""
    from steady.compare.paired import Testing
    from steady.compare.params import CompareStage
    from steady.metrics.resampling import Bootstrap, one_blas_thread
    from steady.metrics.run import read_run
    from steady.models.arm import read_manifest
    from steady.parameters import read_params
    from steady.repro.study_results import StudyResults, methods_of, primary_tests

    settings = read_params(runs[0].folder / "params.yaml", CompareStage)
    own, names = settings.compare, list(study.methods)
    testing = Testing(Bootstrap(own.bootstrap_draws, 1 - own.alpha, 0), own.permutations, own.alpha)
    bases, read = {}, {}
    with one_blas_thread():
        for base in study.bases:
            folders = [run.folder for run in runs if run.base == base]
            read[base] = [
                read_run(names, place / "metrics/arms", place / "reports/arms", folders[0] / "data/formatted")
                for place in folders
            ]
            records = {name: [read_manifest(place / "models" / name).training for place in folders] for name in names}
            bases[base] = methods_of(read[base], records, testing.bootstrap)
        return StudyResults(study.name, study.seeds, bases, primary_tests(read, study.claims, testing))
