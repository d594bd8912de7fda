"""The one exception a user may cause: a message that says what, where, the value, what is allowed and what to do."""

from collections.abc import Iterator
from contextlib import contextmanager

import click


class SteadyError(Exception):
    """A fault of the input or the settings, not of the program; commands print it without a traceback and exit with 1."""


@contextmanager
def reported() -> Iterator[None]:
    """Turn a `SteadyError` into one clear message on stderr and exit status 1."""
    try:
        yield
    except SteadyError as error:
        # Click prints it without a traceback and exits with 1.
        raise click.ClickException(str(error)) from error
