"""The work of the stage prepare: read the sources, reject, join, split and write."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from steady.errors import SteadyError
from steady.preparing.joining import Joined, Rows, contradictions, join
from steady.preparing.settings import DataParams
from steady.preparing.summary import Counts, count_splits, summarize
from steady.preparing.table import NONE, Table, prompt_text, target_text
from steady.records import Example, Split, content_id, write_json, write_records
from steady.sources.reading import read_source
from steady.sources.rows import Draft, Finding, LeftOut, rejection
from steady.splits import SPLITS, assign, seeded, split_sizes

LISTED = 1000


class Outputs(NamedTuple):
    """Where the stage writes."""

    splits: Mapping[str, Path]
    rejected: Path
    metrics: Path


def prepare(params: DataParams, seed: int, outputs: Outputs) -> Counts:
    """Read `params.sources` and write the splits, the rejected rows and the metrics; returns what was counted.

    Raises:
        SteadyError: more rows are rejected than `max_rejected` allows (the file of rejected rows is written all the same),
            fewer rows are left than the splits need, or the labels are of one class only.
    """
    outputs.rejected.parent.mkdir(parents=True, exist_ok=True)
    with Table(outputs.rejected.with_name(".drafts.tmp")) as table:
        counts = Counts()
        read_all(params, table, counts)
        contradictory = _reject_contradictions(params, table, counts)
        write_records(outputs.rejected, counts.rejected)
        refuse_if_many(counts, params.max_rejected)
        joined = join(table, params.near_duplicate_threshold, contradictory)
        kept = np.flatnonzero(~joined.copies & ~np.isin(np.arange(len(table)), contradictory))
        counts.duplicates, counts.near = int(joined.copies.sum()), joined.near
        _check_classes(params, table, kept)
        split = split_rows(params, table, joined, kept, seed)
        names = family_names(table, joined)
        for place, name in enumerate(SPLITS):
            rows = kept[split == place]
            rows = rows[np.argsort(seeded(table.column("content")[rows], seed, "order"), kind="stable")]
            write_records(outputs.splits[name], examples(table, rows, params, names, joined, name))
        count_splits(counts, table, joined, kept, split)
        write_json(outputs.metrics, summarize(counts, params))
    return counts


def read_all(params: DataParams, table: Table, counts: Counts) -> None:
    """Fill the table from the sources, in their order."""
    for index, source in enumerate(params.sources):
        for item in read_source(source, params.labels):
            counts.read += 1
            if isinstance(item, Draft):
                table.add(item, index, source.path)
            elif isinstance(item, LeftOut):
                counts.left_out[item.code] += 1
            else:
                counts.rejected_rows += 1
                counts.rejected += item


def _reject_contradictions(params: DataParams, table: Table, counts: Counts) -> Rows:
    same_output = frozenset(i for i, source in enumerate(params.sources) if source.format == "instruction-output-group")
    by_text, by_group = contradictions(table, same_output)
    labels = Finding(
        "conflicting_labels", "the same text has other labels elsewhere (all its rows are listed); keep one label."
    )
    outputs = Finding(
        "conflicting_outputs",
        "another row of this group has another output; a group has one. Split the group or correct it.",
    )
    for finding, rows in ((labels, by_text), (outputs, by_group)):
        for row in sorted(rows.tolist()):
            draft = table.draft(row)
            detail = f"{draft.output!r}" if draft.group is None else f"group {draft.group!r}, output {draft.output!r}"
            named = finding._replace(reason=f"{detail}: {finding.reason}")
            source = params.sources[table.source[row]].path
            counts.rejected.append(rejection(source, draft.line, named, msgspec.json.encode(draft)))
    places = {source.path: place for place, source in reversed(list(enumerate(params.sources)))}
    counts.rejected.sort(key=lambda item: (places[item.source], item.line))
    rejected = np.union1d(by_text, by_group)
    counts.rejected_rows += len(rejected)
    return rejected


def refuse_if_many(counts: Counts, allowed: int | float) -> None:
    """Raise, with every finding, where more rows are rejected than a count or a share of the rows read."""
    limit = allowed * counts.read if isinstance(allowed, float) else allowed
    if counts.rejected_rows <= limit:
        return
    lines = [f"{item.source}:{item.line}: {item.code}: {item.reason}" for item in counts.rejected]
    if len(lines) > LISTED:
        lines = [*lines[:LISTED], f"… and {len(lines) - LISTED} more, all in the file of rejected rows."]
    raise SteadyError(
        "\n".join(lines)
        + f"\n{counts.rejected_rows} of {counts.read} rows are rejected and `data.max_rejected` allows {allowed}. "
        "Correct the rows, or raise `data.max_rejected` to go on without them."
    )


def _check_classes(params: DataParams, table: Table, kept: Rows) -> None:
    if not len(kept):
        raise SteadyError(f"{', '.join(source.path for source in params.sources)}: no row is left after rejected rows.")
    strata = list(table.strata)
    classes = {strata[code] for code in np.unique(table.column("stratum")[kept]).tolist()}
    label = next(iter(classes))
    if len(classes) == 1 and not label.startswith("\x1e"):
        raise SteadyError(
            f"{', '.join(source.path for source in params.sources)}: all {len(kept)} rows have the label {label!r}; a classifier "
            "needs two or more. Add rows of another label."
        )


def split_rows(params: DataParams, table: Table, joined: Joined, kept: Rows, seed: int) -> NDArray[np.int8]:
    """The split of each kept row, as `steady.splits.assign`; the stratum of a cluster is that of its smallest content hash."""
    asked = (params.train_rows, params.validation_rows, params.test_rows)
    sizes = split_sizes(asked, len(kept))
    content = table.column("content")[kept]
    names, cluster = np.unique(joined.clusters[kept], return_inverse=True)
    order = np.lexsort((content, cluster))
    starts = np.searchsorted(cluster[order], np.arange(len(names)))
    by_name = {
        code: place for place, code in enumerate(sorted(table.strata.values(), key=list(table.strata).__getitem__))
    }
    strata = np.array([by_name[code] for code in range(len(by_name))])[table.column("stratum")[kept][order][starts]]
    _, strata = np.unique(strata, return_inverse=True)
    return assign(cluster, content, strata, sizes, seed=seed, exact=any(isinstance(size, int) for size in asked))


def family_names(table: Table, joined: Joined) -> dict[int, str]:
    """The name of each family that was joined from several: the smallest of the given names of its rows."""
    names: dict[int, str] = {}
    group = table.column("group")
    order = np.lexsort((group, joined.families))
    families = joined.families[order]
    changes = (families[1:] == families[:-1]) & (group[order][1:] != group[order][:-1])
    for row in np.flatnonzero(np.isin(joined.families, families[1:][changes]) & (group != NONE)).tolist():
        family, name = int(joined.families[row]), str(table.draft(row).group)
        names[family] = min(names.get(family, name), name)
    return names


def examples(
    table: Table, rows: Rows, params: DataParams, names: Mapping[int, str], joined: Joined, split: Split
) -> Iterator[Example]:
    """The records of the rows; an example without a given group is its own."""
    for row in rows.tolist():
        draft = table.draft(row)
        group = names.get(int(joined.families[row]), draft.group)
        draft.split = split
        yield example(draft, params.sources[table.source[row]].path, group)


def example(draft: Draft, source: str, group: str | None) -> Example:
    """The example of a draft: its id is a hash of what it says."""
    identity = content_id(draft.instruction, draft.input, prompt_text(draft), target_text(draft))
    return Example(
        id=identity,
        group_id=group or identity,
        instruction=draft.instruction,
        input=draft.input,
        output=draft.output,
        references=draft.references,
        labels=draft.labels,
        messages=draft.messages,
        rejected=draft.rejected,
        language=draft.language,
        split=draft.split,
        source=source,
        line=draft.line,
        meta=draft.meta,
    )
