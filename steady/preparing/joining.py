"""Which rows contradict each other, which are copies, and which must stay in one split."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from steady.duplicates import BATCH, Sets, band_hashes, equal_runs, item_tokens, near_pairs, normal_form
from steady.preparing.table import NONE, Table

Rows = NDArray[np.int64]


class Joined(NamedTuple):
    """Facts about the rows of a table.

    `copies`: (rows,) whether the row says what an earlier-ranked one says; `families`: (rows,) rows with one intent and one
    target share a name; `clusters`: (rows,) so do families that share a prompt or are nearly equal, which are split as one.
    """

    copies: NDArray[np.bool_]
    families: Rows
    clusters: Rows
    near: int


def contradictions(table: Table, same_output: frozenset[int]) -> tuple[Rows, Rows]:
    """Rows whose text has several labels, and rows (of the sources `same_output`) whose group has several outputs."""
    answer = table.column("answer")
    labelled = np.array([not name.startswith("\x1e") for name in table.strata], dtype=bool)[table.column("stratum")]
    grouped = np.isin(table.column("source"), list(same_output)) & (table.column("group") != NONE)
    return _several(table.column("prompt"), answer, labelled), _several(table.column("group"), answer, grouped)


def _several(keys: NDArray[np.uint64], answers: NDArray[np.uint64], wanted: NDArray[np.bool_]) -> Rows:
    rows = np.flatnonzero(wanted)
    found = [rows[run] for run in equal_runs(keys[rows]) if len(np.unique(answers[rows[run]])) > 1]
    return np.concatenate(found) if found else np.empty(0, dtype=np.int64)


def join(table: Table, threshold: float | None, left_out: Rows) -> Joined:
    """Find copies and join rows; those in `left_out` (contradictions) take no part."""
    taking_part = np.ones(len(table), dtype=bool)
    taking_part[left_out] = False
    rows = np.flatnonzero(taking_part)
    families, copies = Sets(len(table)), np.zeros(len(table), dtype=bool)
    content, prompt, group = table.column("content"), table.column("prompt"), table.column("group")
    for run in equal_runs((prompt * np.uint64(0x9E3779B97F4A7C15) ^ table.column("answer"))[rows]):
        members = rows[run][np.argsort(content[rows[run]], kind="stable")]
        copies[members[1:]] = True
        _join_all(families, members)
    given = rows[group[rows] != NONE]
    for run in equal_runs(group[given]):
        _join_all(families, given[run])
    clusters = families.copy()
    for run in equal_runs(prompt[rows]):
        _join_all(clusters, rows[run])
    kept = rows[~copies[rows]]
    near = _join_near(table, kept, threshold, clusters) if threshold is not None else 0
    return Joined(copies, families.names(), clusters.names(), near)


def _join_all(sets: Sets, members: Rows) -> None:
    first, *others = members.tolist()
    for other in others:
        sets.join(first, other)


def _join_near(table: Table, rows: Rows, threshold: float, clusters: Sets) -> int:
    """Join near-duplicates among the rows; returns the number of pairs that this joined."""
    if not len(rows):
        return 0

    def tokens(row: int) -> set[str]:
        draft = table.draft(row)
        if draft.messages is not None:
            return item_tokens("", normal_form("\n".join(message.content for message in draft.messages[:-1])))
        return item_tokens(normal_form(draft.instruction), normal_form(draft.input))

    batches = [rows[start : start + BATCH].tolist() for start in range(0, len(rows), BATCH)]
    hashes = np.concatenate([band_hashes([tokens(row) for row in batch], threshold) for batch in batches])
    return sum(1 for _ in near_pairs(hashes, rows.tolist(), tokens, threshold, clusters))
