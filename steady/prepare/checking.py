"""Look at sources without splitting or writing them: what prepare would accept, and what it would say."""

from collections import Counter
from pathlib import Path
from typing import NamedTuple

import numpy as np

from steady.prepare.joining import join
from steady.prepare.params import DataParams
from steady.prepare.prepare import read_all, reject_contradictions
from steady.prepare.rejecting import RejectedRows
from steady.prepare.summary import OUTCOMES, Counts, Description, describe
from steady.prepare.table import Table
from steady.prepare.writing import example
from steady.records import Example


class Checked(NamedTuple):
    """`outcomes`: rows read and what became of them; `codes`: findings, `left_out`: rows, by code; `lines`: findings as messages;
    `description`: of the accepted rows; `samples`: the first of them.
    """

    outcomes: dict[str, int]
    codes: dict[str, int]
    left_out: dict[str, int]
    lines: list[str]
    description: Description
    near: int
    samples: list[Example]


def check(params: DataParams, folder: Path, samples: int) -> Checked:
    """Read the sources as prepare does; `folder` is for temporary files."""
    counts = Counts([Counter() for _ in params.sources])
    with Table(folder / "drafts.tmp") as table, RejectedRows(folder / "rejected.jsonl") as rejected:
        read_all(params, table, counts, rejected)
        contradictory = reject_contradictions(params, table, counts, rejected)
        joined = join(table, params.near_duplicate_threshold, contradictory, folder / "bands.tmp")
        counts.count("duplicates", table.column("source")[joined.copies])
        # As prepare accepts rows, without limits and splits, which are about numbers and not about faults.
        accepted = ~joined.copies
        accepted[contradictory] = False
        rows = np.flatnonzero(accepted)
        counts.count("accepted", table.column("source")[rows])
        first = [table.draft(row) for row in rows[:samples].tolist()]
        return Checked(
            outcomes={outcome: counts.total(outcome) for outcome in OUTCOMES},
            codes=dict(rejected.codes.most_common()),
            left_out=dict(counts.left_out.most_common()),
            lines=rejected.lines,
            description=describe(table, joined, rows),
            near=joined.near,
            samples=[example(draft, draft.group, draft.split) for draft in first],
        )
