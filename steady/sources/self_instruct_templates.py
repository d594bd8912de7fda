"""Self-Instruct's `data_per_template`: a file a prompt template, `{"prompt": …, "completion": …}`, where row i of each file of a
data set is the same item, so that they are a group.

The data set is the longest beginning, up to an underscore, that the file's name shares with another file; the files of a
data set whose number of rows is not that of most of them cannot be aligned, and their rows are groups of their own.
"""

from collections import Counter, defaultdict

from steady.sources import prompt_completion
from steady.sources.context import Context, Items
from steady.sources.converting import convert_record
from steady.sources.files import File, records, unreadable
from steady.sources.opening import UnreadableError
from steady.sources.rows import Draft

SAMPLE = prompt_completion.SAMPLE


def items(files: list[File], context: Context) -> Items:
    """One draft a row; empty files hold none."""
    sizes = {file.name: _rows(file, context) for file in files}
    data_sets = group_files([file.path.name.split(".")[0] for file in files])
    common = {name: _most_common([sizes[files[place].name] for place in places]) for name, places in data_sets.items()}
    for name, places in data_sets.items():
        for file in (files[place] for place in places):
            aligned = len(places) > 1 and sizes[file.name] == common[name]
            try:
                for number, record in enumerate(records(file, context.source)):
                    for item in convert_record(file, record, context, prompt_completion.drafts):
                        if isinstance(item, Draft) and aligned:
                            item.group = f"{name}-{number}"
                        yield item
            except UnreadableError as error:
                yield unreadable(file, error)


def group_files(stems: list[str]) -> dict[str, list[int]]:
    """The files (by place) of each data set, to go by the first words of their names.

    The first word, or the first two where all names with that first word share them, and so on.
    """
    by_word: dict[str, list[int]] = defaultdict(list)
    for place, stem in enumerate(stems):
        by_word[stem.split("_")[0]].append(place)
    named = {}
    for places in by_word.values():
        words = [stems[place].split("_") for place in places]
        shared = 1
        while len(places) > 1 and all(
            len(other) > shared + 1 and other[: shared + 1] == words[0][: shared + 1] for other in words
        ):
            shared += 1
        named["_".join(words[0][:shared] if len(places) > 1 else words[0])] = places
    return named


def _rows(file: File, context: Context) -> int:
    try:
        return sum(1 for _ in records(file, context.source))
    except UnreadableError:
        return -1


def _most_common(sizes: list[int]) -> int:
    """The number of rows that most files have; of equal ones the larger."""
    counts = Counter(size for size in sizes if size > 0)
    return max(counts, key=lambda size: (counts[size], size), default=0)
