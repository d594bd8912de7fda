"""What is counted while preparing, the file of rejected rows and the decision whether they are too many, and `metrics/data.json`."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import msgspec
import numpy as np
from numpy.typing import NDArray

from steady.errors import SteadyError
from steady.labels import NO_LABELS
from steady.prepare.joining import Joined, Rows
from steady.prepare.params import DataParams
from steady.prepare.splits import SPLITS, UNUSED
from steady.prepare.splitting import LEAK, Splitting
from steady.prepare.table import Table
from steady.records import Rejected

OUTCOMES = ("read", "accepted", "rejected", "duplicates", "left_out")
QUANTILES = {"minimum": 0.0, "median": 0.5, "p95": 0.95, "maximum": 1.0}


class Description(msgspec.Struct, frozen=True, kw_only=True):
    """What rows are; `languages` is None where no row names one, and a length where there is no row.

    A row of several labels counts for each of them, one without any for `none`.
    """

    rows: int
    groups: int
    labels: dict[str, int]
    languages: dict[str, int] | None
    characters_of_prompts: dict[str, int] | None
    characters_of_outputs: dict[str, int] | None


class Leaks(msgspec.Struct, frozen=True, kw_only=True):
    """Rows `found` to share something with a later split, by what they share, and `removed`; clusters `left` in two splits."""

    found: dict[str, int]
    removed: int
    left: int


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """The content of `metrics/data.json`; `rejected` counts findings by code, `left_out` rows by the limit or filter."""

    rows: dict[str, int]
    groups: int
    labels: list[str]
    languages: dict[str, int] | None
    splits: dict[str, Description]
    sources: list[dict[str, str | int]]
    rejected: dict[str, int]
    left_out: dict[str, int]
    duplicates: dict[str, int]
    leaks: Leaks


@dataclass
class Counts:
    """Rows of each outcome by source, findings by code, and rows left out by the limit or filter.

    Every row read is accepted, rejected, a duplicate or left out.
    """

    sources: list[Counter[str]]
    left_out: Counter[str] = field(default_factory=Counter)
    findings: dict[str, int] = field(default_factory=dict)

    def total(self, outcome: str) -> int:
        """Rows of an outcome (read, accepted, rejected, duplicates, left_out) over all sources."""
        return sum(source[outcome] for source in self.sources)

    def leave_out(self, rows: NDArray[Any], code: str) -> None:
        """Count rows, given by their source, as left out under a code."""
        if len(rows):
            self.left_out[code] += len(rows)
            self.count("left_out", rows)

    def count(self, outcome: str, rows: NDArray[Any]) -> None:
        """Count rows, given by their source, under an outcome."""
        for place, number in enumerate(np.bincount(rows, minlength=len(self.sources)).tolist()):
            self.sources[place][outcome] += number


def describe(table: Table, joined: Joined, rows: Rows) -> Description:
    """What the rows of a split are."""
    labels: Counter[str] = Counter()
    for stratum, number in enumerate(np.bincount(table.column("stratum")[rows].astype(np.int64)).tolist()):
        named = table.labels(stratum) if number else None
        for label in [] if named is None else named or [NO_LABELS]:
            labels[label] += number
    numbers = np.bincount(table.column("language")[rows].astype(np.int64), minlength=len(table.languages)).tolist()
    languages = {name or "unknown": number for name, number in zip(table.languages, numbers, strict=True) if number}
    return Description(
        rows=len(rows),
        groups=len(np.unique(joined.families[rows])),
        labels=dict(sorted(labels.items())),
        # A count of unknown languages alone would say nothing.
        languages=None if set(languages) <= {"unknown"} else dict(sorted(languages.items())),
        characters_of_prompts=_quantiles(table.column("prompt_length")[rows]),
        characters_of_outputs=_quantiles(table.column("output_length")[rows]),
    )


def _quantiles(values: NDArray[Any]) -> dict[str, int] | None:
    """Values that occur: smallest, median (the lower one), 95th percentile and largest."""
    if not len(values):
        return None
    ordered = np.sort(values)
    return {name: int(ordered[max(0, int(np.ceil(share * len(ordered))) - 1)]) for name, share in QUANTILES.items()}


def summarize(
    params: DataParams, counts: Counts, table: Table, joined: Joined, eligible: Rows, splitting: Splitting
) -> Summary:
    """Count what the splits hold and what leaked, and put together everything that was counted."""
    of_source, leaked = table.column("source"), eligible[splitting.places == LEAK]
    counts.leave_out(of_source[eligible[splitting.places == UNUSED]], "not_asked_for")
    counts.leave_out(of_source[leaked], "leak")
    splits: dict[str, Description] = {}
    for place, name in enumerate(SPLITS):
        rows = eligible[splitting.places == place]
        counts.count("accepted", of_source[rows])
        splits[name] = describe(table, joined, rows)
    for place, counted in enumerate(counts.sources):
        # A row that is lost on the way is a fault of this program, not of the data.
        outcomes = sum(counted[outcome] for outcome in OUTCOMES[1:])
        assert outcomes == counted["read"], f"source {place}: {counted['read']} rows read, {outcomes} accounted for"
    languages: Counter[str] = Counter()
    for split in splits.values():
        # A split in which no row names a language counts as unknown beside others that do.
        languages.update(split.languages or {"unknown": split.rows} if split.rows else {})
    return Summary(
        rows={outcome: counts.total(outcome) for outcome in OUTCOMES},
        groups=sum(split.groups for split in splits.values()),
        labels=list(params.labels or sorted({label for split in splits.values() for label in split.labels})),
        languages=dict(sorted(languages.items())) if set(languages) > {"unknown"} else None,
        splits=splits,
        sources=[
            {"path": source.path, "format": source.format} | {outcome: counted[outcome] for outcome in OUTCOMES}
            for source, counted in zip(params.sources, counts.sources, strict=True)
        ],
        rejected=dict(sorted(counts.findings.items())),
        left_out=dict(sorted(counts.left_out.items())),
        duplicates={"exact": counts.total("duplicates"), "near": joined.near},
        leaks=Leaks(found=splitting.leaks, removed=len(leaked), left=splitting.left),
    )


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
