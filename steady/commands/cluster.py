"""A grid of experiments on a Slurm cluster, or on this machine."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from steady.commands import Command, root_option
from steady.errors import SteadyError, reported

if TYPE_CHECKING:
    from steady.cluster.plan import Folder, Plan
    from steady.cluster.slurm import Resources

# what the command was given, by option
Options = dict[str, Any]
name_option = click.option("--name", help="The grid. Default: the one that was submitted last.")


@click.group(invoke_without_command=True, context_settings={"show_default": True})
@root_option
@click.option(
    "--set-param", "-S", "overrides", multiple=True, metavar="KEY=VALUES", help="As of `dvc exp run`: lora.r=4,8"
)
@click.option("--recipe", help="A name of recipe/.")
@click.option("--name", help="Name of the grid, and the beginning of the experiments' names. Default: grid-1, grid-2 …")
@click.option("--cluster", type=click.Choice(["slurm", "local"]), default="slurm")
@click.option("--partition", help="The partition of Slurm.")
@click.option("--gpus", type=click.IntRange(0), default=1, help="GPUs of an experiment, on each node.")
@click.option("--cpus", type=click.IntRange(1), help="Processors of an experiment, on each node.")
@click.option("--nodes", type=click.IntRange(1), default=1, help="Nodes of an experiment.")
@click.option("--time", default="1:00:00", help="Time limit of an experiment; near it, it is queued again.")
@click.option("--at-once", type=click.IntRange(1), default=1, help="Experiments that run at a time.")
@click.option("--slurm", multiple=True, metavar="KEY=VALUE", help="Another option of sbatch: account=NAME, mem=32G")
@click.option("--dry-run", is_flag=True, help="Show the grid and its cost, and stop.")
@click.pass_context
def main(
    context: click.Context,
    /,
    root: Path,
    overrides: tuple[str, ...],
    recipe: str | None,
    name: str | None,
    **given: Any,
) -> None:
    """Run `dvc exp run` for every combination of the values of -S, each in a clone of its own over one DVC cache.

    What all of them share runs once before. `status`, `logs` and `collect` tell what came of it.
    """
    if context.invoked_subcommand is not None:
        return
    with reported():
        from steady.cluster.plan import Folder, names

        if not overrides and not recipe:
            raise SteadyError("Nothing to run. Give values: steady cluster -S lora.r=4,8 -S seed=0,1,2")
        taken = names(root)
        chosen = name or next(f"grid-{number}" for number in range(1, len(taken) + 2) if f"grid-{number}" not in taken)
        if chosen in taken or not chosen.replace("-", "").replace("_", "").isalnum():
            raise SteadyError(f"--name: {chosen!r} is taken, or is not of letters, digits, - and _.")
        _submit(Folder(root, chosen), overrides, recipe, given)


def _submit(folder: "Folder", overrides: Sequence[str], recipe: str | None, given: Options) -> None:
    import shutil

    from steady.cluster.grid import cache_of, check_points, clean_commit, expand, shared_stages, varied
    from steady.cluster.plan import SHARED, Plan
    from steady.repro.workspaces import CONFIG, compose, make_workspace

    resources, root, local = _resources(given), folder.root, given["cluster"] == "local"
    points = expand(overrides, recipe)
    # a task checks out a commit, so what is not committed would not run
    commit = clean_commit(root)
    check_points(root, points)
    make_workspace(root, folder.work(SHARED), {})
    # any point will do: the shared stages are those that no point reaches
    compose(folder.work(SHARED), points[0])
    cache = cache_of(root)
    (folder.work(SHARED) / ".dvc/config.local").write_text(CONFIG.format(cache=cache), encoding="utf-8")
    shared = shared_stages(folder.work(SHARED), varied(points)) if len(points) > 1 else []
    place: Literal["local", "slurm"] = "local" if local else "slurm"
    plan = Plan(name=folder.path.name, commit=commit, cache=cache, points=points, shared=shared, cluster=place)
    for number, point in enumerate(points):
        click.echo(f"{number:>4}  {' '.join(point)}")
    click.echo(f"once before them: {', '.join(shared) or 'nothing'}")
    click.echo(_cost(plan, resources, root))
    if given["dry_run"]:
        shutil.rmtree(folder.path)
        return
    folder.write_plan(plan)
    if local:
        _run_here(folder, plan, resources.at_once)
        return
    from msgspec.structs import replace

    from steady.cluster.slurm import submit

    try:
        jobs, first = submit(folder, len(points), resources, bool(shared))
    except BaseException:
        shutil.rmtree(folder.path)  # the name stays free
        raise
    folder.write_plan(replace(plan, jobs=jobs, shared_job=first))
    click.echo(f"submitted {plan.name}: job {jobs[0].partition('_')[0]}. See: steady cluster status")


def _resources(given: Options) -> "Resources":
    from steady.cluster.grid import minutes_of
    from steady.cluster.slurm import Resources

    if wrong := [one for one in given["slurm"] if "=" not in one]:
        raise SteadyError(f"--slurm: {wrong[0]!r} is not KEY=VALUE, such as account=NAME.")
    extra = dict(one.removeprefix("--").split("=", 1) for one in given["slurm"])
    numbers = {key: given[key] for key in ("gpus", "cpus", "nodes", "at_once")}
    return Resources(minutes_of(given["time"]), given["partition"], extra=extra, **numbers)


def _cost(plan: "Plan", resources: "Resources", root: Path) -> str:
    """What the grid takes at the most, by its time limit, and what a run took where it was measured last."""
    import json

    tasks, hours = len(plan.points), resources.minutes / 60
    # rounded up
    rounds = -(-tasks // resources.at_once)
    line = f"{tasks} experiments, {resources.at_once} at once"
    if plan.cluster == "slurm":
        gpus = resources.gpus * resources.nodes
        line += f": at most {rounds * hours:g} h and {tasks * hours * gpus:g} GPU-hours, by --time for each start"
    path = root / "metrics/provenance.json"
    if path.is_file():
        seconds = json.loads(path.read_text(encoding="utf-8")).get("seconds", {})
        own = sum(taken for stage, taken in seconds.items() if stage not in plan.shared)
        line += (
            f". The committed run took {sum(seconds.values()):.0f} s in all, {own:.0f} s of it in what each would run"
        )
    return line


def _run_here(folder: "Folder", plan: "Plan", at_once: int) -> None:
    from concurrent.futures import ThreadPoolExecutor

    from steady.cluster.plan import SHARED
    from steady.cluster.status import last_line
    from steady.cluster.task import Task

    def run(number: int) -> int:
        code = Task(folder.root, plan.name, number).run()
        what = "shared stages" if number == SHARED else plan.experiment(number)
        click.echo(f"{what}: {'done' if code == 0 else f'failed: {last_line(folder, number)}'}")
        return code

    if plan.shared and run(SHARED):
        raise SteadyError(f"The stages that all share failed; {folder.log(SHARED)} has the whole output.")
    # threads, for each of them only waits for its process
    with ThreadPoolExecutor(at_once) as pool:
        codes = list(pool.map(run, range(len(plan.points))))
    if failed := sum(code != 0 for code in codes):
        raise SteadyError(f"{failed} of {len(codes)} experiments failed. See: steady cluster logs N")
    click.echo("Compare them: steady cluster collect")


def _open(root: Path, name: str | None) -> "tuple[Folder, Plan]":
    from steady.cluster.plan import Folder, names

    there = names(root)
    # the last grid is what people ask about
    folder = Folder(root, name or (there[-1] if there else "grid-1"))
    return folder, folder.plan()


@main.command(cls=Command)
@root_option
@name_option
def status(root: Path, name: str | None) -> None:
    """What has become of each experiment."""
    from steady.cluster.status import statuses, table

    folder, plan = _open(root, name)
    for line in table(folder, plan, statuses(folder, plan)):
        click.echo(line)


@main.command(cls=Command)
@root_option
@name_option
@click.argument("number", metavar="N")
def logs(root: Path, name: str | None, number: str) -> None:
    """The output of experiment N, all its attempts; `shared` is what ran before."""
    from steady.cluster.plan import SHARED

    folder, plan = _open(root, name)
    tasks = {str(task): task for task in range(len(plan.points))} | {"shared": SHARED}
    if number not in tasks:
        raise SteadyError(
            f"{plan.name}: no experiment {number!r}. There are 0 to {len(plan.points) - 1}, and `shared`."
        )
    path = folder.log(tasks[number])
    if not path.is_file():
        raise SteadyError(f"{plan.name}: {number} has not begun. See: steady cluster status")
    click.echo(path.read_text(encoding="utf-8", errors="replace"), nl=False)


@main.command(cls=Command)
@root_option
@name_option
def collect(root: Path, name: str | None) -> None:
    """Fetch the experiments that are done, name those that are not, and compare them with `dvc exp show`."""
    from steady.cluster.collect import fetch, show
    from steady.cluster.status import statuses, table

    folder, plan = _open(root, name)
    found = statuses(folder, plan)
    fetched = fetch(folder, plan, [one.number for one in found if one.state == "done"])
    if fetched:
        show(folder.root, plan.commit)
    left = [one for one in found if one.state != "done"]
    for line in table(folder, plan, left) if left else ():
        click.echo(line)
    click.echo(
        f"{len(fetched)} of {len(plan.points)} experiments are here; `dvc exp apply {plan.name}-N` takes one over"
    )
