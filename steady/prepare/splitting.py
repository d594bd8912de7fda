"""The split of every row: given splits are eligible, leaks between them taken out, and the other rows split by their clusters."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from steady.labels import NO_LABELS
from steady.prepare.joining import Joined, Rows
from steady.prepare.params import DataParams
from steady.prepare.splits import SPLITS, UNUSED, assign, split_sizes
from steady.prepare.table import NONE, Table

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
    """Split the eligible rows.

    A row that shares a cluster with rows of a later given split (test is the last) would leak: it is taken out, since the
    later split is the one that results are quoted for. A row without a given split follows the given one of its cluster.

    Raises:
        SteadyError: there are fewer rows than are asked for.
    """
    # In the table 0 is no given split; here that is UNUSED.
    given = table.column("split")[eligible].astype(np.int8) - 1
    cluster = dense(joined.clusters[eligible])
    latest = np.full(cluster.max() + 1, UNUSED, dtype=np.int8)
    # The later split wins: results are quoted for test, and validation chooses between models.
    np.maximum.at(latest, cluster, given)
    places: NDArray[np.int8] = latest[cluster]
    leaking = (given != UNUSED) & (given < places)
    leaks = _kinds(table, eligible, given, leaking)
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


def _kinds(table: Table, eligible: Rows, given: NDArray[np.int8], leaking: NDArray[np.bool_]) -> dict[str, int]:
    """How many leaking rows have their text, else their group, else a near-duplicate in a later split."""
    counts = {"same_text": 0, "same_group": 0, "near_duplicate": 0}
    prompt, group = table.column("prompt")[eligible], table.column("group")[eligible]
    for place in np.unique(given[leaking]).tolist():
        rows = leaking & (given == place)
        later = given > place
        same_text = np.isin(prompt[rows], prompt[later])
        same_group = np.isin(group[rows], group[later & (group != NONE)]) & ~same_text
        counts["same_text"] += int(same_text.sum())
        counts["same_group"] += int(same_group.sum())
        counts["near_duplicate"] += int((~same_text & ~same_group).sum())
    return counts


def _split_the_rest(
    params: DataParams, table: Table, eligible: Rows, cluster: NDArray[np.int32], places: NDArray[np.int8], seed: int
) -> None:
    """Assign the rows without a given split; where all have one and none is validation, that is taken from train."""
    sizes: tuple[int | float, ...] = (params.train_rows, params.validation_rows, params.test_rows)
    splits = {source.split for source in params.sources}
    if None not in splits:
        _keep_counts(sizes, table, eligible, cluster, places, seed)
    # Rows that came with a split stay there, and what shares a cluster with them has followed.
    free = places == UNUSED
    if None not in splits:
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
        places[free] = assign(group, table.column("content")[rows], strata, wanted, seed=seed, exact=exact)


def _keep_counts(
    sizes: tuple[int | float, ...],
    table: Table,
    eligible: Rows,
    cluster: NDArray[np.int32],
    places: NDArray[np.int8],
    seed: int,
) -> None:
    """Of splits that came with the data, as many rows as a count asks for, in the shares of their labels; a share takes them all.

    Validation rows that are to be taken from the train rows come beside those that `train_rows` counts.
    """
    beside = sizes[VALIDATION] if not (places == VALIDATION).any() and isinstance(sizes[VALIDATION], int) else 0
    for place, size in enumerate(sizes):
        free = places == place
        wanted = int(size) + (int(beside) if place == TRAIN else 0)
        if isinstance(size, float) or not wanted or int(free.sum()) <= wanted:
            continue
        rows, group = eligible[free], dense(cluster[free])
        chosen = assign(
            group, table.column("content")[rows], _strata(table, rows, group), (wanted, 0, 0), seed=seed, exact=True
        )
        places[free] = np.where(chosen == TRAIN, place, UNUSED).astype(np.int8)


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
