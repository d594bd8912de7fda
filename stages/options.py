"""Options that several stages share."""

from pathlib import Path

import click

FILE = click.Path(path_type=Path, dir_okay=False)
FOLDER = click.Path(path_type=Path, file_okay=False)
params_option = click.option(
    "--params", type=FILE, default=Path("params.yaml"), show_default=True, help="The parameters of the run."
)
