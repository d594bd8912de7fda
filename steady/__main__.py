"""`python -m steady`: every file of `steady/commands` is a command, imported when it is called or listed."""

import os
import pkgutil
from importlib import import_module

import click

from steady import commands
from steady.errors import reported
from steady.launchers import claim_world


class Commands(click.Group):
    """A group that finds its commands in `steady.commands`; their heavy imports stay inside the functions."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of the modules, with dashes."""
        return sorted(module.name.replace("_", "-") for module in pkgutil.iter_modules(commands.__path__))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of a module, or None where there is no such module."""
        if cmd_name not in self.list_commands(ctx):
            return None
        module = import_module(f"{commands.__name__}.{cmd_name.replace('-', '_')}")
        command: click.Command = module.main
        return command


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Steady: fine-tune with LoRA on prompt variants, and measure whether a model becomes better and steadier."""
    with reported():
        claim_world(os.environ)


if __name__ == "__main__":
    main(prog_name="python -m steady")
