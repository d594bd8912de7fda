"""What is counted while preparing, and `metrics/data.json`."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steady.preparing.joining import Joined, Rows
from steady.preparing.settings import DataParams
from steady.preparing.table import Table
from steady.records import Rejected
from steady.splits import SPLITS, UNUSED

QUANTILES = {"minimum": 0.0, "median": 0.5, "p95": 0.95, "maximum": 1.0}


@dataclass
class Counts:
    """Rows of each fate. Every row read is accepted, rejected, a duplicate or left out."""

    read: int = 0
    rejected_rows: int = 0
    duplicates: int = 0
    near: int = 0
    rejected: list[Rejected] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    splits: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def accepted(self) -> int:
        """Rows written to a split."""
        return sum(split["rows"] for split in self.splits.values())


def count_splits(counts: Counts, table: Table, joined: Joined, kept: Rows, split: NDArray[np.int8]) -> None:
    """Fill in what each split holds, and check that every row read is accounted for."""
    unused = int((split == UNUSED).sum())
    if unused:
        counts.left_out["not_asked_for"] += unused
    for place, name in enumerate(SPLITS):
        rows = kept[split == place]
        counts.splits[name] = {
            "rows": len(rows),
            "groups": len(np.unique(joined.families[rows])),
            "labels": label_counts(table, rows),
            "characters_of_prompts": quantiles(table.column("prompt_length")[rows]),
            "characters_of_outputs": quantiles(table.column("output_length")[rows]),
        }
    total = counts.accepted + counts.rejected_rows + counts.duplicates + sum(counts.left_out.values())
    assert total == counts.read, f"{counts.read} rows read, {total} accounted for"


def label_counts(table: Table, rows: Rows) -> dict[str, int]:
    """Rows of each label, in the order of the labels; a row of several labels counts for each."""
    counts: Counter[str] = Counter()
    numbers = np.bincount(table.column("stratum")[rows].astype(np.int64), minlength=len(table.strata))
    for stratum, number in zip(table.strata, numbers.tolist(), strict=True):
        if number and not stratum.startswith("\x1e"):
            for label in stratum.split("\x1f"):
                counts[label] += number
    return dict(sorted(counts.items()))


def quantiles(values: NDArray[np.uint64]) -> dict[str, int] | None:
    """Values that occur: smallest, median (the lower one), 95th percentile and largest."""
    if not len(values):
        return None
    ordered = np.sort(values)
    return {name: int(ordered[max(0, int(np.ceil(share * len(ordered))) - 1)]) for name, share in QUANTILES.items()}


def summarize(counts: Counts, params: DataParams) -> dict[str, Any]:
    """The content of `metrics/data.json`."""
    labels = sorted({label for split in counts.splits.values() for label in split["labels"]})
    return {
        "rows": {
            "read": counts.read,
            "accepted": counts.accepted,
            "rejected": counts.rejected_rows,
            "duplicates": counts.duplicates,
            "left_out": sum(counts.left_out.values()),
        },
        "labels": list(params.labels or labels),
        "splits": counts.splits,
        "languages": None,
        "rejected": dict(sorted(Counter(item.code for item in counts.rejected).items())),
        "left_out": dict(sorted(counts.left_out.items())),
        "duplicates": {"exact": counts.duplicates, "near": counts.near},
        "leaks": {"found": 0, "removed": 0, "left": 0},
    }
