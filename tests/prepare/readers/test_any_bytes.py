"""Whatever a file holds, reading it ends, and every problem is a finding."""

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from steady.prepare import formats
from steady.prepare.converting import read_source
from steady.prepare.readers.params import SourceParams
from steady.prepare.readers.rows import Draft, LeftOut, Unreadable

SAMPLES = {name: formats.module(name).SAMPLE for name in formats.names()}
FILES = ("rows.jsonl", "rows.json", "rows.csv", "rows.tsv", "rows.jsonl.gz", "rows.jsonl.zip")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["text", "role", "input", "output", "id"]), inner)
    ),
    max_leaves=6,
)
QUICK = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])


def read(path: Path, name: str, content: bytes) -> list[object]:
    path.write_bytes(content)
    items = list(read_source(SourceParams(path=str(path), format=name), None))  # type: ignore[arg-type]
    assert items
    for item in items:
        if not isinstance(item, Draft | LeftOut):
            findings = [item.rejected] if isinstance(item, Unreadable) else item
            assert findings and all(finding.line >= 1 and finding.code and finding.reason for finding in findings)
            assert all(finding.raw.encode() is not None for finding in findings)
    return items


@pytest.mark.parametrize("file", FILES)
@QUICK
@given(content=st.binary(max_size=200))
def test_any_bytes(tmp_path: Path, file: str, content: bytes) -> None:
    read(tmp_path / file, "text-label", content)


@pytest.mark.parametrize("name", SAMPLES)
@QUICK
@given(place=st.integers(0, 10_000), byte=st.binary(max_size=3), cut=st.integers(0, 3), array=st.booleans())
def test_a_sample_with_a_few_bytes_changed(
    tmp_path: Path, name: str, place: int, byte: bytes, cut: int, array: bool
) -> None:
    rows = [SAMPLES[name]] * 3
    if name == "natural-instructions":
        content = json.dumps(SAMPLES[name], indent=1).encode()
    else:
        content = (
            json.dumps(rows, indent=1).encode() if array else b"".join(json.dumps(row).encode() + b"\n" for row in rows)
        )
    place %= len(content)
    changed = content[:place] + byte + content[place + cut :]
    read(tmp_path / ("rows.json" if array else "rows.jsonl"), name, changed)


@pytest.mark.parametrize("name", SAMPLES)
@QUICK
@given(data=st.data())
def test_a_sample_with_any_value_in_a_field(tmp_path: Path, name: str, data: st.DataObject) -> None:
    sample = json.loads(json.dumps(SAMPLES[name]))
    field = data.draw(st.sampled_from(sorted(sample)))
    value = data.draw(JSON)
    nested = sample[field]
    if isinstance(nested, list) and nested and isinstance(nested[0], dict) and data.draw(st.booleans()):
        nested[0][data.draw(st.sampled_from(sorted(nested[0])))] = value
    else:
        sample[field] = value
    read(tmp_path / "rows.jsonl", name, json.dumps(sample).encode())
