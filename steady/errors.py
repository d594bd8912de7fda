"""The one exception a user may cause: a message that says what, where, the value, what is allowed and what to do."""

import errno
import os
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

HERE = Path(__file__).parents[1]
EXTRAS = {
    **dict.fromkeys(("fastapi", "prometheus_client", "swagger_ui_bundle", "uvicorn"), "serve"),
    **dict.fromkeys(("vl_convert", "markdown_it"), "page"),
    "bitsandbytes": "4bit",
    "submitit": "cluster",
}
"""Module -> the extra of `pip install` that brings it."""


class SteadyError(Exception):
    """A fault of the input or the settings, not of the program; commands print it without a traceback and exit with 1."""


FULL = "Free some space, or let TMPDIR and the repository lie on a larger disk; the same command then goes on with what was finished."
REFUSED = "Make the folder writable for this user, or give another one; what was finished is kept."
FAULTS = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), FULL),
    **dict.fromkeys((errno.EROFS, errno.EACCES, errno.EPERM), REFUSED),
    errno.EISDIR: "A folder lies where a file is to be written or read: move it away, or give another path.",
    errno.ENOTDIR: "A file lies where a folder is expected: move it away, or give another path.",
    errno.ENAMETOOLONG: "Give a shorter path.",
    errno.EMFILE: "Raise the limit of open files (`ulimit -n`).",
}
"""What to do about the faults of a disk that are no fault of the program."""


@contextmanager
def reported() -> Iterator[None]:
    """Turn a `SteadyError`, an extra or a package that cannot be imported, or a full disk into one message and exit status 1."""
    try:
        yield
    except ImportError as error:
        if extra := EXTRAS.get((error.name or "").partition(".")[0]):
            advice = f"{error.name} is not installed: pip install 'steady[{extra}]'"
            raise click.ClickException(advice) from error
        # Module systems put the packages of a site's own Python into PYTHONPATH.
        folders = [Path(folder) for folder in os.environ.get("PYTHONPATH", "").split(os.pathsep) if folder]
        files = [Path(frame.f_code.co_filename) for frame, _ in traceback.walk_tb(error.__traceback__)]
        foreign = [file for file in files if any(map(file.is_relative_to, folders)) and not file.is_relative_to(HERE)]
        if not foreign:
            raise
        advice = "PYTHONPATH puts its folder before the packages of this environment: `unset PYTHONPATH`."
        raise click.ClickException(f"{foreign[-1]}: {error}. {advice}") from error
    except SteadyError as error:
        # Click prints it without a traceback and exits with 1.
        raise click.ClickException(str(error)) from error
    except Exception as error:
        # The writers of weights and archives raise exceptions of their own, which quote the system.
        quoted = FULL if "No space left on device" in str(error) else None
        if (remedy := FAULTS.get(error.errno or 0) if isinstance(error, OSError) else quoted) is None:
            raise
        raise click.ClickException(f"{error}. {remedy}") from error
