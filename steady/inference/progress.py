"""Progress of long work: a bar with the time left on a terminal, and in a log no more than a line every few minutes."""

import sys
from collections.abc import Iterable
from typing import Any

LOG_SECONDS = 300.0


class LogLines:
    """Standard error for a bar that is no terminal: a bar ends with no new line, and what is printed next would be glued to it."""

    def write(self, text: str) -> None:
        """Write a bar as a line; blanks, which wipe a bar from a terminal, are nothing here."""
        if text.strip():
            sys.stderr.write(f"{text.strip()}\n")

    def flush(self) -> None:
        """Flush it."""
        sys.stderr.flush()


def progress_bar(
    items: Iterable[Any] | None, what: str, unit: str, shown: bool = True, total: int | None = None
) -> Any:
    """A `tqdm` bar over `items`, or with None one that its caller moves on to `total`; it vanishes when it is done.
    `what` is the work in one word, which stands before the bar, and `unit` what is counted.
    """
    from tqdm import tqdm

    if sys.stderr.isatty():
        return tqdm(items, desc=what, unit=unit, total=total, disable=not shown, leave=False)
    # In a file every refresh would be a line of its own, so work of less than LOG_SECONDS prints nothing there.
    pace = {"delay": LOG_SECONDS, "mininterval": LOG_SECONDS, "maxinterval": LOG_SECONDS}
    return tqdm(items, desc=what, unit=unit, total=total, disable=not shown, leave=False, file=LogLines(), **pace)
