"""The one exception a user may cause: a message that says what, where, the value, what is allowed and what to do."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import click

EXTRAS = {
    "fastapi": "serve",
    "prometheus_client": "serve",
    "swagger_ui_bundle": "serve",
    "uvicorn": "serve",
    "vl_convert": "page",
    "markdown_it": "page",
    "bitsandbytes": "4bit",
    "submitit": "cluster",
}
"""Module -> the extra of `pip install` that brings it."""


class SteadyError(Exception):
    """A fault of the input or the settings, not of the program; commands print it without a traceback and exit with 1."""


@contextmanager
def reported() -> Iterator[None]:
    """Turn a `SteadyError`, or a package that an extra brings, into one clear message on stderr and exit status 1."""
    # PEFT imports bitsandbytes, which then warns of a 4-bit kernel for CPUs that nobody asked for.
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    try:
        yield
    except ModuleNotFoundError as error:
        if (extra := EXTRAS.get((error.name or "").partition(".")[0])) is None:
            raise
        raise click.ClickException(f"{error.name} is not installed: pip install 'steady[{extra}]'") from error
    except SteadyError as error:
        # Click prints it without a traceback and exits with 1.
        raise click.ClickException(str(error)) from error
