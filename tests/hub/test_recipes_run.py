"""Every recipe of a Hub model runs from the raw data to the page against its stand-in, in one process, with few rows and steps."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from stand_in.models import publish_recipe
from stand_in.pipeline import ROOT, commands, read_yaml, run_stage, write_project, write_repository
from stand_in.server import served
from stand_in.store import Hub

RECIPES = sorted(
    path.stem for path in (ROOT / "recipe").glob("*.yaml") if read_yaml(path)["model"]["revision"] is not None
)
REPRODUCED = "news-distilbert"


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


@pytest.mark.slow
def test_a_recipe_runs_by_dvc_repro_and_a_branch_that_moves_reruns_nothing(tmp_path):
    folder, published = tmp_path / "project", Hub()
    write_repository(folder, REPRODUCED)
    recipe = read_yaml(ROOT / f"recipe/{REPRODUCED}.yaml")
    publish_recipe(published, recipe)
    with served(published) as address:
        places = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        own = {"HF_ENDPOINT": address, "HF_HOME": str(tmp_path / "home"), "PATH": places, "OMP_NUM_THREADS": "1"}
        environment = {name: value for name, value in os.environ.items() if name != "HF_HUB_OFFLINE"} | own

        def dvc(*words: str) -> str:
            done = subprocess.run(
                [sys.executable, "-m", "dvc", *words],
                cwd=folder,
                env=environment,
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
            return done.stdout

        dvc("repro")
        first = (folder / "metrics/headline.json").read_bytes()
        published.publish(recipe["model"]["id"], {"config.json": b"{}"})
        assert "up to date" in dvc("repro")
        dvc("repro", "--force", "--single-item", "evaluate@tuned")
    assert (folder / "metrics/headline.json").read_bytes() == first
    adapter = json.loads((folder / "models/tuned/adapter_config.json").read_text())
    assert (adapter["base_model_name_or_path"], adapter["revision"]) == (
        recipe["model"]["id"],
        recipe["model"]["revision"],
    )
