"""What the checks of a bank's YAML share: faults with their line, and the checks of keys and texts."""

import re
from collections.abc import Iterator
from typing import Any

Fault = tuple[int, str]
"""A line of the file, from 1, and what is wrong there."""

# Names become parts of the ids of wordings, which people type on the command line.
IDENTIFIER = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
SLOTS = re.compile(r"\{(\w+)\}")


def line_of(mapping: Any, key: str) -> int:
    """The line, from 1, on which a key of a mapping stands, or on which the mapping begins."""
    # A key that was put in after reading has no line of its own.
    line = mapping.lc.key(key)[0] if key in (mapping.lc.data or ()) else mapping.lc.line
    return int(line) + 1


def key_faults(mapping: Any, allowed: tuple[str, ...], required: tuple[str, ...]) -> Iterator[Fault]:
    """Unknown and missing keys."""
    place = f"wording {mapping['id']!r}: " if "id" in mapping else ""
    for key in mapping:
        if key not in allowed:
            yield line_of(mapping, key), f"{place}unknown key `{key}`. Allowed: {', '.join(allowed)}."
    for key in required:
        if key == "labels" and key not in mapping:
            yield (
                mapping.lc.line + 1,
                "the bank names no `labels` and takes those of the task, and there are none: give rows with labels, or set "
                "`data.labels`.",
            )
        elif key not in mapping:
            yield mapping.lc.line + 1, f"{place}the key `{key}` is missing."


def text_fault(mapping: Any, key: str) -> Iterator[Fault]:
    """A key that is there and no text."""
    value = mapping.get(key, "-")
    if not isinstance(value, str) or not value.strip():
        yield line_of(mapping, key), f"`{key}` is a text, got {value!r}."
