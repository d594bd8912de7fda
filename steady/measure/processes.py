"""`steady measure` in several processes: `STEADY_LAUNCHER` starts the command again in each of them, as far as the runs are scored."""

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from steady.errors import SteadyError
from steady.launchers import LAUNCHED, claim_world, launch, launcher_of
from steady.models.ranks import joined


def launched(options: Mapping[str, Any]) -> bool:
    """Score all subjects in the processes that `STEADY_LAUNCHER` names, and wait for them; false where it names none that apply."""
    # a server is asked, and a sample is timed, by one process
    words = None if options["endpoint"] or options["budget"] else launcher_of(os.environ)
    if words and options["precision"]:
        raise SteadyError("--precision: one process alone knows when to stop. Leave it out, or unset STEADY_LAUNCHER.")
    if words:
        launch(words, "steady", sys.argv[1:])
    return bool(words)


@contextmanager
def this_process() -> Iterator[None]:
    """Join the other processes, if there are any, while this one scores; a process that `launched` started exits after the block."""
    with joined(claim_world(os.environ)):
        yield
    if os.environ.get(LAUNCHED):
        sys.exit(0)
