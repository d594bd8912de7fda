"""A fault that a check found, and how it is printed."""

import sys
from collections.abc import Sequence
from typing import NamedTuple


class Finding(NamedTuple):
    """One fault: `code` is stable, `reason` says what was got and what is allowed; `line` counts from 1, 0 is the whole file."""

    source: str
    line: int
    code: str
    reason: str

    def __str__(self) -> str:
        place = f"{self.source}:{self.line}" if self.line else self.source
        return f"{place}: {self.code}: {self.reason}"


def conclude(name: str, findings: Sequence[Finding]) -> None:
    """Print every finding and leave with status 1, or say that all is well."""
    for finding in findings:
        print(finding, file=sys.stderr)
    if findings:
        sys.exit(f"{name}: {len(findings)} findings")
    print(f"{name}: all is well")
