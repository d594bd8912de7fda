"""The work of the stage prepare: read the sources, reject, join, select, split and write; and the look at sources without it."""

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np

from steady.errors import SteadyError
from steady.labels import joined as answer_of
from steady.prepare import formats
from steady.prepare.converting import read_source
from steady.prepare.joining import Joined, Rows, contradictions, join
from steady.prepare.params import DataParams
from steady.prepare.readers.rows import Draft, Finding, LeftOut, Unreadable, rejection
from steady.prepare.splits import SPLITS, seeded
from steady.prepare.splitting import select, split_rows
from steady.prepare.summary import OUTCOMES, Counts, Description, RejectedRows, Summary, describe, summarize
from steady.prepare.table import NONE, Table, name_space, prompt_text, target_text
from steady.records import Example, Split, content_id, write_json, write_records

# All rows of a contradiction are rejected: which of them is right, the data do not say.
_LABELS = Finding(
    "conflicting_labels", "the same text has other labels elsewhere (all its rows are listed); keep one label."
)
_OUTPUTS = Finding(
    "conflicting_outputs", "another row of this group has another output; a group has one. Part or correct it."
)
_SHARED_FIELDS = [name for name in Example.__struct_fields__ if name not in ("id", "group_id", "split")]


class Outputs(NamedTuple):
    """Where the stage writes."""

    splits: Mapping[Split, Path]
    rejected: Path
    metrics: Path


def prepare(params: DataParams, seed: int, outputs: Outputs) -> Summary:
    """Read `params.sources` and write the splits, the rejected rows and the metrics, which are returned.

    Raises:
        SteadyError: a file cannot be read, more rows are rejected than `max_rejected` allows (the file of rejected rows is
            written all the same), fewer rows are left than the splits need, or the labels are of one class only.
    """
    outputs.rejected.parent.mkdir(parents=True, exist_ok=True)
    counts = Counts([Counter() for _ in params.sources])
    # Beside the outputs, where there is room for data; a temporary folder may lie in memory.
    with Table(outputs.rejected.with_name(".drafts.tmp")) as table:
        with RejectedRows(outputs.rejected) as rejected:
            contradictory = _read_all(params, table, counts, rejected)
            # Before the search for duplicates: faulty data are corrected and read again anyway.
            rejected.refuse_if_many(params.max_rejected, counts.total("read"))
        counts.findings = rejected.codes
        joined = join(table, params.near_duplicate_threshold, contradictory, outputs.rejected.with_name(".bands.tmp"))
        counts.count("duplicates", table.column("source")[joined.copies])
        eligible = _selected(params, table, joined, contradictory, counts, seed)
        splitting = split_rows(params, table, joined, eligible, seed)
        names = _joined_names(table, joined)
        for place, split in enumerate(SPLITS):
            rows = eligible[splitting.places == place]
            # In a seeded order of their content: sources are mixed, and the order of raw rows has no say.
            rows = rows[np.argsort(seeded(table.column("content")[rows], seed, "order"), kind="stable")]
            write_records(outputs.splits[split], _examples(params, table, joined, rows, names, split))
        summary = summarize(params, counts, table, joined, eligible, splitting)
    write_json(outputs.metrics, summary)
    return summary


class Checked(NamedTuple):
    """`outcomes`: rows read and what became of them; `codes`: findings, `left_out`: rows, by code; `lines`: findings as messages;
    `description`: of the accepted rows; `samples`: the first of them.
    """

    outcomes: dict[str, int]
    codes: dict[str, int]
    left_out: dict[str, int]
    lines: list[str]
    description: Description
    near: int
    samples: list[Example]


