"""Equal and nearly equal texts: normal forms, 64-bit hashes of them, and pairs found by MinHash and checked exactly."""

from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import blake2b
from itertools import combinations, pairwise
from math import ceil, inf, log, log1p
from unicodedata import normalize

import numpy as np
from numpy.typing import NDArray

MAX_PERMUTATIONS = 128
RECALL = 0.999
SHORT_WORDS = 8
LONG_WORDS = 12
BATCH = 2000
REMEMBERED = 100_000
_SIGNATURE_SEED = 20
Hashes = NDArray[np.uint64]
Places = NDArray[np.int64]


def normal_form(text: str) -> str:
    """The text by which duplicates are known: NFKC, case folded, each run of white space one space."""
    # NFKC and case folding do no more than this to ASCII text.
    folded = text.lower() if text.isascii() else normalize("NFKC", text).casefold()
    return " ".join(folded.split())


def text_hash(text: str) -> int:
    """64 bits of BLAKE2b."""
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


def item_tokens(instruction: str, text: str) -> set[str]:
    """Words and pairs of neighbouring words of what sets an item apart from others (both arguments in normal form).

    That is the input; the instruction where there is none. Many items share an instruction that is longer than their
    input, so a short input counts only beside the same instruction. A text without spaces, such as Chinese, counts by its characters.
    """
    item = text or instruction
    words = item.split()
    if not item.isascii() and sum(map(len, words)) > LONG_WORDS * len(words):
        words = list("".join(words))
    prefix = f"{text_hash(instruction):x} " if text and instruction and len(words) < SHORT_WORDS else ""
    return {prefix + word for word in words} | {f"{prefix}{a} {b}" for a, b in pairwise(words)}


def similarity(left: set[str], right: set[str]) -> float:
    """Jaccard similarity; two empty sets are not similar."""
    shared = len(left & right)
    return shared / (len(left) + len(right) - shared) if shared else 0.0


def bands(threshold: float) -> tuple[int, int]:
    """(bands, rows a band): the most selective ones that find a pair at the threshold with probability 0.999 or more.

    A pair of similarity s shares a band with probability 1 - (1 - s^rows)^bands (Leskovec, Rajaraman and Ullman,
    Mining of Massive Datasets, section 3.4).
    """
    for rows in range(MAX_PERMUTATIONS, 1, -1):
        shared = threshold**rows
        count = 1 if shared == 1 else log(1 - RECALL) / log1p(-shared) if shared else inf
        if ceil(min(count, MAX_PERMUTATIONS + 1)) * rows <= MAX_PERMUTATIONS:
            return ceil(count), rows
    return MAX_PERMUTATIONS, 1


def band_hashes(documents: Sequence[set[str]], threshold: float) -> Hashes:
    """(documents, bands) hashes of the MinHash signatures; those of a document without tokens are all 0."""
    from rensa import RMinHash

    count, rows = bands(threshold)
    signatures = RMinHash.digest_matrix_from_token_sets(list(map(sorted, documents)), count * rows, _SIGNATURE_SEED)
    values = np.array(signatures.to_rows(), dtype=np.uint64).reshape(len(documents), count, rows)
    hashes = np.zeros((len(documents), count), dtype=np.uint64)
    for row in range(rows):
        # An odd multiplier maps 64-bit numbers one to one; the shift brings the high bits down to where the next value acts.
        hashes = (hashes ^ values[:, :, row]) * np.uint64(0x9E3779B97F4A7C15)
        hashes ^= hashes >> np.uint64(29)
    # All empty documents would share every band; 0 stands for nothing to compare.
    hashes[[not document for document in documents]] = 0
    return hashes


def near_pairs(
    columns: Iterable[Hashes], names: Places, tokens: Callable[[int], set[str]], threshold: float, sets: "Sets"
) -> Iterator[tuple[int, int]]:
    """Pairs of documents whose exact similarity reaches the threshold, and that `sets` does not hold together yet.

    Each pair found is joined in `sets`, so the pairs connect all near-duplicates that MinHash proposes without listing every pair.

    Args:
        columns: the columns of `band_hashes`, (documents,) each.
        names: (documents,) ascending; `tokens` and `sets` know a document by its name.
    """
    checked: set[tuple[int, int]] = set()
    for column in columns:
        # A pair in several bands is checked once, as far as a set of constant size remembers.
        checked = checked if len(checked) < REMEMBERED else set()
        for members in equal_runs(column):
            if column[members[0]] == 0:
                continue
            for pair in combinations(names[members].tolist(), 2):
                # What is in one set already needs no comparison: the pairs of a bucket grow with its square.
                if sets.find(pair[0]) != sets.find(pair[1]) and pair not in checked:
                    checked.add(pair)
                    if similarity(tokens(pair[0]), tokens(pair[1])) >= threshold:
                        sets.join(*pair)
                        yield pair


def equal_runs(values: Hashes) -> Iterator[Places]:
    """The positions, ascending, of each value that occurs more than once."""
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    repeats = np.flatnonzero(ordered[1:] == ordered[:-1])
    # A column of millions of rows is not held twice while the runs are gone through.
    del ordered
    starts = repeats[np.diff(repeats, prepend=-2) != 1]
    ends = repeats[np.diff(repeats, append=len(order) + 1) != 1] + 2
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        yield order[start:end]


class Sets:
    """Disjoint sets of 0 … size - 1; the smallest member stands for a set."""

    def __init__(self, size: int) -> None:
        # Four bytes an item: a list would take eight and an object for each item.
        self.parents = array("i", range(size))

    def find(self, item: int) -> int:
        """The smallest member of the item's set."""
        parents = self.parents
        while parents[item] != item:
            # Path halving keeps the way to the smallest member short.
            parents[item] = parents[parents[item]]
            item = parents[item]
        return item

    def join(self, first: int, *others: int) -> None:
        """Make one set of several."""
        for other in others:
            low, high = sorted((self.find(first), self.find(other)))
            self.parents[high] = low

    def names(self) -> NDArray[np.int32]:
        """(size,) the smallest member of each item's set."""
        parents = np.array(self.parents, dtype=np.int32)
        while not np.array_equal(parents, parents[parents]):
            parents = parents[parents]
        return parents
