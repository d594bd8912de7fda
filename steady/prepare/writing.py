"""Drafts to examples, in the order in which they are written."""

from collections.abc import Iterator, Mapping

import numpy as np

from steady.prepare.joining import Joined, Rows
from steady.prepare.params import DataParams
from steady.prepare.readers.rows import Draft
from steady.prepare.table import NONE, Table, name_space, prompt_text, target_text
from steady.records import Example, Split, content_id

_SHARED_FIELDS = [name for name in Example.__struct_fields__ if name not in ("id", "group_id", "split")]


def joined_names(table: Table, joined: Joined) -> dict[int, str]:
    """The name of each family that was joined from several groups: the smallest of the names that its rows give."""
    names: dict[int, str] = {}
    group = table.column("group")
    if not group.any():
        return names
    order = np.lexsort((group, joined.families))
    families = joined.families[order]
    # Only families of several names are looked at: each name is read from disk.
    changes = (families[1:] == families[:-1]) & (group[order][1:] != group[order][:-1])
    for row in np.flatnonzero(np.isin(joined.families, families[1:][changes]) & (group != NONE)).tolist():
        family, name = int(joined.families[row]), str(table.draft(row).group)
        names[family] = min(names.get(family, name), name)
    return names


def examples(
    params: DataParams, table: Table, joined: Joined, rows: Rows, names: Mapping[int, str], split: Split
) -> Iterator[Example]:
    """The records of the rows of a split. Groups of several name spaces are told apart by them."""
    spaces = [name_space(source) for source in params.sources]
    several = len(set(spaces)) > 1
    for row in rows.tolist():
        draft = table.draft(row)
        group = names.get(int(joined.families[row]), draft.group)
        if group is not None and several:
            group = f"{spaces[table.source[row]]}:{group}"
        yield example(draft, group, split)


def example(draft: Draft, group: str | None, split: Split | None) -> Example:
    """The example of a draft: its id is a hash of what it says, and without a group it is its own."""
    # Of the content alone, so that another order of rows, or another file name, gives the same ids.
    identity = content_id(draft.instruction, draft.input, prompt_text(draft), target_text(draft))
    fields = {name: getattr(draft, name) for name in _SHARED_FIELDS}
    return Example(id=identity, group_id=group or identity, split=split, **fields)
