"""Every recipe of a Hub model runs from the raw data to the page against its stand-in, in one process, with few rows and steps."""

import json
from pathlib import Path

import pytest
from stand_in.models import publish_recipe
from stand_in.pipeline import ROOT, commands, read_yaml, run_stage, write_project

RECIPES = sorted(
    path.stem for path in (ROOT / "recipe").glob("*.yaml") if read_yaml(path)["model"]["revision"] is not None
)
QUALITY = {"accuracy", "generated"}


def run_recipe(folder: Path, recipe: str, monkeypatch: pytest.MonkeyPatch) -> dict:
    values = write_project(folder, recipe)
    monkeypatch.chdir(folder)
    for name, words in commands(folder).items():
        assert run_stage(words) is not None, name
    return values


@pytest.mark.slow
@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_runs_from_raw_data_to_the_page(hub, recipe, tmp_path, monkeypatch):
    publish_recipe(hub, read_yaml(ROOT / f"recipe/{recipe}.yaml"))
    values = run_recipe(tmp_path / "run", recipe, monkeypatch)
    page = (tmp_path / "run/reports/index.html").read_text(encoding="utf-8")
    assert len(page) > 10_000
    for arm in ("baseline", "control", "tuned"):
        measured = json.loads((tmp_path / f"run/metrics/{arm}/evaluate.json").read_text())
        assert measured
        if values["arms"][arm]["objective"] in {"dpo", "grpo"}:
            manifest = json.loads((tmp_path / f"run/models/{arm}/steady.json").read_text())
            assert manifest["training"]["preference"]["objective"] == values["arms"][arm]["objective"]
    assert {line.split("?")[0] for line in hub.requests if line.startswith("GET")}, "the weights came from the stand-in"
