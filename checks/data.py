"""Hold the sample data to what is promised of it: `python -m checks.data [FOLDER]`, part of `make check`."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from checks import difficulty, rows, variety, wordings
from checks.findings import Finding, conclude
from checks.rows import Bounds, Row

HARDEST_TFIDF = 0.88
LEAST_KEY_WORD_ERRORS = 150
CHANCE_MARGIN = 0.001


class Text(NamedTuple):
    """One text field and its bounds.

    The measured values are those of the first 200 rows; the bounds leave room around them for other rows of the
    same writing, not for text that repeats itself or is no prose.
    """

    field: str
    words: Bounds
    distinct: float  # measured: distinct-4-gram share
    compression: float  # measured: compression ratio
    room: tuple[float, float] = (0.02, 0.25)  # below `distinct`; around `compression`


class File(NamedTuple):
    """A file, its keys in order, and what its rows must be."""

    name: str
    keys: tuple[str, ...]
    texts: tuple[Text, ...]
    expected: int
    unit: str = "rows"
    label: str | None = None
    labels: tuple[str, ...] = ()
    group: str | None = None


TICKET_LABELS = ("billing", "technical", "account", "shipping", "other")
NEWS_LABELS = ("World", "Sports", "Business", "Sci/Tech")
FILES = (
    File(
        "tickets.jsonl",
        ("text", "label"),
        (Text("text", Bounds(4, 90), 0.998, 2.184),),
        1000,
        label="label",
        labels=TICKET_LABELS,
    ),
    File(
        "news.jsonl",
        ("question", "answer"),
        (Text("question", Bounds(5, 60), 0.999, 2.040),),
        600,
        label="answer",
        labels=NEWS_LABELS,
    ),
    # Instructions of one group quote the same sentence, hence the other level and the wider room.
    File(
        "variants.jsonl",
        ("instruction", "output", "group_id"),
        (Text("instruction", Bounds(3, 60), 0.739, 3.239, room=(0.05, 0.80)),),
        150,
        unit="groups",
        group="group_id",
    ),
    File("conversations.jsonl", ("text",), (Text("text", Bounds(20, 200), 0.998, 2.324),), 200),
    File(
        "concise.jsonl",
        ("prompt", "chosen", "rejected"),
        (
            Text("prompt", Bounds(3, 30), 0.999, 1.917),
            Text("chosen", Bounds(1, 60), 0.999, 1.977),
            Text("rejected", Bounds(80, 200), 0.998, 2.374),
        ),
        120,
    ),
)
LONG_WINDED = 2.0  # times the words of the chosen answer


def check_file(folder: Path, file: File) -> list[Finding]:
    """All findings of one file but its difficulty."""
    source = str(folder / file.name)
    found, findings = rows.read_rows(folder / file.name, file.keys)
    if not found:
        return findings or [Finding(source, 0, "empty", "no rows")]
    units = len({row.values[file.group] for row in found}) if file.group else len(found)
    findings += rows.counts(source, units, file.expected, file.unit)
    if file.label:
        findings += rows.balance(source, found, file.label, file.labels, file.expected // len(file.labels))
    for text in file.texts:
        findings += check_text(source, found, text, file.group)
    findings += _shapes(source, file, found)
    return findings


def check_text(source: str, found: Sequence[Row], text: Text, group: str | None) -> Iterator[Finding]:
    """All findings of one text field."""
    yield from rows.lengths(source, found, text.field, text.words)
    yield from variety.duplicates(source, found, text.field)
    yield from variety.near_duplicates(source, found, text.field, group)
    yield from variety.tics(source, found, text.field, group)
    below, around = text.room
    distinct = Bounds(text.distinct - below, 1.0)
    compression = Bounds(text.compression - around, text.compression + around)
    yield from variety.diversity(source, [row.values[text.field] for row in found], distinct, compression)


def _shapes(source: str, file: File, found: Sequence[Row]) -> Iterator[Finding]:
    if file.name == "variants.jsonl":
        yield from rows.groups(source, found, Bounds(4, 8))
    if file.name == "conversations.jsonl":
        yield from rows.conversations(source, found)
    if file.name == "concise.jsonl":
        yield from rows.longer(source, found, LONG_WINDED)


def check_difficulty(folder: Path, file: File) -> Iterator[Finding]:
    """Findings where a labelled file is too easy for word counts; prints what was measured."""
    source = str(folder / file.name)
    found, _ = rows.read_rows(folder / file.name, file.keys)
    if not found or not file.label:
        return
    texts = [row.values[file.texts[0].field] for row in found]
    labels = [row.values[file.label] for row in found]
    tfidf, majority = difficulty.tfidf_accuracy(texts, labels), difficulty.majority_accuracy(labels)
    print(f"{file.name}: TF-IDF + logistic regression {tfidf:.3f}, majority {majority:.3f}")
    if tfidf > HARDEST_TFIDF:
        yield Finding(
            source, 0, "too-easy", f"TF-IDF + logistic regression reaches {tfidf:.3f}, allowed {HARDEST_TFIDF}"
        )
    if majority > 1 / len(file.labels) + CHANCE_MARGIN:
        yield Finding(source, 0, "majority", f"{majority:.3f}, chance is {1 / len(file.labels):.3f}")
    if file.labels == TICKET_LABELS:
        yield from _key_words(source, texts, labels)


def _key_words(source: str, texts: Sequence[str], labels: Sequence[str]) -> Iterator[Finding]:
    errors = difficulty.key_word_errors(texts, labels)
    print(f"{Path(source).name}: the key-word rule gets {errors} of {len(texts)} wrong")
    if errors < LEAST_KEY_WORD_ERRORS:
        yield Finding(source, 0, "too-easy", f"a key-word rule gets {errors} wrong, expected {LEAST_KEY_WORD_ERRORS}")


def main(folder: Path, difficulties: bool = True) -> list[Finding]:
    """All findings of the sample data in `folder`; prints the measures of difficulty."""
    findings = [finding for file in FILES for finding in check_file(folder, file)]
    findings += wordings.check_bank(folder / "wordings" / "tickets.yaml", TICKET_LABELS)
    findings += wordings.check_bank(folder / "wordings" / "news.yaml", NEWS_LABELS)
    findings += wordings.check_bank(folder / "wordings" / "generic.yaml", NEWS_LABELS)
    if difficulties:
        findings += [finding for file in FILES for finding in check_difficulty(folder, file)]
    return findings


if __name__ == "__main__":
    arguments = sys.argv[1:]
    place = Path(next((name for name in arguments if not name.startswith("--")), "data/raw"))
    conclude("data", main(place, "--no-difficulty" not in arguments))
