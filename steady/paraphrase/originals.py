"""What is to be paraphrased: the instructions of a file of groups, or the templates of a bank of wordings."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from msgspec import UnsetType

from steady.errors import SteadyError
from steady.measure.prompt_files import checked_rows, file_rows
from steady.measure.prompt_rows import Faulty, checked_object
from steady.prompts.bank import Bank, read_bank
from steady.records import content_id

SAMPLE = '{"instruction": "Name the capital of Peru.", "output": "Lima", "group_id": "capital-peru"}'
# A row as the user wrote it, with whatever fields it has
Row = dict[str, Any]

TEXT_KEYS = ("instruction", "prompt")


@dataclass(frozen=True)
class Original:
    """A text to paraphrase, the group or template it stands for, and what its paraphrases share with it.

    `known` are the wordings of its group; `shared` the fields that a row of a paraphrase begins with; `held_out`: a template
    kept for testing, whose paraphrases are too.
    """

    name: str
    text: str
    known: tuple[str, ...]
    shared: Row = field(default_factory=dict)
    held_out: bool = False


@dataclass(frozen=True)
class Given:
    """A file as it came: its rows (none of a bank), its bank (None of rows), and what is to be paraphrased."""

    path: Path
    rows: list[Row]
    bank: Bank | None
    originals: list[Original]


def read_given(path: Path, every: bool) -> Given:
    """Read a bank (YAML), of which every template is reworded, or rows (JSON Lines): of a group `every` wording, or its first.

    SteadyError where the file is missing, neither of the two, or faulty; each fault is named with its line.
    """
    if path.suffix in {".yaml", ".yml"}:
        bank = read_bank(path)
        # the parts of a composed wording are texts without meaning of their own
        if not isinstance(bank.composition, UnsetType):
            raise SteadyError(
                f"{path}: composed wordings are not paraphrased one by one. Give the bank that it extends, or add values to it."
            )
        known, originals = tuple(one.template for one in bank.templates.values()), []
        for one in bank.templates.values():
            labels = {"labels": list(one.labels)} if one.labels else {}
            originals.append(Original(one.id, one.template, known, labels, held_out=not one.trained))
        return Given(path, [], bank, originals)
    if path.suffix != ".jsonl":
        raise SteadyError(f"{path}: expected rows (.jsonl) such as {SAMPLE}, or a bank of wordings (.yaml).")
    rows = [row for _, row in checked_rows(path, file_rows(path, SAMPLE), _checked)]
    if not rows:
        raise SteadyError(f"{path}: no rows. Each line is one prompt, such as {SAMPLE}")
    return Given(path, rows, None, _instructions(rows, every))


def _checked(value: Any) -> Row:
    """A row that can be paraphrased, with its group; Faulty otherwise."""
    row = checked_object(value, SAMPLE)
    faults = []
    if not any(isinstance(row.get(key), str) and row[key].strip() for key in TEXT_KEYS):
        faults.append("missing: `instruction` (or `prompt`) is missing or blank.")
    faults += [
        f"wrong_type: `{key}` is {row[key]!r:.60}; it must be a text."
        for key in ("input", "output")
        if row.get(key) is not None and not isinstance(row[key], str)
    ]
    # `type`, since a bool is an int
    if row.get("group_id") is not None and type(row["group_id"]) not in {str, int}:
        faults.append(f"wrong_type: `group_id` is {row['group_id']!r:.60}; it must be a text or a whole number.")
    if faults:
        raise Faulty(faults)
    if row.get("group_id") not in {None, ""}:
        return row
    # a row that names no group is one of its own
    parts = [str(row.get(key) or "") for key in (*TEXT_KEYS, "input", "output")]
    return {**row, "group_id": content_id("group", *parts)}


def text_key(row: Row) -> str:
    """The field of a row that is paraphrased."""
    return next(key for key in TEXT_KEYS if isinstance(row.get(key), str) and row[key].strip())


def _instructions(rows: Sequence[Row], every: bool) -> list[Original]:
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(str(row["group_id"]), []).append(row)
    found = []
    for members in groups.values():
        known = tuple(row[text_key(row)] for row in members)
        # reversed, so that of equal texts the first row is taken
        first = {row[text_key(row)]: row for row in reversed(members)}
        for text in dict.fromkeys(known) if every else known[:1]:
            # a paraphrase has all of its row but the text and what was said of it
            left_out = {*TEXT_KEYS, "paraphrase", "held_out", "wording"}
            shared = {key: value for key, value in first[text].items() if key not in left_out}
            found.append(Original(str(first[text]["group_id"]), text, known, shared))
    return found
