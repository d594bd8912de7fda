"""Self-Instruct's `data_per_template`: a file a prompt template, `{"prompt": …, "completion": …}`, where row i of each file of a
data set is the same item, so that they are a group.

Files are aligned where their names begin with the same word, they have the same number of rows, and equal rows share more
words than neighbouring ones; the rows of a file that is aligned with no other are groups of their own.
"""

from itertools import islice

from steady.prepare.context import Context, Items
from steady.prepare.converting import convert_record, to_the_fault
from steady.prepare.formats import prompt_completion
from steady.prepare.readers.files import File, records
from steady.prepare.readers.opening import UnreadableError
from steady.prepare.readers.rows import Draft

SAMPLE = prompt_completion.SAMPLE
# Rows that are compared; by how much larger a share of words equal rows must have in common than neighbouring ones.
COMPARED = 50
MARGIN = 0.2
Words = list[set[str]]


def items(files: list[File], context: Context) -> Items:
    """One draft a row; empty files hold none."""
    # Files are read twice, first to see which belong together: a group is named when its first row is made.
    names = group_names(files, context)
    for file in files:
        yield from to_the_fault(file, _of_file(file, context, names.get(file.name)))


def _of_file(file: File, context: Context, name: str | None) -> Items:
    for number, record in enumerate(records(file, context.source)):
        for item in convert_record(file, record, context, prompt_completion.drafts):
            if isinstance(item, Draft) and name is not None:
                item.group = f"{name}-{number}"
            yield item


def group_names(files: list[File], context: Context) -> dict[str, str]:
    """File name to the stem of the first file that it is aligned with; files that stand alone are left out."""
    sets: list[tuple[str, int, Words, list[str]]] = []
    for file in files:
        stem = file.path.name.split(".")[0]
        rows, words = _measure(file, context)
        for first, size, known, members in sets:
            if size == rows and first.split("_")[0] == stem.split("_")[0] and aligned(known, words):
                members.append(file.name)
                break
        else:
            sets.append((stem, rows, words, [file.name]))
    return {name: first for first, _, _, members in sets if len(members) > 1 for name in members}


def aligned(left: Words, right: Words) -> bool:
    """Whether rows of equal place share more words than a row shares with the next one of the other file."""
    # One row has no neighbour to compare with.
    if len(left) < 2 or len(left) != len(right):
        return False
    same = sum(map(_overlap, left, right)) / len(left)
    shifted = sum(map(_overlap, left, [*right[1:], right[0]])) / len(left)
    return same - shifted > MARGIN


def _overlap(left: set[str], right: set[str]) -> float:
    return len(left & right) / max(1, min(len(left), len(right)))


def _measure(file: File, context: Context) -> tuple[int, Words]:
    """(number of rows, words of the first rows)."""
    try:
        values = (value for _, value, _ in records(file, context.source))
        words = [_words(value) for value in islice(values, COMPARED)]
        return len(words) + sum(1 for _ in values), words
    except UnreadableError:
        return 0, []


def _words(value: object) -> set[str]:
    texts = value.values() if isinstance(value, dict) else ()
    return {word for text in texts if isinstance(text, str) for word in text.lower().split()}
