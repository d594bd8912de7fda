"""The commands of `python -m steady`: one thin file each, whose name is the command's and which defines `main`."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from steady.errors import reported

FILE = click.Path(path_type=Path, dir_okay=False)
FOLDER = click.Path(path_type=Path, file_okay=False)

# the options that several commands have, so that they read alike everywhere
root_option = click.option("--root", type=FOLDER, default=Path(), show_default=False, help="The repository.")
params_option = click.option("--params", type=FILE, default="params.yaml")
models_option = click.option("--models", type=FOLDER, default="models", help="The arms' folders.")
listed_option = click.option("--listed", type=FILE, default="data/formatted/wordings.jsonl", help="All wordings.")
revision_option = click.option("--revision", help="Commit, branch or tag of a Hub model; the full commit is recorded.")
threads_option = click.option("--threads", type=click.IntRange(min=1), help="Threads of a CPU.")

Function = TypeVar("Function", bound=Callable[..., Any])


def cluster_options(default: str) -> Callable[[Function], Function]:
    """The options of commands that run a grid, with the default of `--cluster`; `steady.cluster.start.request_of` reads them."""
    options = (
        click.option(
            "--cluster", type=click.Choice(["slurm", "local"]), default=default, help="Slurm, or this machine."
        ),
        click.option("--partition", help="The partition of Slurm."),
        click.option("--gpus", type=click.IntRange(0), default=1, help="GPUs of a run, on each node."),
        click.option("--cpus", type=click.IntRange(1), help="Processors of a run, on each node."),
        click.option("--nodes", type=click.IntRange(1), default=1, help="Nodes of a run."),
        click.option("--time", default="1:00:00", help="Time limit of a run on Slurm; near it, it is queued again."),
        click.option("--at-once", type=click.IntRange(1), default=1, help="Runs at a time."),
        click.option(
            "--slurm", multiple=True, metavar="KEY=VALUE", help="Another option of sbatch: account=NAME, mem=32G"
        ),
        click.option("--dry-run", is_flag=True, help="Show the grid and its cost, and stop."),
    )

    def add(function: Function) -> Function:
        for option in reversed(options):
            function = option(function)
        return function

    return add


collect_option = click.option("--collect", is_flag=True, help="Read the results of runs that were submitted before.")


class Command(click.Command):
    """A command that prints a `SteadyError` as one message, without a traceback, and exits with 1."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        # in the class and not in each function: no command can forget it
        with reported():
            return super().invoke(ctx)


def command() -> Callable[[Callable[..., None]], Command]:
    """Make a function a `Command`; its help shows the default of each option that does not refuse."""
    return click.command(cls=Command, context_settings={"show_default": True})