def check(params: DataParams, folder: Path, samples: int) -> Checked:
    """Read the sources as `prepare` does, without splitting or writing them; `folder` is for temporary files."""
    counts = Counts([Counter() for _ in params.sources])
    with Table(folder / "drafts.tmp") as table, RejectedRows(folder / "rejected.jsonl") as rejected:
        contradictory = _read_all(params, table, counts, rejected)
        joined = join(table, params.near_duplicate_threshold, contradictory, folder / "bands.tmp")
        counts.count("duplicates", table.column("source")[joined.copies])
        # As prepare accepts rows, without limits and splits, which are about numbers and not about faults.
        accepted = ~joined.copies
        accepted[contradictory] = False
        rows = np.flatnonzero(accepted)
        counts.count("accepted", table.column("source")[rows])
        first = [table.draft(row) for row in rows[:samples].tolist()]
        return Checked(
            outcomes={outcome: counts.total(outcome) for outcome in OUTCOMES},
            codes=dict(rejected.codes.most_common()),
            left_out=dict(counts.left_out.most_common()),
            lines=rejected.lines,
            description=describe(table, joined, rows),
            near=joined.near,
            samples=[_example(draft, draft.group, draft.split) for draft in first],
        )


def _read_all(params: DataParams, table: Table, counts: Counts, rejected: RejectedRows) -> Rows:
    """Fill the table from the sources; returns the rows whose text or group has two answers, which are rejected or left out."""
    for place, source in enumerate(params.sources):
        counted = counts.sources[place]
        for item in read_source(source, params.labels, params.multi_label):
            if isinstance(item, Draft):
                table.add(item, place, source)
            elif isinstance(item, LeftOut):
                counts.left_out[item.code] += 1
                counted["left_out"] += 1
            elif isinstance(item, Unreadable):
                rejected.add([item.rejected], rows=0)
                continue
            else:
                rejected.add(item)
                counted["rejected"] += 1
            counted["read"] += 1
    same_output = [getattr(formats.module(source.format), "SAME_OUTPUT", False) for source in params.sources]
    by_text, by_group = contradictions(table, frozenset(np.flatnonzero(same_output).tolist()))
    contradictory = np.union1d(by_text, by_group)
    for row in contradictory.tolist():
        draft = table.draft(row)
        found = [finding for finding, rows in ((_LABELS, by_text), (_OUTPUTS, by_group)) if row in rows]
        place = table.source[row]
        if {finding.code for finding in found} <= {*params.sources[place].leave_out}:
            counts.left_out[found[0].code] += 1
            counts.sources[place]["left_out"] += 1
            continue
        group = "" if draft.group is None else f"group {draft.group!r}, "
        named = [finding._replace(reason=f"{group}output {draft.output!r}: {finding.reason}") for finding in found]
        raw = msgspec.json.encode(draft)
        rejected.add([rejection(draft.source, draft.line, finding, raw) for finding in named])
        counts.sources[place]["rejected"] += 1
    return contradictory


def _selected(params: DataParams, table: Table, joined: Joined, rejected: Rows, counts: Counts, seed: int) -> Rows:
    """The rows to split: no copies, nothing rejected, within the limits; of two classes at least, where there are classes."""
    usable = ~joined.copies
    usable[rejected] = False
    eligible = np.flatnonzero(usable)
    chosen, left_out = select(params, table, joined, eligible, seed)
    paths = ", ".join(source.path for source in params.sources)
    if not len(chosen):
        raise SteadyError(
            f"{paths}: no row is left without rejected and left-out rows. See the counts of `check-data`."
        )
    strata = np.unique(table.column("stratum")[chosen]).tolist()
    labels = table.labels(strata[0])
    if len(strata) == 1 and labels is not None:
        raise SteadyError(
            f"{paths}: all {len(chosen)} rows have the label {answer_of(labels)!r}; a classifier needs two or more. "
            "Add rows of another label."
        )
    if left_out:
        counts.count("left_out", table.column("source")[np.setdiff1d(eligible, chosen)])
        counts.left_out.update(left_out)
    return chosen


def _joined_names(table: Table, joined: Joined) -> dict[int, str]:
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


def _examples(
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
        yield _example(draft, group, split)


def _example(draft: Draft, group: str | None, split: Split | None) -> Example:
    """The example of a draft: its id is a hash of what it says, and without a group it is its own."""
    # Of the content alone, so that another order of rows, or another file name, gives the same ids.
    identity = content_id(draft.instruction, draft.input, prompt_text(draft), target_text(draft))
    fields = {name: getattr(draft, name) for name in _SHARED_FIELDS}
    return Example(id=identity, group_id=group or identity, split=split, **fields)
