"""Checks of single rows: encoding, JSON, keys, labels, lengths, shapes. Each function returns findings."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from checks.findings import Finding


class Row(NamedTuple):
    """A parsed row and the line that it stands on."""

    line: int
    values: dict[str, str]


class Bounds(NamedTuple):
    """An inclusive range."""

    low: float
    high: float

    def holds(self, value: float) -> bool:
        """Whether the value lies in the range."""
        return self.low <= value <= self.high


def read_rows(path: Path, keys: Sequence[str]) -> tuple[list[Row], list[Finding]]:
    """The rows of a JSON Lines file that are objects of exactly these keys, in this order, with non-empty text values."""
    if not path.is_file():
        return [], [Finding(str(path), 0, "missing", "no such file")]
    rows, findings = [], []
    for line, raw in enumerate(path.read_bytes().splitlines(), start=1):
        fault = _fault(raw, keys)
        if fault:
            findings.append(Finding(str(path), line, *fault))
        else:
            rows.append(Row(line, json.loads(raw)))
    return rows, findings


def _fault(raw: bytes, keys: Sequence[str]) -> tuple[str, str] | None:
    try:
        values = json.loads(raw.decode("utf-8"))
    except UnicodeDecodeError as error:
        return "encoding", f"not UTF-8: {error}"
    except ValueError as error:
        return "json", f"not one JSON object: {error}"
    if not isinstance(values, dict) or list(values) != list(keys):
        return "keys", f"expected the keys {list(keys)} in this order, got {raw[:80]!r}"
    for key, value in values.items():
        if not isinstance(value, str) or not value.strip() or value != value.strip():
            return "value", f"`{key}` must be text without white space at its ends, got {value!r}"
    return None


def counts(source: str, got: int, expected: int, unit: str) -> Iterator[Finding]:
    """A finding where a count is not as promised."""
    if got != expected:
        yield Finding(source, 0, "count", f"{got} {unit}, expected {expected}")


def balance(source: str, rows: Sequence[Row], field: str, labels: Sequence[str], each: int) -> Iterator[Finding]:
    """Findings for unknown labels and for labels without exactly `each` rows."""
    for row in rows:
        if row.values[field] not in labels:
            yield Finding(source, row.line, "label", f"{row.values[field]!r} is not one of {list(labels)}")
    found = Counter(row.values[field] for row in rows)
    for label in labels:
        yield from counts(source, found[label], each, f"rows labelled {label}")


def lengths(source: str, rows: Sequence[Row], field: str, allowed: Bounds) -> Iterator[Finding]:
    """Findings for texts with too few or too many words, as separated by white space."""
    for row in rows:
        number = len(row.values[field].split())
        if not allowed.holds(number):
            reason = f"`{field}` has {number} words, allowed {allowed.low:.0f} to {allowed.high:.0f}"
            yield Finding(source, row.line, "length", reason)


def groups(source: str, rows: Sequence[Row], size: Bounds) -> Iterator[Finding]:
    """Findings for groups of instructions with a wrong size or with more than one output."""
    members: dict[str, list[Row]] = {}
    for row in rows:
        members.setdefault(row.values["group_id"], []).append(row)
    for name, inside in members.items():
        if not size.holds(len(inside)):
            reason = f"group {name} has {len(inside)} instructions, allowed {size.low:.0f} to {size.high:.0f}"
            yield Finding(source, inside[0].line, "group-size", reason)
        outputs = {row.values["output"] for row in inside}
        if len(outputs) > 1:
            yield Finding(source, inside[0].line, "group-output", f"group {name} has {len(outputs)} outputs")


def conversations(source: str, rows: Sequence[Row]) -> Iterator[Finding]:
    """Findings for texts that are not one `Instruct: …` line followed by `Output: …`."""
    for row in rows:
        text = row.values["text"]
        request, mark, answer = text.partition("\nOutput: ")
        markers = text.count("Instruct: "), text.count("Output: ")
        if not (
            text.startswith("Instruct: ") and mark and answer.strip() and markers == (1, 1) and request[10:].strip()
        ):
            yield Finding(source, row.line, "shape", "expected `Instruct: …` once, a new line, `Output: …` once")


def longer(source: str, rows: Sequence[Row], times: float) -> Iterator[Finding]:
    """Findings for preference pairs whose losing answer is not `times` as long as the winning one."""
    for row in rows:
        chosen, rejected = (len(row.values[field].split()) for field in ("chosen", "rejected"))
        if rejected < times * chosen:
            yield Finding(source, row.line, "not-longer", f"rejected has {rejected} words, chosen {chosen}")
