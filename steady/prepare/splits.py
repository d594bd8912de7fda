"""Groups into train, validation and test: seeded, stratified, of exact sizes, and no group in two of them."""

from collections.abc import Sequence
from fractions import Fraction
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steady.errors import SteadyError
from steady.records import Split

SPLITS: tuple[Split, ...] = ("train", "validation", "test")
UNUSED = -1
# Smaller differences are rounding errors, which differ from processor to processor and must not decide.
TIE_DECIMALS = 9
Whole = NDArray[np.int64] | NDArray[np.int32]
Keys = NDArray[np.uint64]


def split_sizes(sizes: Sequence[int | float], available: int) -> tuple[int, ...]:
    """Rows of (train, validation, test) from counts (integers) and shares (fractions of the available rows).

    Shares are rounded so that they add up: 0.5, 0.1 and 0.4 of 7 rows are 3, 1 and 3. SteadyError where more rows are asked for
    than there are, or none for train.
    """
    # 0.1 as it is written, not the nearest binary fraction, which would tip some roundings.
    shares = [Fraction(str(size)) * available if isinstance(size, float) else Fraction(0) for size in sizes]
    rounded = largest_remainders(shares, round(sum(shares)))
    rows = tuple(rounded[i] if isinstance(size, float) else size for i, size in enumerate(sizes))
    if sum(rows) > available or rows[0] < 1:
        asked = ", ".join(f"data.{name}_rows: {size}" for name, size in zip(SPLITS, sizes, strict=True))
        raise SteadyError(
            f"{asked} need {max(sum(rows), 1)} rows, at least one of them for train, and there are {available} without "
            "duplicates, rejected and left-out rows. Lower them, or write shares such as 0.5, 0.1, 0.4."
        )
    return rows


def largest_remainders(quotas: Sequence[Fraction], total: int) -> list[int]:
    """Whole numbers near the quotas that add up to `total`; the largest remainders are rounded up, the first wins a tie."""
    floors = [int(quota) for quota in quotas]
    order = sorted(range(len(quotas)), key=lambda i: (floors[i] - quotas[i], i))
    for i in order[: total - sum(floors)]:
        floors[i] += 1
    return floors


def assign(
    group: Whole, keys: Keys, strata: Whole, sizes: Sequence[int], *, seed: int, exact: bool = True
) -> NDArray[np.int8]:
    """The split of each row: an index into `SPLITS`, or `UNUSED` for rows beyond the sizes.

    Each stratum gives each split its share, to the nearest row. Larger groups are placed first, so that single rows can
    make the sizes exact; where single rows run out, a group gives only as many rows as are wanted (`exact`), or goes
    whole to the split that lacks most.

    Args:
        group: (rows,) the group of each row, 0 … groups - 1.
        keys: (rows,) a hash of each row's content: the result depends on these and the seed, not on the order of rows.
        strata: (groups,) the stratum of each group, 0 … strata - 1; or, where a row may have several labels, (groups, labels)
            how many rows of each group have each label (`by_labels`).

    Raises:
        SteadyError: whole groups cannot make the sizes, and there are no spare rows.
    """
    counts = np.bincount(group).astype(np.int32)
    ranks = group_ranks(group, keys, len(counts), seed, "split")
    placed = _by_stratum if strata.ndim == 1 else by_labels
    places = placed(strata, counts, ranks, sizes)
    missing = [size - int(counts[places == i].sum()) for i, size in enumerate(sizes)]
    spare = np.flatnonzero(places == UNUSED)
    spare = spare[np.lexsort((ranks[spare], -counts[spare]))]
    cuts = _complete(spare, counts, missing, places, exact=exact)
    split: NDArray[np.int8] = places[group]
    for name, (place, rows) in cuts.items():
        members = np.flatnonzero(group == name)
        split[members[np.argsort(keys[members], kind="stable")[:rows]]] = place
    return split


def _by_stratum(strata: Whole, counts: Whole, ranks: Keys, sizes: Sequence[int]) -> NDArray[np.int8]:
    places = np.full(len(counts), UNUSED, dtype=np.int8)
    order = np.lexsort((ranks, -counts, strata))
    rows_of_stratum = np.bincount(strata, weights=counts).astype(int).tolist()
    end = 0
    groups_of_stratum = np.bincount(strata).tolist()
    for groups, quotas in zip(groups_of_stratum, stratified_quotas(rows_of_stratum, sizes), strict=True):
        wanted, start, end = list(quotas), end, end + groups
        # Whole groups, the largest first, where most rows are wanted; what fits nowhere stays unused.
        several = order[start:end][counts[order[start:end]] > 1]
        for name in several.tolist():
            place = wanted.index(max(wanted))
            if wanted[place] >= counts[name]:
                places[name] = place
                wanted[place] -= int(counts[name])
        # Single rows fit anywhere, so they make up what is still wanted.
        start += len(several)
        for place, rows in enumerate(wanted):
            places[order[start : min(start + rows, end)]] = place
            start += rows
    return places


