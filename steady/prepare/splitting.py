"""Which rows are asked for, and the split of each: given splits hold, leaks between them go, other rows follow their clusters."""

from collections import Counter
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from steady.labels import NO_LABELS
from steady.prepare.joining import Joined, Rows
from steady.prepare.params import DataParams
from steady.prepare.splits import SPLITS, UNUSED, assign, group_ranks, split_sizes
from steady.prepare.table import NONE, Table


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


LEAK = -2
TRAIN, VALIDATION, TEST = range(3)


class Splitting(NamedTuple):
    """`places`: (eligible rows,) indices into `SPLITS`, `UNUSED` or `LEAK`; `leaks`: rows taken out, by what they shared; `left`:
    clusters that are still in two splits.
    """

    places: NDArray[np.int8]
    leaks: dict[str, int]
    left: int


def split_rows(params: DataParams, table: Table, joined: Joined, eligible: Rows, seed: int) -> Splitting:
    """Split the eligible rows; SteadyError where there are fewer than are asked for.

    A row that shares a cluster with rows of a later given split (test is the last) would leak: it is taken out, since the
    later split is the one that results are quoted for. A row without a given split follows the given one of its cluster.
    """
    # In the table 0 is no given split; here that is UNUSED.
    given = table.column("split")[eligible].astype(np.int8) - 1
    cluster = dense(joined.clusters[eligible])
    latest = np.full(cluster.max() + 1, UNUSED, dtype=np.int8)
    # The later split wins: results are quoted for test, and validation chooses between models.
    np.maximum.at(latest, cluster, given)
    places: NDArray[np.int8] = latest[cluster]
    leaking = (given != UNUSED) & (given < places)
    # How many of those rows have their text, else their group, else a near-duplicate in a later split.
    leaks = {"same_text": 0, "same_group": 0, "near_duplicate": 0}
    prompt, group = table.column("prompt")[eligible], table.column("group")[eligible]
    for place in np.unique(given[leaking]).tolist():
        rows, later = leaking & (given == place), given > place
        same_text = np.isin(prompt[rows], prompt[later])
        same_group = np.isin(group[rows], group[later & (group != NONE)]) & ~same_text
        leaks["same_text"] += int(same_text.sum())
        leaks["same_group"] += int(same_group.sum())
        leaks["near_duplicate"] += int((~same_text & ~same_group).sum())
    places[leaking] = LEAK
    _split_the_rest(params, table, eligible, cluster, places, seed)
    used = places >= 0
    pairs = np.unique(cluster[used].astype(np.int64) * len(SPLITS) + places[used])
    return Splitting(places, leaks, left=int((np.bincount(pairs // len(SPLITS)) > 1).sum()))


def dense(names: NDArray[np.int32]) -> NDArray[np.int32]:
    """The same sets numbered 0, 1, … in the order of their names, which are not negative."""
    present = np.zeros(int(names.max()) + 1 if len(names) else 0, dtype=np.int32)
    present[names] = 1
    numbers: NDArray[np.int32] = np.cumsum(present, dtype=np.int32)[names] - np.int32(1)
    return numbers


def _split_the_rest(
    params: DataParams, table: Table, eligible: Rows, cluster: NDArray[np.int32], places: NDArray[np.int8], seed: int
) -> None:
    """Assign the rows without a given split; where all have one and none is validation, that is taken from train."""
    sizes: tuple[int | float, ...] = (params.train_rows, params.validation_rows, params.test_rows)
    splits = {source.split for source in params.sources}
    content = table.column("content")
    # Rows that came with a split stay there, and what shares a cluster with them has followed.
    free = places == UNUSED
    if None not in splits:
        # Validation rows that are to be taken from the train rows come beside those that `train_rows` counts.
        taken = (
            0 if (places == VALIDATION).any() or isinstance(params.validation_rows, float) else params.validation_rows
        )
        for place, size in enumerate(sizes):
            # As many rows as a count asks for, in the shares of their labels; a share takes them all.
            free = places == place
            kept = int(size) + (taken if place == TRAIN else 0)
            if not isinstance(size, float) and 0 < kept < int(free.sum()):
                rows, group = eligible[free], dense(cluster[free])
                strata = _strata(table, rows, group)
                chosen = assign(group, content[rows], strata, (kept, 0, 0), seed=seed, exact=True)
                places[free] = np.where(chosen == TRAIN, place, UNUSED).astype(np.int8)
        if "validation" in splits or not params.validation_rows or "train" not in splits:
            return
        free = places == TRAIN
        # At least one row has to stay for training.
        taken = split_sizes((1, params.validation_rows, 0), int(free.sum()))[VALIDATION]
        sizes = (int(free.sum()) - taken, taken, 0)
    rows = eligible[free]
    if len(rows):
        wanted = split_sizes(sizes, len(rows))
        group = dense(cluster[free])
        exact = any(isinstance(size, int) and size for size in sizes) and None in splits
        strata = _carried(table, rows, group) if params.multi_label else _strata(table, rows, group)
        places[free] = assign(group, content[rows], strata, wanted, seed=seed, exact=exact)


def _strata(table: Table, rows: Rows, group: NDArray[np.int32]) -> NDArray[np.int32]:
    """The stratum of each group: that of its row with the smallest content hash; numbered by name, as rows may be reordered."""
    order = np.lexsort((table.column("content")[rows], group))
    firsts = order[np.flatnonzero(np.diff(group[order], prepend=-1))]
    del order
    # Strata are numbered as they first occur, which depends on the order of the rows.
    by_name = np.argsort(np.argsort(list(table.strata))).astype(np.int32)
    return dense(by_name[table.column("stratum")[rows[firsts]]])


def _carried(table: Table, rows: Rows, group: NDArray[np.int32]) -> NDArray[np.int32]:
    """(groups, labels) how many rows of each group have each label; the labels by name, no label at all as one more."""
    sets = [table.labels(stratum) or [NO_LABELS] for stratum in range(len(table.strata))]
    names = sorted({label for labels in sets for label in labels})
    carries = np.array([[name in labels for name in names] for labels in sets], dtype=np.int32)
    found = np.zeros((int(group.max()) + 1, len(names)), dtype=np.int32)
    np.add.at(found, group, carries[table.column("stratum")[rows]])
    return found
