"""Files in a form that is not read, known by their beginning or their first row, each named with its way into one that is."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from steady.prepare.readers.opening import UnreadableError
from steady.prepare.readers.rows import Finding, listed

SPLIT_NAMES = {"train": ("train", "training"), "validation": ("validation", "valid", "val", "dev"), "test": ("test",)}
"""The splits, each with what others call it."""
WRITE_ROWS = "write rows instead: `frame.to_json(path, orient='records', lines=True)`"


def refuse_other_forms(start: bytes) -> None:
    """UnreadableError where what should be JSON Lines has values over several lines, or dictionaries as Python prints them."""
    lines = [line for line in start.removeprefix(b"\xef\xbb\xbf").split(b"\n")[:200] if line.strip()][:2]
    # One line alone may be damaged; two that are wrong in the same way are a form.
    if len(lines) < 2 or not all(map(_is_wrong, lines)):
        return
    if all(line.lstrip().startswith(b"{'") for line in lines):
        raise UnreadableError(
            "python_dicts",
            "the lines are dictionaries as Python prints them, in single quotes, which is not JSON. Write each with "
            "`json.dumps(row)`.",
        )
    if lines[0].strip() == b"{" or (lines[0].startswith(b"{") and lines[1][:1].isspace()):
        raise UnreadableError("several_lines", _several_lines(start))


def _is_wrong(line: bytes) -> bool:
    try:
        msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return True
    return False


def _several_lines(start: bytes) -> str:
    """Rows within one document, or documents of several lines one after another; the file may go on behind its beginning."""
    text = start.decode("utf-8", "replace")
    members: list[str] = []
    # The keys of the objects and arrays that are open; "" is the document, or an item of an array.
    path: list[str] = []
    for place, sign in enumerate(text):
        if sign in "[{":
            # The key before the colon, "" for an item of an array; keys are shorter than 200 characters.
            before = text[max(0, place - 200) : place].rstrip()
            is_member = before.endswith(":") and "" not in path[1:]
            key = before[:-1].rstrip()[:-1].rpartition('"')[2] if is_member else ""
            if sign == "[" and key and text[place + 1 :][:200].lstrip().startswith(("[", "{")):
                members.append(".".join([*path[1:], key]))
            path.append(key)
        elif sign in "]}" and path:
            path.pop()
    if members:
        where = f"its rows under {listed(members)}; set `records: {_records(members)}`."
        return f"the file is one JSON document with {where}"
    return (
        "the rows go over several lines each; one JSON object a line is read, or one array of them in a .json file. "
        "`jq -c . FILE` writes such lines."
    )


def _records(keys: Sequence[str]) -> str:
    """What to write for `records`: the first key, or one for each split where keys are called as splits are."""
    last = {key.rpartition(".")[2].lower(): key for key in reversed(keys)}
    found = [(split, last[name]) for split, names in SPLIT_NAMES.items() for name in names if name in last]
    of_splits = dict(reversed(found))
    if len(of_splits) < 2:
        return keys[0]
    return "{" + ", ".join(f"{split}: {of_splits[split]}" for split in SPLIT_NAMES if split in of_splits) + "}"


def _row_keys(values: Mapping[str, Any]) -> list[str]:
    """The keys of a document that hold rows, dotted where they lie deeper."""
    found = []
    for key, value in values.items():
        if isinstance(value, list) and value and all(isinstance(item, Mapping | list) for item in value):
            found.append(key)
        elif isinstance(value, Mapping):
            found += [f"{key}.{inner}" for inner in _row_keys(value)]
    return found


def other_form(values: Mapping[str, Any], findings: Sequence[Finding]) -> list[Finding]:
    """The findings of a row, or the one that says of what form the whole file is, where the row is a table or a document."""
    if {finding.code for finding in findings} - {"missing_field", "wrong_type"}:
        return list(findings)
    columns = list(values.values())
    same_keys = all(isinstance(column, Mapping) and column for column in columns) and len(set(map(tuple, columns))) == 1
    plain = all(isinstance(column, list) and column and _is_plain(column) for column in columns)
    if {"columns", "data"} <= set(values):
        reason = f"a table as pandas splits it (columns, index and data); {WRITE_ROWS}."
    elif len(columns) > 1 and (same_keys or (plain and len(set(map(len, columns))) == 1)):
        reason = f"a table by columns ({listed(values)}), not by rows; {WRITE_ROWS}."
    elif rows := _row_keys(values):
        if "wrong_type" in {finding.code for finding in findings}:
            return list(findings)
        reason = f"a document whose rows lie under {listed(rows)}; set `records: {_records(rows)}`."
    elif list(values) == [str(number) for number in range(len(values))]:
        reason = f"an array of {len(values)}; say which place holds what, such as `columns: {{text: 0, label: 1}}`."
    else:
        return list(findings)
    return [Finding("other_form", f"the row is {reason}")]


def _is_plain(values: Sequence[Any]) -> bool:
    return not any(isinstance(value, Mapping | list) for value in values)


def numbered(value: Any) -> Any:
    """An array such as `["the text", "a label"]` as a row whose columns are known by their numbers; anything else as it is."""
    if isinstance(value, list) and len(value) > 1 and _is_plain(value) and any(isinstance(item, str) for item in value):
        return {str(number): item for number, item in enumerate(value)}
    return value
