"""Methods, seeds and bases as one grid of runs, ending in a table."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from steady.commands import FILE, command, root_option

if TYPE_CHECKING:
    from steady.repro.study import Run, Study
    from steady.repro.study_results import StudyResults


@command()
@click.argument("path", metavar="STUDY.yaml", type=FILE)
@root_option
@click.option("--out", type=FILE, help="Default: metrics/study-NAME.json; the tables beside it, as .md.")
def main(path: Path, root: Path, out: Path | None) -> None:
    """Run every method of STUDY.yaml with every seed on every base, and write tables with intervals and tests.

    What has run before comes from DVC's cache; a study that was stopped goes on where it was. Each run has a copy of the
    repository under .seeds/.
    """
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
    from steady.parameters import read_params
    from steady.repro.study_results import StudyResults, methods_of, primary_tests
    from steady.repro.workspaces import read_runs, training_records

    settings = read_params(runs[0].folder / "params.yaml", CompareStage)
    own, names = settings.compare, list(study.methods)
    testing = Testing(Bootstrap(own.bootstrap_draws, 1 - own.alpha, 0), own.permutations, own.alpha)
    bases, read = {}, {}
    # many small products: threads would wait for each other
    with one_blas_thread():
        for base in study.bases:
            folders = [run.folder for run in runs if run.base == base]
            read[base] = read_runs(names, folders)
            records = {name: training_records(name, folders) for name in names}
            bases[base] = methods_of(read[base], records, testing.bootstrap)
        return StudyResults(study.name, study.seeds, bases, primary_tests(read, study.claims, testing))
