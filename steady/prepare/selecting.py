"""Which rows are asked for: caps, weights and numbers of groups, sampled by seed; groups are taken whole as far as that goes."""

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from steady.prepare.joining import Joined, Rows
from steady.prepare.params import DataParams
from steady.prepare.splits import group_ranks
from steady.prepare.table import Table


def select(params: DataParams, table: Table, joined: Joined, eligible: Rows, seed: int) -> tuple[Rows, Counter[str]]:
    """(the rows that stay, ascending; how many rows each limit left out)."""
    left_out: Counter[str] = Counter()
    limits = (params.max_groups, params.max_rows, *(item.max_rows or item.weight for item in params.sources))
    if not any(limits):
        return eligible, left_out
    # Families are drawn and not rows, so that a group stays whole as long as the limit allows.
    content, families = table.column("content")[eligible], joined.families
    ranks = group_ranks(families[eligible], content, len(table), seed, "sample")[families]
    source = table.column("source")
    caps = {place: item.max_rows for place, item in enumerate(params.sources) if item.max_rows is not None}
    capped = _limited(eligible, ranks, source, caps)
    left_out["max_rows_of_source"] = len(eligible) - len(capped)
    weighed = capped
    if any(item.weight is not None for item in params.sources):
        # The largest mixture that has the weights as proportions and repeats no row.
        weights = [item.weight or 1.0 for item in params.sources]
        available = np.bincount(source[capped], minlength=len(weights)).tolist()
        unit = min(rows / weight for rows, weight in zip(available, weights, strict=True))
        # The product may fall a rounding error short of a whole number.
        shares = {place: int(unit * weight + 1e-9) for place, weight in enumerate(weights)}
        weighed = _limited(capped, ranks, source, shares)
    left_out["weight"] = len(capped) - len(weighed)
    chosen = weighed
    if params.max_groups is not None:
        drawn = np.unique(ranks[weighed])[: params.max_groups]
        chosen = weighed[np.isin(ranks[weighed], drawn)]
        left_out["max_groups"] = len(weighed) - len(chosen)
    if params.max_rows is not None:
        before = len(chosen)
        chosen = _first(chosen, ranks, params.max_rows)
        left_out["max_rows"] = before - len(chosen)
    return chosen, +left_out


def _limited(rows: Rows, ranks: NDArray[np.uint64], source: NDArray[np.uint16], limits: dict[int, int]) -> Rows:
    parts = [rows[~np.isin(source[rows], list(limits))]]
    parts += [_first(rows[source[rows] == place], ranks, limit) for place, limit in limits.items()]
    return np.sort(np.concatenate(parts))


def _first(rows: Rows, ranks: NDArray[np.uint64], limit: int) -> Rows:
    """So many rows, by the rank of their family: the rows of a family stand together."""
    return np.sort(rows[np.argsort(ranks[rows], kind="stable")[:limit]])
