"""A grid of experiments on a Slurm cluster, or on this machine."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from steady.commands import Command, cluster_options, root_option
from steady.errors import SteadyError, reported

if TYPE_CHECKING:
    from steady.cluster.plan import Folder, Plan

name_option = click.option("--name", help="The grid. Default: the one that was submitted last.")


@click.group(invoke_without_command=True, context_settings={"show_default": True})
@root_option
@click.option(
    "--set-param", "-S", "overrides", multiple=True, metavar="KEY=VALUES", help="As of `dvc exp run`: lora.r=4,8"
)
@click.option("--recipe", help="A name of recipe/.")
@click.option("--name", help="Name of the grid, and the beginning of the experiments' names. Default: grid-1, grid-2 …")
@cluster_options("slurm")
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
        from steady.cluster.grid import check_points, clean_commit, expand
        from steady.cluster.plan import Folder, Plan, names
        from steady.cluster.start import launch, request_of, shown
        from steady.repro.workspaces import cache_of, compose, make_workspace

        if not overrides and not recipe:
            raise SteadyError("Nothing to run. Give values: steady cluster -S lora.r=4,8 -S seed=0,1,2")
        taken = names(root)
        chosen = name or next(f"grid-{number}" for number in range(1, len(taken) + 2) if f"grid-{number}" not in taken)
        if chosen in taken or not chosen.replace("-", "").replace("_", "").isalnum():
            raise SteadyError(f"--name: {chosen!r} is taken, or is not of letters, digits, - and _.")
        folder, request = Folder(root, chosen), request_of(given)
        points = expand(overrides, recipe)
        # a task checks out a commit, so what is not committed would not run
        commit = clean_commit(folder.root)
        check_points(folder.root, points)

        def make(number: int, copy: Path) -> None:
            make_workspace(folder.root, copy, {})
            compose(copy, points[number])

        cache = cache_of(folder.root)
        plan = Plan(name=chosen, commit=commit, cache=cache, points=points, cluster=request.cluster)
        plan = shown(folder.root, plan, make, request, click.echo)
        if not request.dry_run and launch(folder, plan, make, request, click.echo):
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
    from steady.cluster.status import fetch, show, statuses, table

    folder, plan = _open(root, name)
    if plan.command:
        raise SteadyError(f"{plan.name}: these runs are summarized by `{plan.command} --collect`.")
    found = statuses(folder, plan)
    fetched = fetch(folder, plan, [one.number for one in found if one.state == "done"])
    if fetched:
        show(folder.root, plan.commit)
    left = [one for one in found if one.state != "done"]
    # without the last line, which counts what the table shows
    for line in list(table(folder, plan, left))[:-1]:
        click.echo(line)
    click.echo(
        f"{len(fetched)} of {len(plan.points)} experiments are here; `dvc exp apply {plan.name}-N` takes one over"
    )
