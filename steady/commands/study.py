"""Methods, seeds and bases as one grid of runs, ending in tables and a page."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from steady.commands import FILE, cluster_options, collect_option, command, root_option

if TYPE_CHECKING:
    from steady.metrics.study_results import StudyResults
    from steady.repro.study import Run, Study


@command()
@click.argument("path", metavar="STUDY.yaml", type=FILE)
@root_option
@click.option("--out", type=FILE, help="Default: metrics/study-NAME.json.")
@collect_option
@cluster_options("local")
def main(path: Path, root: Path, out: Path | None, collect: bool, **given: Any) -> None:
    """Run every method of STUDY.yaml with every seed on every base, and write tables and a page with intervals and tests.

    What has run before comes from DVC's cache; a study that was stopped goes on where it was. Each run has a copy of the
    repository under .cluster/. With --cluster slurm the runs are jobs, and the same command with --collect writes the
    results when they are done. `steady readme` renders the tables into docs/results.md.
    """
    from steady.cluster.copies import Copies, results
    from steady.metrics.files import write_metrics
    from steady.records import write_bytes
    from steady.report.study import study_page, study_text
    from steady.repro.study import grid, make_run, read_study

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
    page = root / f"reports/study-{study.name}.html"
    write_metrics(target, found)
    text = study_text(found)
    page.parent.mkdir(exist_ok=True)
    write_bytes(page, study_page(found).encode())
    click.echo(f"{text}\nwrote {target} and {page}")


def summarize(study: "Study", runs: "list[tuple[Run, Path]]") -> "StudyResults":
    """Read what the runs left, and test it."""
    from steady.compare.paired import Testing
    from steady.compare.params import CompareStage
    from steady.metrics.resampling import Bootstrap, one_blas_thread
    from steady.metrics.study_results import StudyResults
    from steady.parameters import read_params
    from steady.repro.primary_tests import primary_tests
    from steady.repro.seeds import over_seeds
    from steady.repro.workspaces import read_runs, trainings

    settings = read_params(runs[0][1] / "params.yaml", CompareStage)
    own, names = settings.compare, list(study.methods)
    testing = Testing(Bootstrap(own.bootstrap_draws, 1 - own.alpha, 0), own.permutations, own.alpha)
    bases, read, degenerate = {}, {}, {}
    # many small products: threads would wait for each other
    with one_blas_thread():
        for base in study.bases:
            folders = [folder for run, folder in runs if run.base == base]
            read[base] = read_runs(names, folders)
            # every method against the first one
            pairs = [(names[0], name) for name in names[1:]]
            bases[base] = over_seeds(dict(zip(study.seeds, read[base], strict=True)), testing.bootstrap, pairs)
            bases[base].training = trainings(names, folders)
            degenerate[base] = {
                name: sum(run.by_name[name].sensitivity.degeneracy.degenerate for run in read[base]) for name in names
            }
        return StudyResults(study.name, study.seeds, bases, degenerate, primary_tests(read, study.claims, testing))
