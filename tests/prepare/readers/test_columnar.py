"""Parquet, Arrow and `datasets`."""

from pathlib import Path

import pytest

pyarrow = pytest.importorskip("pyarrow")
ROWS = {"sentence": [f"text {n}" for n in range(2500)], "label": [n % 2 for n in range(2500)]}
SETTINGS = {"columns": {"text": "sentence"}, "classes": ["no", "yes"]}


def test_parquet_is_read_in_batches(tmp_path: Path, read_file) -> None:
    import pyarrow.parquet

    pyarrow.parquet.write_table(pyarrow.table(ROWS), tmp_path / "r.parquet")
    drafts = read_file(tmp_path / "r.parquet", "text-label", **SETTINGS).drafts
    assert [(draft.input, draft.output, draft.line) for draft in drafts[:2]] == [
        ("text 0", "no", 1),
        ("text 1", "yes", 2),
    ]
    assert len(drafts) == 2500


@pytest.mark.parametrize("kind", ["file", "stream"])
def test_arrow_files_and_streams(tmp_path: Path, read_file, kind: str) -> None:
    table = pyarrow.table(ROWS)
    with (pyarrow.ipc.new_file if kind == "file" else pyarrow.ipc.new_stream)(
        tmp_path / "r.arrow", table.schema
    ) as writer:
        writer.write_table(table)
    assert len(read_file(tmp_path / "r.arrow", "text-label", **SETTINGS).drafts) == 2500


def test_a_damaged_parquet_file_is_named(tmp_path: Path, read) -> None:
    (fault,) = read("text-label", b"PAR1 this is none", "r.parquet").unreadable
    assert fault.code == "damaged_file"


def test_a_null_and_a_missing_column_are_named(tmp_path: Path, read_file) -> None:
    import pyarrow.parquet

    pyarrow.parquet.write_table(pyarrow.table({"text": ["a", None]}), tmp_path / "r.parquet")
    assert read_file(tmp_path / "r.parquet", "text-label").findings == [
        (1, "missing_field"),
        (2, "wrong_type"),
        (2, "missing_field"),
    ]


@pytest.mark.slow
def test_data_sets_saved_by_datasets_and_loaded_like_the_hub_s_have_class_names(tmp_path: Path, read_file) -> None:
    import datasets

    features = datasets.Features({"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["neg", "pos"])})
    data = datasets.Dataset.from_dict({"text": ["a", "b"], "label": [1, 0]}, features=features)
    data.save_to_disk(tmp_path / "saved")
    assert [draft.output for draft in read_file(tmp_path / "saved", "text-label").drafts] == ["pos", "neg"]
    (tmp_path / "hub").mkdir()
    data.to_parquet(tmp_path / "hub/train-00000.parquet")
    drafts = read_file(f"hub:{tmp_path / 'hub'}", "text-label").drafts
    assert [(draft.output, draft.line) for draft in drafts] == [("pos", 1), ("neg", 2)]
    (fault,) = read_file(f"hub:{tmp_path / 'hub'}", "text-label", hub_split="nowhere").unreadable
    assert fault.code == "no_dataset" and "hub_split" in fault.reason
