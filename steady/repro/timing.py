"""How long each stage of a run took, from the lines that `dvc repro` prints."""

import re
import time
from collections.abc import Callable, Iterable

STARTED = re.compile(r"Running stage '([^']+)':")


def stage_seconds(
    lines: Iterable[str], echo: Callable[[str], None], clock: Callable[[], float] = time.perf_counter
) -> dict[str, float]:
    """Seconds of every stage that ran, to a tenth; a stage lasts until the next one starts or the lines end.

    Args:
        lines: as they come.
        echo: gets every line.
        clock: seconds.
    """
    seconds: dict[str, float] = {}
    running, since = "", 0.0
    for line in lines:
        echo(line)
        if found := STARTED.match(line):
            if running:
                seconds[running] = round(clock() - since, 1)
            running, since = found.group(1), clock()
    if running:
        seconds[running] = round(clock() - since, 1)
    return seconds
