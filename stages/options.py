"""Options that several stages share."""

from functools import partial
from pathlib import Path

import click

file_option = partial(click.option, type=click.Path(path_type=Path, dir_okay=False), show_default=True)
folder_option = partial(click.option, type=click.Path(path_type=Path, file_okay=False), show_default=True)
params_option = file_option("--params", default="params.yaml", help="The parameters of the run.")
