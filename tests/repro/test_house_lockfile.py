"""`verify` points at a damaged file, by the hashes that DVC records."""

import json
import shutil
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from steady.__main__ import main
from steady.errors import SteadyError
from steady.repro import lockfile, provenance


def run(*arguments: str):
    return CliRunner().invoke(main, list(arguments))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A committed repository with one stage that wrote a file and a folder, both in the cache too."""
    (tmp_path / "model").mkdir()
    (tmp_path / "metrics").mkdir()
    (tmp_path / "model/weights").write_bytes(b"0123")
    (tmp_path / "model/card").write_bytes(b"card")
    (tmp_path / "metrics/headline.json").write_text('{"tuned": {"accuracy": 0.9}}')
    listing = lockfile.folder_listing(tmp_path, tmp_path / "model")
    entries = json.dumps([{"md5": listing[name], "relpath": name} for name in ("card", "weights")], sort_keys=True)
    folder = lockfile.listing_md5(listing)
    for md5, content in ((folder, entries.encode()), (listing["weights"], b"0123"), (listing["card"], b"card")):
        path = lockfile.cache_path(tmp_path / ".dvc/cache", md5)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    write_lock(tmp_path, folder)
    return tmp_path


def write_lock(root: Path, folder_md5: str) -> None:
    headline = lockfile.file_md5(root / "metrics/headline.json")
    lock = f"""
schema: '2.0'
stages:
  finetune@tuned:
    cmd: train
    outs:
    - {{path: model, hash: md5, md5: {folder_md5}, size: 8, nfiles: 2}}
  compare:
    cmd: compare
    deps:
    - {{path: model, hash: md5, md5: {folder_md5}, size: 8, nfiles: 2}}
    outs:
    - {{path: metrics/headline.json, hash: md5, md5: {headline}, size: 28}}
"""
    (root / "dvc.lock").write_text(lock)


def test_a_folder_has_the_hash_that_dvc_gives_it(tmp_path):
    folder = tmp_path / "f"
    (folder / "b/__pycache__").mkdir(parents=True)
    (folder / "b/x.txt").write_text("x\n")
    (folder / "a.txt").write_text("a\n")
    (folder / "b/__pycache__/x.pyc").write_bytes(b"not counted")
    (tmp_path / ".dvcignore").write_text("__pycache__\nf/README.md\n")
    (folder / "README.md").write_text("not counted either")
    # Taken from `dvc add` of the same folder with DVC 3.67.1.
    assert lockfile.listing_md5(lockfile.folder_listing(tmp_path, folder)) == "db29416401b3cb1705848590e41c9603.dir"


def test_an_undamaged_project_verifies(project):
    result = run("verify", "--root", str(project))
    assert result.exit_code == 0, result.output
    assert "2 files and folders" in result.output


def test_a_flipped_byte_in_an_output_is_named(project):
    (project / "model/weights").write_bytes(b"0124")
    result = run("verify", "--root", str(project))
    assert result.exit_code == 1
    assert "model/weights: MD5 is" in result.output and "model/card" not in result.output


def test_a_flipped_byte_in_the_cache_is_named(project):
    path = lockfile.cache_path(project / ".dvc/cache", lockfile.file_md5(project / "model/weights"))
    path.write_bytes(b"9123")
    result = run("verify", "--root", str(project))
    assert result.exit_code == 1
    assert "damaged copy of model/weights" in result.output


def test_missing_and_additional_files_are_named(project):
    (project / "model/card").unlink()
    (project / "model/note").write_text("mine")
    (project / "metrics/headline.json").unlink()
    result = run("verify", "--root", str(project))
    assert "model/card: missing" in result.output
    assert "model/note: was not recorded" in result.output
    assert "metrics/headline.json: missing" in result.output


def test_a_damaged_folder_is_found_without_a_cache(project):
    shutil.rmtree(project / ".dvc/cache")
    (project / "model/weights").write_bytes(b"0124")
    assert "model: the folder is not what was recorded" in run("verify", "--root", str(project)).output


def test_verify_and_reproduced_need_a_lock_file(tmp_path):
    for command in ("verify", "reproduced"):
        result = run(command, "--root", str(tmp_path))
        assert result.exit_code == 1 and "dvc.lock: no such file" in result.output


@pytest.mark.parametrize("text", ["- a list", "stages: {a: {outs: [{md5: x}]}}", "{"])
def test_a_lock_file_that_is_none_is_refused(text):
    with pytest.raises(SteadyError, match="not a lock file"):
        lockfile.read_lock(text, "dvc.lock")


def test_the_environment_names_versions_and_no_place(project):
    text = json.dumps(msgspec.to_builtins(provenance.environment()))
    assert '"torch"' in text and str(Path.home()) not in text


@given(st.dictionaries(st.text(), st.dictionaries(st.text(), st.integers() | st.text())))
def test_a_value_equals_itself(value):
    assert provenance.changed_values(value, value) == []


def test_changed_values_by_hand():
    before, after = {"a": {"x": 1, "y": 2}}, {"a": {"x": 1, "y": 3}, "b": 4}
    assert provenance.changed_values(before, after) == [("a.y", 2, 3), ("b", None, 4)]
