"""What is counted while preparing, and `metrics/data.json`."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steady.labels import NO_LABELS
from steady.prepare.joining import Joined, Rows
from steady.prepare.params import DataParams
from steady.prepare.splits import SPLITS, UNUSED
from steady.prepare.splitting import LEAK, Splitting
from steady.prepare.table import Table

QUANTILES = {"minimum": 0.0, "median": 0.5, "p95": 0.95, "maximum": 1.0}


@dataclass
class Counts:
    """Rows of each fate, in all and by source. Every row read is accepted, rejected, a duplicate or left out."""

    sources: list[Counter[str]]
    left_out: Counter[str] = field(default_factory=Counter)
    findings: dict[str, int] = field(default_factory=dict)
    near: int = 0
    leaks: dict[str, Any] = field(default_factory=dict)
    splits: dict[str, dict[str, Any]] = field(default_factory=dict)

    def total(self, fate: str) -> int:
        """Rows of a fate (read, accepted, rejected, duplicates, left_out) over all sources."""
        return sum(source[fate] for source in self.sources)

    def leave_out(self, rows: NDArray[Any], code: str) -> None:
        """Count rows, given by their source, as left out under a code."""
        if len(rows):
            self.left_out[code] += len(rows)
            self.count("left_out", rows)

    def count(self, fate: str, rows: NDArray[Any]) -> None:
        """Count rows, given by their source, under a fate."""
        for place, number in enumerate(np.bincount(rows, minlength=len(self.sources)).tolist()):
            self.sources[place][fate] += number

    def balance(self) -> None:
        """Check that the fates add up for each source."""
        for place, source in enumerate(self.sources):
            fates = sum(source[fate] for fate in ("accepted", "rejected", "duplicates", "left_out"))
            assert fates == source["read"], f"source {place}: {source['read']} rows read, {fates} accounted for"


def count_splits(counts: Counts, table: Table, joined: Joined, kept: Rows, splitting: Splitting) -> None:
    """Fill in what each split holds and what leaked."""
    source = table.column("source")
    counts.leave_out(source[kept[splitting.places == UNUSED]], "not_asked_for")
    counts.leave_out(source[kept[splitting.places == LEAK]], "leak")
    counts.leaks = {
        "found": splitting.leaks,
        "removed": int((splitting.places == LEAK).sum()),
        "left": splitting.left,
    }
    for place, name in enumerate(SPLITS):
        rows = kept[splitting.places == place]
        counts.count("accepted", source[rows])
        counts.splits[name] = describe(table, joined, rows)


def describe(table: Table, joined: Joined, rows: Rows) -> dict[str, Any]:
    """What the rows of a split are."""
    return {
        "rows": len(rows),
        "groups": len(np.unique(joined.families[rows])),
        "labels": label_counts(table, rows),
        "languages": language_counts(table, rows),
        "characters_of_prompts": quantiles(table.column("prompt_length")[rows]),
        "characters_of_outputs": quantiles(table.column("output_length")[rows]),
    }


def label_counts(table: Table, rows: Rows) -> dict[str, int]:
    """Rows of each label, sorted; a row of several labels counts for each, one without any of them for `none`."""
    counts: Counter[str] = Counter()
    for stratum, number in enumerate(np.bincount(table.column("stratum")[rows].astype(np.int64)).tolist()):
        labels = table.labels(stratum) if number else None
        for label in [] if labels is None else labels or [NO_LABELS]:
            counts[label] += number
    return dict(sorted(counts.items()))


def language_counts(table: Table, rows: Rows) -> dict[str, int] | None:
    """Rows of each language, sorted; None where no row names one."""
    numbers = np.bincount(table.column("language")[rows].astype(np.int64), minlength=len(table.languages)).tolist()
    counts = {name or "unknown": number for name, number in zip(table.languages, numbers, strict=True) if number}
    return None if set(counts) <= {"unknown"} else dict(sorted(counts.items()))


def quantiles(values: NDArray[Any]) -> dict[str, int] | None:
    """Values that occur: smallest, median (the lower one), 95th percentile and largest."""
    if not len(values):
        return None
    ordered = np.sort(values)
    return {name: int(ordered[max(0, int(np.ceil(share * len(ordered))) - 1)]) for name, share in QUANTILES.items()}


def summarize(counts: Counts, params: DataParams) -> dict[str, Any]:
    """The content of `metrics/data.json`."""
    fates = ("read", "accepted", "rejected", "duplicates", "left_out")
    found = {label for split in counts.splits.values() for label in split["labels"]}
    languages: Counter[str] = Counter()
    for split in counts.splits.values():
        languages.update(split["languages"] or {"unknown": split["rows"]} if split["rows"] else {})
    return {
        "rows": {fate: counts.total(fate) for fate in fates},
        "groups": sum(split["groups"] for split in counts.splits.values()),
        "labels": list(params.labels or sorted(found)),
        "languages": dict(sorted(languages.items())) if set(languages) > {"unknown"} else None,
        "splits": counts.splits,
        "sources": [
            {"path": source.path, "format": source.format} | {fate: counted[fate] for fate in fates}
            for source, counted in zip(params.sources, counts.sources, strict=True)
        ],
        "rejected": counts.findings,
        "left_out": dict(sorted(counts.left_out.items())),
        "duplicates": {"exact": counts.total("duplicates"), "near": counts.near},
        "leaks": counts.leaks,
    }
