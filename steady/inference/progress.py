"""Progress of long work: a bar with the time left on a terminal, and in a log no more than a line every few minutes."""

import sys
from collections.abc import Iterable
from typing import Any

LOG_SECONDS = 300.0


def progress_bar(
    items: Iterable[Any] | None, what: str, unit: str, shown: bool = True, total: int | None = None
) -> Any:
    """A `tqdm` bar over `items`, or with None one that its caller moves on to `total`; it vanishes when it is done.

    Args:
        what: the work in one word, which stands before the bar.
        unit: what is counted.
        shown: False for no bar at all.
    """
    from tqdm import tqdm

    # In a file every refresh would be a line of its own, so work of less than LOG_SECONDS prints nothing there.
    pace = {} if sys.stderr.isatty() else {"delay": LOG_SECONDS, "mininterval": LOG_SECONDS, "maxinterval": LOG_SECONDS}
    return tqdm(items, desc=what, unit=unit, total=total, disable=not shown, leave=False, **pace)