def by_labels(carried: Whole, counts: Whole, ranks: Keys, sizes: Sequence[int]) -> NDArray[np.int8]:
    """Places for groups whose rows have several labels: iterative stratification, the rarest label first.

    Of the label that fewest unplaced rows have, each group goes whole to the split that lacks most rows of it and has room
    for the group; on a tie, to the one that is furthest behind with all that the group has. Rows beyond the sizes are a split
    of their own here, so that what is used keeps the shares too. What fits nowhere stays unused.

    Source: Sechidis, Tsoumakas & Vlahavas 2011, On the Stratification of Multi-Label Data, algorithm 1; the tie is ours.

    Args:
        carried: (groups, labels) how many rows of each group have each label.
        counts: (groups,) rows of each group; `ranks` breaks ties between groups.
    """
    # What each split lacks: rows of each label and, in the last column, rows at all; the last row is the unused rest.
    totals = np.append(carried.sum(axis=0, dtype=np.int64), max(1, int(counts.sum()))).clip(1)
    rows = np.asarray([*sizes, int(counts.sum()) - sum(sizes)], dtype=np.float64)
    # a split of no rows would be divided by
    shares = (rows / totals[-1]).clip(1e-9)
    lacking = np.outer(shares, totals)
    lacking[:, -1] = rows
    # `len(sizes)` is the place of the unused rest, one more says that a group is not placed yet.
    places = np.full(len(counts), len(sizes) + 1, dtype=np.int8)
    order = np.lexsort((ranks, -counts))
    while (free := order[places[order] > len(sizes)]).size:
        left = carried[free].sum(axis=0, dtype=np.int64)
        rarest = int(np.where(left > 0, left, np.iinfo(np.int64).max).argmin()) if left.any() else len(left)
        for name in free[carried[free, rarest] > 0] if rarest < len(left) else free:
            group = np.append(carried[name], counts[name])
            step = group / totals
            behind = lacking @ (step / totals) - (step @ step) / 2  # how much the squared shortage falls
            keys = np.round(np.column_stack([lacking[:, rarest], behind / shares]), TIE_DECIMALS).tolist()
            fitting = [place for place, room in enumerate(lacking[:, -1].tolist()) if room >= group[-1]]
            # the first one of those that are equal
            places[name] = -max((*keys[place], -place) for place in fitting or [len(sizes)])[-1]
            lacking[places[name]] -= group
    return np.where(places == len(sizes), UNUSED, places).astype(np.int8)


def stratified_quotas(available: Sequence[int], sizes: Sequence[int]) -> list[tuple[int, ...]]:
    """Rows that each stratum gives to each split: nearest whole numbers whose columns add up to `sizes`.

    A stratum gives at most what it has, so test is apportioned first, then validation, then train, each of what is left.
    """
    left = list(available)
    columns: list[list[int]] = []
    for size in reversed(sizes):
        total = sum(left)
        column = largest_remainders([Fraction(rows * size, total) if total else Fraction(0) for rows in left], size)
        left = [rows - given for rows, given in zip(left, column, strict=True)]
        columns.insert(0, column)
    # Each stratum that gives any row gives one for train: a class that was never trained on cannot be learned, only missed.
    train, *others = columns
    for stratum, rows in enumerate(train):
        place = next((column for column in reversed(others) if column[stratum]), None)
        donor = max(range(len(train)), key=lambda other: (train[other], -other))
        if rows or place is None or train[donor] < 2:
            continue
        # The stratum with the most rows in train takes its place in the other split, so that the sizes stay.
        for column, given, taken in ((place, stratum, donor), (train, donor, stratum)):
            column[given] -= 1
            column[taken] += 1
    return list(zip(*columns, strict=True))


def seeded(keys: Keys, seed: int, purpose: str) -> Keys:
    """Pseudo-random ranks of content hashes: splitmix64 of each, started from the seed and the purpose."""
    start = int.from_bytes(blake2b(f"{seed}:{purpose}".encode(), digest_size=8).digest(), "little")
    # splitmix64: Steele, Lea and Flood 2014, Fast Splittable Pseudorandom Number Generators.
    mixed = keys + np.uint64(start)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    result: Keys = mixed ^ (mixed >> np.uint64(31))
    return result


def group_ranks(group: Whole, keys: Keys, groups: int, seed: int, purpose: str) -> Keys:
    """A seeded rank for each group, from the smallest content hash among its rows."""
    smallest = np.full(groups, np.iinfo(np.uint64).max, dtype=np.uint64)
    # the smallest, since it does not depend on the order of the rows
    np.minimum.at(smallest, group, keys)
    return seeded(smallest, seed, purpose)


def _complete(
    spare: Any, counts: Whole, missing: list[int], places: NDArray[np.int8], *, exact: bool
) -> dict[int, tuple[int, int]]:
    """Fill the last places from the spare groups, the largest first; returns the groups to cut: group to (split, rows)."""
    cuts: dict[int, tuple[int, int]] = {}
    for name in spare.tolist():
        place = missing.index(max(missing))
        if missing[place] <= 0:
            break
        if not exact or counts[name] <= missing[place]:
            places[name] = place
            missing[place] -= int(counts[name])
    # The smallest first, since the rest of a group that is cut is lost.
    for name in reversed(spare[places[spare] == UNUSED].tolist()):
        place = missing.index(max(missing))
        if missing[place] > 0:
            cuts[name] = (place, min(missing[place], int(counts[name])))
            missing[place] -= cuts[name][1]
    if exact and max(missing) > 0:
        place = missing.index(max(missing))
        raise SteadyError(
            f"The sizes cannot be met with whole groups: {SPLITS[place]} lacks {missing[place]} rows, and all rows that are left "
            "belong to groups of another split. Ask for fewer rows, or for shares such as 0.5, 0.1, 0.4."
        )
    return cuts
