"""Damaged files from a generator: every damage at every place and size gives the exact line and code, and no traceback.

A damage is done to whole records of a good file; the other records stay good, so the drafts that remain are known too.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

SIZES = {"10 rows": 10, "1,000 rows": 1000, "11 MB": 11_000}
PLACES = {"first": (0,), "second": (1,), "middle": (0.5,), "last": (-1,), "three": (0, 0.5, -1)}
FOUR = {"four": (0, 1, 0.5, -1)}  # each place at once, in the files whose reading takes long


class Damage(NamedTuple):
    """What becomes of the record `{"text": "row 7 …", "label": "a"}`, given without a line break, and the codes expected."""

    change: Callable[[bytes], bytes]
    codes: tuple[str, ...]
    only_lines: bool = False


def replace(old: bytes, new: bytes) -> Callable[[bytes], bytes]:
    return lambda record: record.replace(old, new)


DAMAGES = {
    "no JSON": Damage(lambda _: b"nonsense", ("not_json",), only_lines=True),
    "another value": Damage(lambda _: b"[1, 2]", ("not_object",)),
    "a number": Damage(lambda _: b"17", ("not_object",)),
    "null": Damage(lambda _: b"null", ("not_object",)),
    "bad UTF-8": Damage(replace(b"row", b"r\xffw"), ("bad_utf8",)),
    "cut UTF-8": Damage(replace(b"row", b"r\xe2\x82"), ("bad_utf8",)),
    "encoded surrogate": Damage(replace(b"row", b"r\xed\xa0\x80w"), ("bad_utf8",)),
    "NUL byte": Damage(replace(b"row", b"r\x00w"), ("nul_byte",)),
    "NUL escape": Damage(replace(b"row", b"r\\u0000w"), ("nul_character",)),
    "lone surrogate": Damage(replace(b"row", b"r\\ud800w"), ("lone_surrogate",)),
    "reversed surrogates": Damage(replace(b"row", b"r\\udc00\\ud800w"), ("lone_surrogate",)),
    "duplicate key": Damage(replace(b'"label"', b'"text": "x", "label"'), ("duplicate_key",)),
    "two duplicate keys": Damage(replace(b'"label"', b'"text": "x", "text": "y", "label"'), ("duplicate_key",) * 2),
    "NaN": Damage(replace(b'"label"', b'"n": NaN, "label"'), ("not_finite",)),
    "Infinity": Damage(replace(b'"label"', b'"n": -Infinity, "label"'), ("not_finite",)),
    "too large a number": Damage(replace(b'"label"', b'"n": 1e999, "label"'), ("not_finite",)),
    "huge integer": Damage(replace(b'"label"', b'"n": ' + b"9" * 5000 + b', "label"'), ("huge_number",)),
    "integer of 20 digits": Damage(replace(b'"label"', b'"n": 12345678901234567890, "label"'), ("huge_number",)),
    "depth 100,000": Damage(
        replace(b'"label"', b'"n": ' + b"[" * 100_000 + b"]" * 100_000 + b', "label"'), ("too_deep",)
    ),
    "objects in depth": Damage(
        replace(b'"label"', b'"n": ' + b'{"n":' * 100_000 + b"1" + b"}" * 100_000 + b', "label"'), ("too_deep",)
    ),
    "cut": Damage(lambda record: record[:-9], ("not_json",), only_lines=True),
    "single quotes": Damage(replace(b'"', b"'"), ("not_json",)),
    "no comma": Damage(replace(b'", "label"', b'" "label"'), ("not_json",)),
    "trailing comma": Damage(lambda record: record[:-1] + b",}", ("not_json",)),
    "raw control character": Damage(replace(b"row", b"r\x01w"), ("not_json",)),
    "bad escape": Damage(replace(b"row", b"r\\qw"), ("not_json",)),
    "text behind it": Damage(lambda record: record + b" x", ("not_json",), only_lines=True),
    "two on a line": Damage(lambda record: record + record, ("not_json",), only_lines=True),
    "missing field": Damage(replace(b'"text"', b'"txt"'), ("missing_field",)),
    "wrong type": Damage(replace(b'"label": "a"', b'"label": {"a": 1}'), ("wrong_type",)),
    "two faults": Damage(lambda _: b'{"text": " ", "label": "z"}', ("empty_text", "unknown_label")),
}
CASES = [(damage, place, size) for damage in DAMAGES for place in PLACES for size in ("10 rows", "1,000 rows")]
CASES += [(damage, "four", "11 MB") for damage in ("NUL byte", "bad UTF-8", "cut", "duplicate key", "NaN")]


def good(rows: int) -> list[bytes]:
    """Records of about a kilobyte where there are many, so that 11,000 are more than 10 MB."""
    filler = "x" * (1000 if rows > 1000 else 20)
    return [b'{"text": "row %d %s", "label": "a"}' % (row, filler.encode()) for row in range(rows)]


def damaged(damage: Damage, place: str, size: str) -> tuple[list[bytes], list[int]]:
    """(records, places of the damaged ones)."""
    records = good(SIZES[size])
    return records, damage_places(records, damage, place)


def damage_places(records: list[bytes], damage: Damage, place: str) -> list[int]:
    """Do a damage to records; their places."""
    places = [int(part * len(records)) if 0 < part < 1 else int(part) % len(records) for part in (PLACES | FOUR)[place]]
    for index in places:
        records[index] = damage.change(records[index])
    return places


@pytest.mark.parametrize(("name", "place", "size"), CASES)
def test_json_lines(read, name: str, place: str, size: str) -> None:
    damage = DAMAGES[name]
    records, places = damaged(damage, place, size)
    found = read("text-label", b"\n".join(records) + b"\n", labels=("a", "b"))
    assert found.findings == [(index + 1, code) for index in places for code in damage.codes]
    assert len(found.drafts) == len(records) - len(places)


ARRAY_CASES = [
    case for case in CASES if not DAMAGES[case[0]].only_lines and (case[2] != "1,000 rows" or case[1] == "three")
]


@pytest.mark.parametrize(("name", "place", "size"), ARRAY_CASES)
def test_a_json_array_with_an_element_a_line(read, name: str, place: str, size: str) -> None:
    damage = DAMAGES[name]
    records, places = damaged(damage, place, size)
    content = b"[\n" + b",\n".join(records) + b"\n]"
    found = read("text-label", content, "rows.json", labels=("a", "b"))
    assert found.findings == [(index + 2, code) for index in places for code in damage.codes]
    assert len(found.drafts) == len(records) - len(places)


@pytest.mark.parametrize("name", [name for name, damage in DAMAGES.items() if not damage.only_lines])
def test_an_indented_array_names_the_line_of_the_fault_or_of_its_element(read, name: str) -> None:
    records, places = damaged(DAMAGES[name], "three", "10 rows")
    indented = [
        b"    " + record.replace(b'{"', b'{\n        "').replace(b', "label"', b',\n        "label"')
        for record in records
    ]
    content = b"[\n" + b",\n".join(indented) + b"\n]"
    found = read("text-label", content, "rows.json", labels=("a", "b"))
    starts = [2 + sum(text.count(b"\n") + 1 for text in indented[:index]) for index in places]
    ends = [start + indented[index].count(b"\n") for start, index in zip(starts, places, strict=True)]
    lines = [line for line, _ in found.findings]
    assert all(any(start <= line <= end for start, end in zip(starts, ends, strict=True)) for line in lines)
    assert {code for _, code in found.findings} == set(DAMAGES[name].codes)
    assert len(found.drafts) == 7


@pytest.mark.parametrize("rows", [10, 11_000])
def test_a_cut_tail(read, rows: int) -> None:
    lines = b"\n".join(good(rows))
    for kept in (1, 8, 15):
        assert read("text-label", lines[:-kept]).findings == [(rows, "truncated")]
    array = b"[\n" + b",\n".join(good(rows))
    assert read("text-label", array, "rows.json").findings == [(rows + 1, "truncated")]
    assert read("text-label", array[:-8], "rows.json").findings == [(rows + 1, "truncated")]
    assert read("text-label", array + b",\n", "rows.json").findings == [(rows + 2, "truncated")]


@pytest.mark.parametrize("file", ["rows.jsonl", "rows.json"])
@pytest.mark.parametrize("place", ["first", "middle", "last"])
def test_a_line_of_fifty_megabytes(read, file: str, place: str) -> None:
    long = Damage(replace(b"row", b"y" * 50_000_000), ("too_long",))
    records, (index,) = damaged(long, place, "10 rows")
    content = b"\n".join(records) if file == "rows.jsonl" else b"[\n" + b",\n".join(records) + b"\n]"
    found = read("text-label", content, file)
    assert found.findings == [(index + (1 if file == "rows.jsonl" else 2), "too_long")]
    assert len(found.drafts) == 9 and len(found.rejected[0].raw) < 3000


@pytest.mark.parametrize(
    ("content", "file", "findings"),
    [
        (b"", "rows.jsonl", [(1, "empty_file")]),
        (b"", "rows.json", [(1, "empty_file")]),
        (b"", "rows.csv", [(1, "empty_file")]),
        (b"\xef\xbb\xbf", "rows.jsonl", [(1, "empty_file")]),
        (b" \n \n", "rows.json", [(1, "empty_file")]),
        (b"[", "rows.json", [(1, "truncated")]),
        (b'{"a": 1}', "rows.json", [(1, "missing_field")] * 2),
        (b"\x1f\x8b\x08 no archive", "rows.jsonl.gz", [(1, "damaged_archive")]),
        (b"PK no archive", "rows.jsonl.zip", [(1, "damaged_archive")]),
        (b"[1, 2] [3]", "rows.json", [(1, "not_object")] * 2 + [(1, "not_json")]),
    ],
)
def test_whole_files(read, content: bytes, file: str, findings: list[tuple[int, str]]) -> None:
    assert read("text-label", content, file).findings == findings


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("rows", [10, 11_000])
@pytest.mark.parametrize("mark", [True, False])
def test_utf_16(read, encoding: str, rows: int, mark: bool) -> None:
    text = ("\ufeff" if mark else "") + b"\n".join(good(rows)).decode()
    found = read("text-label", text.encode(encoding))
    assert found.findings[0] == (1, "utf16") and not found.drafts


DOCUMENT_DAMAGES = (
    "bad UTF-8",
    "NUL byte",
    "lone surrogate",
    "duplicate key",
    "NaN",
    "huge integer",
    "depth 100,000",
    "no comma",
)


@pytest.mark.parametrize("name", DOCUMENT_DAMAGES)
@pytest.mark.parametrize("place", PLACES)
def test_tasks_of_natural_instructions(read, name: str, place: str) -> None:
    damage = DAMAGES[name]
    records, places = damaged(damage, place, "10 rows")
    records = [
        record.replace(b'"text"', b'"input"')
        .replace(b'"label": "a"', b'"output": ["a"]')
        .replace(b'"label"', b'"output"')
        for record in records
    ]
    content = b'{"Definition": ["D"],\n"Instances": [\n' + b",\n".join(records) + b'\n],\n"Instance License": ["MIT"]}'
    found = read("natural-instructions", content, "task.json")
    assert found.findings == [(index + 3, code) for index in places for code in damage.codes]
    assert len(found.drafts) == len(records) - len(places)


@pytest.mark.parametrize("name", ["bad UTF-8", "NUL byte"])
@pytest.mark.parametrize(
    ("place", "size"), [*((place, size) for place in PLACES for size in ("10 rows", "1,000 rows")), ("four", "11 MB")]
)
def test_csv(read, name: str, place: str, size: str) -> None:
    rows = [b"row %d %s,a" % (number, b"x" * (1000 if size == "11 MB" else 20)) for number in range(SIZES[size])]
    places = damage_places(rows, DAMAGES[name], place)
    found = read("text-label", b"text,label\n" + b"\n".join(rows) + b"\n", "rows.csv")
    assert found.findings == [(index + 2, code) for index in places for code in DAMAGES[name].codes]
    assert len(found.drafts) == len(rows) - len(places)


def everything() -> Iterator[str]:
    """Names of the generated files, to show how many there are."""
    yield from (f"lines {case}" for case in CASES)
    yield from (f"array {case}" for case in ARRAY_CASES)


def test_there_are_more_than_three_hundred_of_them(tmp_path: Path) -> None:
    assert len(set(everything())) >= 300
    assert max(len(b"\n".join(good(rows))) for rows in SIZES.values()) > 10_000_000
    assert json.loads(good(1)[0])["label"] == "a"
