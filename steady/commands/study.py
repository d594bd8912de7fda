"""Methods, seeds and bases as one grid of runs, ending in a table."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from steady.commands import FILE, cluster_options, collect_option, command, root_option

if TYPE_CHECKING:
    from steady.repro.study import Run, Study
    from steady.repro.study_results import StudyResults


@command()
@click.argument("path", metavar="STUDY.yaml", type=FILE)
@root_option
@click.option("--out", type=FILE, help="Default: metrics/study-NAME.json; the tables beside it, as .md.")
@collect_option
@cluster_options("local")
def main(path: Path, root: Path, out: Path | None, collect: bool, **given: Any) -> None:
    """Run every method of STUDY.yaml with every seed on every base, and write tables with intervals and tests.

    What has run before comes from DVC's cache; a study that was stopped goes on where it was. Each run has a copy of the
    repository under .cluster/. With --cluster slurm the runs are jobs, and the same command with --collect writes the tables
    when they are done.
    """
    from steady.cluster.copies import Copies, results
    from steady.metrics.files import write_metrics
    from steady.records import write_bytes
    from steady.repro.study import grid, make_run, read_study
    from steady.repro.study_results import study_text

    study = read_study(path)
    runs = grid(study)
    points = [[f"+recipe={run.base}", f"seed={run.seed}"] for run in runs]

    def make(number: int, folder: Path) -> None:
        make_run(study, runs[number], root, folder)

    copies = Copies(f"study-{study.name}", f"steady study {path}", points, make, study.model_dump(mode="json"))
    folders = results(root, copies, given, collect, click.echo)
    if not folders:
        return
    found = summarize(study, list(zip(runs, folders, strict=True)))
    target = root / (out or f"metrics/study-{study.name}.json")
    write_metrics(target, found)
    text = study_text(found)
    write_bytes(target.with_suffix(".md"), text.encode())
    click.echo(f"{text}\nwrote {target} and {target.with_suffix('.md').name}")


def summarize(study: "Study", runs: "list[tuple[Run, Path]]") -> "StudyResults":
    """Read what the runs left, and test it."""
    from steady.compare.paired import Testing
    from steady.compare.params import CompareStage
    from steady.metrics.resampling import Bootstrap, one_blas_thread
    from steady.parameters import read_params
    from steady.repro.study_results import StudyResults, methods_of, primary_tests
    from steady.repro.workspaces import read_runs, training_records

    settings = read_params(runs[0][1] / "params.yaml", CompareStage)
    own, names = settings.compare, list(study.methods)
    testing = Testing(Bootstrap(own.bootstrap_draws, 1 - own.alpha, 0), own.permutations, own.alpha)
    bases, read = {}, {}
    # many small products: threads would wait for each other
    with one_blas_thread():
        for base in study.bases:
            folders = [folder for run, folder in runs if run.base == base]
            read[base] = read_runs(names, folders)
            records = {name: training_records(name, folders) for name in names}
            bases[base] = methods_of(read[base], records, testing.bootstrap)
        return StudyResults(study.name, study.seeds, bases, primary_tests(read, study.claims, testing))
