"""Which files a source names, how they are packed, and what cannot be read."""

import gzip
import io
import json
import zipfile
from pathlib import Path

import pytest

ROWS = [{"text": f"text {n}", "label": "ab"[n % 2]} for n in range(3000)]
LINES = "".join(json.dumps(row) + "\n" for row in ROWS).encode()


def packed(suffix: str, content: bytes, folder: Path) -> bytes:
    if suffix == ".gz":
        return gzip.compress(content)
    if suffix == ".zip":
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr("inner/rows.jsonl", content)
        return buffer.getvalue()
    import pyarrow

    path = folder / "packed"
    with pyarrow.OSFile(str(path), "wb") as sink, pyarrow.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(content)
    return path.read_bytes()


@pytest.mark.parametrize("suffix", ["", ".gz", ".zip", ".zst"])
def test_compressed_files_are_read_as_plain_ones(read, tmp_path: Path, suffix: str) -> None:
    content = packed(suffix, LINES, tmp_path) if suffix else LINES
    drafts = read("text-label", content, f"rows.jsonl{suffix}").drafts
    assert [(draft.input, draft.line) for draft in drafts] == [(row["text"], n) for n, row in enumerate(ROWS, start=1)]


@pytest.mark.parametrize("suffix", [".gz", ".zip", ".zst"])
def test_a_cut_archive_is_named_and_what_came_before_is_not_taken_for_all(read, tmp_path: Path, suffix: str) -> None:
    found = read("text-label", packed(suffix, LINES, tmp_path)[:-100], f"rows.jsonl{suffix}")
    assert [finding.code for finding in found.unreadable] == ["damaged_archive"]


def test_an_archive_of_two_files_is_named(read) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.jsonl", "{}")
        archive.writestr("b.jsonl", "{}")
    (fault,) = read("text-label", buffer.getvalue(), "rows.jsonl.zip").unreadable
    assert fault.code == "several_files"


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16", "cp1252"])
def test_a_declared_encoding_is_read(read, encoding: str) -> None:
    (draft,) = read("text-label", "text,label\r\ncafé,x\r\n".encode(encoding), "r.csv", encoding=encoding).drafts
    assert (draft.input, draft.line) == ("café", 2)
    (draft,) = read("text-label", '{"text": "café", "label": "x"}\n'.encode(encoding), encoding=encoding).drafts
    assert draft.input == "café"


def test_a_wrong_encoding_is_named(read) -> None:
    (fault,) = read("text-label", b'{"text": "\x81"}\n', encoding="ascii").unreadable
    assert fault.code == "wrong_encoding" and "Correct `encoding`" in fault.reason


def test_an_unknown_encoding_is_refused(read) -> None:
    with pytest.raises(ValueError, match="Python knows no 'utf-nine'"):
        read("text-label", b"", encoding="utf-nine")


@pytest.mark.parametrize("mark", [b"\xff\xfe", b"\xfe\xff", b""])
def test_utf_16_is_recognised(read, mark: bytes) -> None:
    encoding = "utf-16-be" if mark == b"\xfe\xff" else "utf-16-le"
    (fault,) = read("text-label", mark + LINES.decode().encode(encoding)).unreadable
    assert (fault.line, fault.code) == (1, "utf16") and "Set `encoding: utf-16`" in fault.reason


def test_a_folder_and_a_pattern_are_read_in_the_order_of_names(tmp_path: Path, read_file) -> None:
    for name in ("b.jsonl", "a.jsonl", "sub/c.jsonl", ".hidden/d.jsonl", "readme.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(json.dumps({"text": name, "label": "x"}) + "\n")
    assert [draft.input for draft in read_file(tmp_path, "text-label").drafts] == ["a.jsonl", "b.jsonl", "sub/c.jsonl"]
    assert [draft.input for draft in read_file(f"{tmp_path}/[ab].jsonl", "text-label").drafts] == ["a.jsonl", "b.jsonl"]


def test_a_relative_path_stays_relative(tmp_path: Path, read_file, monkeypatch) -> None:
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw/rows.jsonl").write_bytes(LINES)
    monkeypatch.chdir(tmp_path)
    assert read_file("raw/rows.jsonl", "text-label").drafts[0].source == "raw/rows.jsonl"
    assert read_file("raw", "text-label").drafts[0].source == "raw/rows.jsonl"
    assert read_file("raw/*.jsonl", "text-label").drafts[0].source == "raw/rows.jsonl"


def test_an_empty_file_in_a_folder_is_fine_and_a_source_without_rows_is_not(tmp_path: Path, read, read_file) -> None:
    (tmp_path / "x").mkdir()
    (tmp_path / "x/a.jsonl").write_bytes(b"")
    (tmp_path / "x/b.jsonl").write_bytes(LINES)
    assert len(read_file(tmp_path / "x", "text-label").drafts) == 3000
    assert read("text-label", b"").findings == [(1, "empty_file")]
    assert read("text-label", b"\n\n").findings == [(1, "empty_file")]
    assert read("text-label", b"text,label\n", "r.csv").findings == [(1, "empty_file")]
    assert read("text-label", b"[]", "r.json").findings == [(1, "empty_file")]
    assert read_file(tmp_path / "none", "text-label").findings == [(1, "missing_file")]
