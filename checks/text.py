"""Measures of a set of texts: repeated runs of words, diversity, near duplicates. Pure functions over lists of texts."""

import re
import zlib
from collections import defaultdict
from collections.abc import Sequence

from rensa import RMinHash, RMinHashLSH

_WORD = re.compile(r"\w+(?:['’]\w+)*")
SHINGLE = 5  # characters; five is the usual choice for short texts
PERMUTATIONS = 128
BANDS = 32  # four values a band: pairs above a Jaccard similarity of about .42 are looked at, then measured exactly


def words(text: str) -> list[str]:
    """The lower-cased words of a text, without punctuation."""
    return _WORD.findall(text.lower())


def runs(text: str, length: int) -> list[tuple[str, ...]]:
    """Every run of `length` consecutive words, in order."""
    tokens = words(text)
    return [tuple(tokens[start : start + length]) for start in range(len(tokens) - length + 1)]


def repeated_runs(texts: Sequence[str], length: int, allowed: int) -> dict[tuple[str, ...], list[int]]:
    """Runs of `length` words that occur in more than `allowed` texts, with the indices of those texts."""
    where: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for index, text in enumerate(texts):
        for run in dict.fromkeys(runs(text, length)):
            where[run].append(index)
    return {run: rows for run, rows in where.items() if len(rows) > allowed}


def distinct_share(texts: Sequence[str], length: int = 4) -> float:
    """Distinct runs of `length` words divided by all runs, over the whole set: 1 where no run occurs twice."""
    found = [run for text in texts for run in runs(text, length)]
    return len(set(found)) / len(found) if found else 0.0


def compression_ratio(texts: Sequence[str]) -> float:
    """Bytes of the joined texts divided by their bytes under DEFLATE at level 9; higher is more repetitive.

    Shaib et al. 2024, arXiv 2403.00553, recommend it as the one quick measure of repetition in a set of texts.
    """
    raw = "\n".join(texts).encode()
    return len(raw) / len(zlib.compress(raw, 9))


def normal_form(text: str) -> str:
    """Lower case, single spaces, no punctuation: texts that differ in nothing else are exact duplicates."""
    return " ".join(words(text))


def shingles(text: str) -> set[str]:
    """The set of character 5-grams of the normal form; a shorter text is its own single shingle."""
    form = normal_form(text)
    return {form[start : start + SHINGLE] for start in range(max(1, len(form) - SHINGLE + 1))}


def near_duplicates(texts: Sequence[str], threshold: float) -> list[tuple[int, int, float]]:
    """Pairs of texts (i < j) whose Jaccard similarity over character 5-grams reaches `threshold`.

    MinHash with banding proposes the pairs, the exact similarity decides; see Broder 1997.
    """
    sets = [shingles(text) for text in texts]
    index = RMinHashLSH(threshold=threshold, num_perm=PERMUTATIONS, num_bands=BANDS)
    pairs = []
    for j, grams in enumerate(sets):
        sketch = RMinHash(num_perm=PERMUTATIONS, seed=0)
        sketch.update(sorted(grams))
        for i in sorted(index.query(sketch)):
            similarity = len(sets[i] & grams) / len(sets[i] | grams)
            if similarity >= threshold:
                pairs.append((i, j, similarity))
        index.insert(j, sketch)
    return pairs
