"""The file of rejected rows, written as they are found, and the decision whether there are too many."""

from collections import Counter
from pathlib import Path
from typing import Self

import msgspec

from steady.errors import SteadyError
from steady.records import Rejected

LISTED = 1000


class RejectedRows:
    """A context manager that writes to a temporary sibling of `path` and renames it at the end, also after a `SteadyError`.

    `codes` counts findings; `lines` are the first thousand of them, as messages; `fatal` those that no setting lets pass.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.codes: Counter[str] = Counter()
        self.rows = 0
        self.lines: list[str] = []
        self.fatal = 0
        # A reader of the last run's file must not see this one half written.
        self._temporary = path.with_name(f".{path.name}.tmp")
        self._encode = msgspec.json.Encoder().encode

    def __enter__(self) -> Self:
        self._file = self._temporary.open("wb")
        return self

    def __exit__(self, *exception: object) -> None:
        try:
            self._file.close()
            # Also after an error, since these rows say what has to be corrected.
            self._temporary.replace(self.path)
        finally:
            self._temporary.unlink(missing_ok=True)

    def add(self, findings: list[Rejected], *, rows: int = 1) -> None:
        """Write the findings of a row (of no row, where a file cannot be read)."""
        self.rows += rows
        self.fatal += 0 if rows else 1
        for finding in findings:
            self._file.write(self._encode(finding) + b"\n")
            self.codes[finding.code] += 1
            # The file has them all; a terminal is helped by the first.
            if len(self.lines) < LISTED:
                self.lines.append(f"{finding.source}:{finding.line}: {finding.code}: {finding.reason}")

    def refuse_if_many(self, allowed: int | float, read: int) -> None:
        """Raise, with every finding, where a file cannot be read or more rows are rejected than a count or a share of those read."""
        # 1 is one row and 1.0 is all rows.
        limit = allowed * read if isinstance(allowed, float) else allowed
        if not self.fatal and self.rows <= limit:
            return
        more = sum(self.codes.values()) - len(self.lines)
        lines = [*self.lines, f"… and {more} more findings, all in {self.path}."] if more else self.lines
        counted = f"{self.rows} of {read} rows are rejected and `data.max_rejected` allows {allowed}."
        advice = (
            "Correct the rows, name codes in a source's `leave_out` to leave such rows out, or raise `data.max_rejected`."
            if self.rows
            else "Correct `data.sources`."
        )
        raise SteadyError("\n".join([*lines, f"{counted} {advice}"]))
