"""Which texts of a model are paraphrases: finished, other words, the same meaning, protected spans unchanged. Pure functions."""

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from steady.prompts.parts import PROTECTED_PATTERN

QUOTES = r'"[^"\n]*" | “[^”\n]*” | «[^»\n]*» | „[^“”\n]*[“”] | (?<!\w)\'[^\'\n]*\'(?!\w) | (?<!\w)‘[^’\n]*’(?!\w)'
KEPT_SPANS = re.compile(rf"(?:{QUOTES}) | (?:{PROTECTED_PATTERN})", re.VERBOSE | re.DOTALL)
WORDS = re.compile(r"\w+|[^\w\s]")
LEAD = re.compile(
    r"\s*(?:(?:the\s+)?(?:rewritten|rephrased|paraphrased?)\s*(?:instruction|version|text)?\s*[:\-–]\s*)", re.I
)

# Texts to L2-normalised vectors `(texts, width)`
Embed = Callable[[Sequence[str]], NDArray[np.float32]]


class Draw(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A text as a model gave it; `finished`: it ended by itself, not at the limit."""

    text: str
    finished: bool


class Judged(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A draw, cleaned, with its number; `code` says why it was rejected, None where it is kept.

    `similarity` is the cosine of the embeddings, None where another reason came first; `distance` the edits of words it takes
    to get there, as a share of the longer text.
    """

    sample: int
    text: str
    code: str | None = None
    reason: str = ""
    similarity: float | None = None
    distance: float | None = None


@dataclass(frozen=True)
class Filters:
    """What a paraphrase must keep to; `protected` are words and names that must stay beside the spans found by rule."""

    min_similarity: float = 0.7
    min_distance: float = 0.2
    protected: tuple[str, ...] = ()


def cleaned(text: str, original: str) -> str:
    """A model's answer without an announcement and quotation marks around it, and, for an original of one line, further lines."""
    found = LEAD.sub("", text, count=1).strip() if LEAD.match(text) else text.strip()
    if "\n" not in original.strip():
        found = next((line.strip() for line in found.splitlines() if line.strip()), "")
    for start, end in ('""', "“”", "''", "``"):
        inside = found[1:-1]
        # with another mark within, those at the ends may belong to two quotations
        if found.startswith(start) and found.endswith(end) and len(found) > 1 and not {start, end} & set(inside):
            return found if original.strip().startswith(start) else inside.strip()
    return found


def kept_spans(text: str, protected: Sequence[str] = ()) -> Counter[str]:
    """The spans of a text that must stay: numbers, code, addresses, slots, quotations, and the names given."""
    # as whole words: a label `no` is not in `now`
    names = Counter({name: len(re.findall(rf"(?<!\w){re.escape(name)}(?!\w)", text)) for name in protected})
    return Counter(found.group() for found in KEPT_SPANS.finditer(text)) + names


def word_distance(one: str, other: str) -> float:
    """Levenshtein distance in words and marks, case ignored, over the length of the longer text: 0 equal, 1 nothing shared."""
    # Levenshtein's table, of which one row is held at a time
    first, second = (WORDS.findall(text.lower()) for text in (one, other))
    if not first and not second:
        return 0.0
    row = list(range(len(second) + 1))
    for place, word in enumerate(first, start=1):
        previous, row[0] = row[0], place
        for column, against in enumerate(second, start=1):
            cost = min(row[column] + 1, row[column - 1] + 1, previous + (word != against))
            previous, row[column] = row[column], cost
    return row[-1] / max(len(first), len(second))


def judge(original: str, draws: Sequence[Draw], known: Collection[str], filters: Filters, embed: Embed) -> list[Judged]:
    """Every draw with its verdict, in order; one that repeats a `known` wording, or an earlier kept draw, is rejected."""
    items = list(_by_rule(original, draws, filters))
    # those that are not rejected yet are compared by the cosine to the original; those alone are embedded
    left = [item for item in items if item.code is None]
    vectors = embed([original, *(item.text for item in left)]) if left else np.zeros((1, 1), np.float32)
    cosines = iter((vectors[1:].astype(np.float64) @ vectors[0].astype(np.float64)).tolist())
    seen = {_plain(text): "a wording that is there already" for text in known}
    for place, item in enumerate(items):
        if item.code is not None:
            continue
        cosine, words = next(cosines), _plain(item.text)
        items[place] = scored = msgspec.structs.replace(item, similarity=round(cosine, 4))
        # not `<`: NaN is under no bound
        if not cosine >= filters.min_similarity:
            items[place] = _reject(scored, "too_far", f"similarity {cosine:.4f} is under {filters.min_similarity}")
        elif words in seen:
            items[place] = _reject(scored, "duplicate", f"the same as {seen[words]}")
        else:
            seen[words] = f"sample {item.sample}"
    return items


def _by_rule(original: str, draws: Sequence[Draw], filters: Filters) -> Iterator[Judged]:
    """The draws cleaned, with the reason of those that need no embedding to be rejected."""
    wanted = kept_spans(original, filters.protected)
    for number, draw in enumerate(draws):
        text = cleaned(draw.text, original)
        distance = round(word_distance(original, text), 4)
        got = kept_spans(text, filters.protected)
        changes = [*(f"{span!r} is gone" for span in wanted - got), *(f"{span!r} is new" for span in got - wanted)]
        item = Judged(sample=number, text=text, distance=distance)
        # a model without an end of its own wrote a line, as the original is one, and then others
        went_on = "\n" not in original.strip() and "\n" in LEAD.sub("", draw.text, count=1).strip()
        # the first reason counts, the plainest first
        if not text:
            yield _reject(item, "empty", "the model gave no text")
        elif not draw.finished and not went_on:
            yield _reject(item, "unfinished", "it was cut at the limit of new tokens")
        elif changes:
            yield _reject(item, "span_changed", "; ".join(changes))
        elif _plain(text) == _plain(original):
            yield _reject(item, "unchanged", "the words are those of the original")
        elif distance < filters.min_distance:
            yield _reject(item, "too_close", f"distance {distance} is under {filters.min_distance}")
        else:
            yield item


def _reject(item: Judged, code: str, reason: str) -> Judged:
    return msgspec.structs.replace(item, code=code, reason=reason)


def _plain(text: str) -> str:
    """The words alone: two texts that differ in case and marks repeat each other."""
    return " ".join(re.findall(r"\w+", text.lower()))
