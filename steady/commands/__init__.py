"""The commands of `python -m steady`: one thin file each, whose name is the command's and which defines `main`."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

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
