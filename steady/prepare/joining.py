"""Which rows contradict each other, which are copies, and which must stay in one split."""

from copy import deepcopy
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from steady.prepare.duplicates import BATCH, Sets, band_hashes, bands, equal_runs, item_tokens, near_pairs, normal_form
from steady.prepare.table import NONE, Table

Rows = NDArray[np.int64]
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)


class Joined(NamedTuple):
    """Facts about the rows of a table.

    `copies`: (rows,) whether another row says the same; `families`: (rows,) rows with one intent and one target share a name;
    `clusters`: (rows,) so do families that share a prompt or are nearly equal, which are split as one; `near`: the number of
    pairs of near-duplicates that were joined.
    """

    copies: NDArray[np.bool_]
    families: NDArray[np.int32]
    clusters: NDArray[np.int32]
    near: int


def contradictions(table: Table, same_output: frozenset[int]) -> tuple[Rows, Rows]:
    """Rows whose text has several labels, and rows (of the sources `same_output`) whose group has several outputs."""
    if not len(table):
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    labelled = np.array([table.labels(code) is not None for code in range(len(table.strata))])[table.column("stratum")]
    grouped = np.isin(table.column("source"), list(same_output)) & (table.column("group") != NONE)
    answer = table.column("answer")
    return _several(table.column("prompt"), answer, labelled), _several(table.column("group"), answer, grouped)


def _several(keys: NDArray[np.uint64], answers: NDArray[np.uint64], wanted: NDArray[np.bool_]) -> Rows:
    rows = np.flatnonzero(wanted)
    found = [rows[run] for run in equal_runs(keys[rows]) if len(np.unique(answers[rows[run]])) > 1]
    return np.concatenate(found) if found else np.empty(0, dtype=np.int64)


def join(table: Table, threshold: float | None, left_out: Rows, scratch: Path) -> Joined:
    """Find copies and join rows; those in `left_out` (contradictions) take no part. `scratch` holds MinHash bands for a while.

    A copy says what another row of the same given split says; the one whose content hash is smallest stays.
    """
    taking_part = np.ones(len(table), dtype=bool)
    taking_part[left_out] = False
    rows = np.flatnonzero(taking_part)
    families, copies = Sets(len(table)), np.zeros(len(table), dtype=bool)
    content, prompt, group = table.column("content"), table.column("prompt"), table.column("group")
    # A hash of prompt, answer and given split; made in place, since every array here has a number for each row.
    hashes = prompt * _MULTIPLIER
    hashes ^= table.column("answer")
    hashes *= _MULTIPLIER
    hashes ^= table.column("split")
    for run in equal_runs(hashes[rows]):
        members = rows[run][np.argsort(content[rows[run]], kind="stable")]
        copies[members[1:]] = True
        families.join(*members.tolist())
    del hashes
    given = rows[group[rows] != NONE]
    for run in equal_runs(group[given]):
        families.join(*given[run].tolist())
    # What is split as one may differ in its target, so a prompt joins clusters and not families.
    clusters = deepcopy(families)
    for run in equal_runs(prompt[rows]):
        clusters.join(*rows[run].tolist())
    near = _join_near(table, rows[~copies[rows]], threshold, clusters, scratch) if threshold is not None else 0
    return Joined(copies, families.names(), clusters.names(), near)


def _join_near(table: Table, rows: Rows, threshold: float, clusters: Sets, scratch: Path) -> int:
    """Join near-duplicates among the rows; returns the number of pairs that this joined. The bands lie on disk."""

    # A pair is checked soon after others of its bucket, so the last few thousand token sets are kept.
    @lru_cache(maxsize=BATCH)
    def tokens(row: int) -> set[str]:
        draft = table.draft(row)
        if draft.messages is not None:
            return item_tokens("", normal_form("\n".join(message.content for message in draft.messages[:-1])))
        return item_tokens(normal_form(draft.instruction), normal_form(draft.input))

    # Band after band: hashes are made by document and read back by band, one band in memory at a time.
    width = 8 * len(rows)
    count = bands(threshold)[0]
    try:
        with scratch.open("wb") as file:
            for start in range(0, len(rows), BATCH):
                hashes = band_hashes([tokens(row) for row in rows[start : start + BATCH].tolist()], threshold)
                for band in range(count):
                    file.seek(band * width + 8 * start)
                    file.write(hashes[:, band].tobytes())
        columns = (np.fromfile(scratch, dtype=np.uint64, count=len(rows), offset=band * width) for band in range(count))
        return sum(1 for _ in near_pairs(columns, rows, tokens, threshold, clusters))
    finally:
        scratch.unlink(missing_ok=True)
